import { posix } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { checkTenantId, tenantOf } from './tenant-id.ts';

test.each([
  [{}, 'anonymous'],
  [{ 'x-scope-orgid': '' }, 'anonymous'],
  [{ 'x-scope-orgid': 'team-a' }, 'team-a'],
  [{ 'thanos-tenant': 'team-b' }, 'team-b'],
  [{ 'x-scope-orgid': 'team-a', 'thanos-tenant': 'team-a' }, 'team-a'],
])('headers %j speak for %s', (headers, tenant) => {
  expect(tenantOf(headers, 'anonymous')).toBe(tenant);
});

test('two headers that differ are refused', () => {
  expect(() => tenantOf({ 'x-scope-orgid': 'a', 'thanos-tenant': 'b' }, 'anonymous')).toThrow(
    'x-scope-orgid and thanos-tenant name different tenants, "a" and "b"',
  );
});

test.each(['a', '0', "Team_1-x.y!*'()", '...', 'a'.repeat(150)])('%s is a tenant', (name) => {
  expect(checkTenantId(name)).toBe(name);
});

test.each([
  ['', 'tenant id: it is empty'],
  ['.', 'tenant id: "." is reserved'],
  ['..', 'tenant id: ".." is reserved'],
  ['__markers__', 'tenant id: "__markers__" is reserved'],
  ['user-index.json.gz', 'tenant id: "user-index.json.gz" is reserved'],
  ['01HQ0000000000000000000001', 'is reserved'],
  ['a/b', 'tenant id: "a/b" has the character "/" at 1'],
  ['..\\up', 'tenant id: "..\\\\up" has the character "\\\\" at 2'],
  ['a b', 'tenant id: "a b" has the character " " at 1'],
  ['a\u0000', 'tenant id: "a\\u0000" has the character "\\u0000" at 1'],
  ['tëam', 'tenant id: "tëam" has the character "ë" at 1'],
  ['a|b', 'tenant id: "a|b" names several tenants; one is expected'],
  ['a'.repeat(151), 'tenant id: it has 151 characters, 150 are allowed'],
])('%j is no tenant', (name, message) => {
  expect(() => checkTenantId(name)).toThrow(message);
});

test('whatever passes stays one name inside its folder', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.stringMatching(/^[.a/\\]*$/)), (name) => {
      try {
        checkTenantId(name);
      } catch (error) {
        expect(error).toBeInstanceOf(VeronaError);
        return;
      }
      expect(posix.join('/data', name, 'x')).toBe(`/data/${name}/x`);
      expect(posix.dirname(posix.join('/data', name))).toBe('/data');
    }),
  );
});

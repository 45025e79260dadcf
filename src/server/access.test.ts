import bcrypt from 'bcrypt';
import { expect, test } from 'vitest';
import { Access, type AccessRules } from './access.ts';

const TOKEN = 'a-token-of-some-length';
const rules: AccessRules = {
  users: [
    { name: 'alice', hash: bcrypt.hashSync('pass:word', 4) },
    { name: 'bob', hash: bcrypt.hashSync('é', 4).replace('$2b', '$2y'), tenants: ['acme'] },
  ],
  tokens: [{ token: TOKEN, tenants: ['globex'] }, { token: 'another-token-of-length' }],
  openPaths: ['/-/healthy'],
};
const basic = (pair: string) => `Basic ${Buffer.from(pair).toString('base64')}`;

test.each([
  ['no credentials', undefined, undefined],
  ['a user with a colon in the password', basic('alice:pass:word'), { tenants: undefined }],
  ['a user of one tenant, with a hash of another make', basic('bob:é'), { tenants: ['acme'] }],
  ['a wrong password', basic('alice:password'), undefined],
  ['an unknown user', basic('carol:pass:word'), undefined],
  ['no password', basic('alice'), undefined],
  ['no base64', 'Basic ***', undefined],
  ['a token', `bearer ${TOKEN}`, { tenants: ['globex'] }],
  ['a token for all tenants', 'Bearer another-token-of-length', { tenants: undefined }],
  ['the beginning of a token', `Bearer ${TOKEN.slice(0, -1)}`, undefined],
  ['a token as a password', basic(`alice:${TOKEN}`), undefined],
  ['another scheme', `Digest ${TOKEN}`, undefined],
])('%s', async (_, header, expected) => {
  const access = new Access(rules);
  // The second time it is remembered.
  for (let i = 0; i < 2; i++) expect(await access.admit('/api/v1/query', header)).toEqual(expected);
});

test('open paths and a listener without rules need no credentials', async () => {
  expect(await new Access(rules).admit('/-/healthy', undefined)).toEqual({ tenants: undefined });
  expect(await new Access(rules).admit('/-/healthy/..', undefined)).toBeUndefined();
  const open = new Access({ users: [], tokens: [], openPaths: [] });
  expect(await open.admit('/', undefined)).toEqual({ tenants: undefined });
});

test('a flood of wrong passwords is bounded, and a user who is remembered comes through', async () => {
  const access = new Access(rules);
  expect(await access.admit('/', basic('alice:pass:word'))).toBeDefined();
  const flood = Array.from({ length: 500 }, (_, i) => access.admit('/', basic(`alice:${i}`)));
  expect(await access.admit('/', basic('alice:pass:word'))).toBeDefined();
  expect((await Promise.all(flood)).every((found) => found === undefined)).toBe(true);
});

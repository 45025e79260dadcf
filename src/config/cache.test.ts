import { expect, test } from 'vitest';
import { loadCacheOptions } from './cache.ts';

const load = (text: string, environment = {}) => loadCacheOptions({ file: 'cache.yml', text }, environment);

test('each kind is read with Thanos’ names and defaults', () => {
  const rules = {
    subrangeBytes: 16_000,
    rangeRequestsMax: 3,
    subrangeTtlMs: 86_400_000,
    attributesTtlMs: 86_400_000,
    metaTtlMs: 86_400_000,
    metaBytesMax: 1_048_576,
  };
  expect(load('type: in-memory\n')).toEqual({
    type: 'IN-MEMORY',
    config: { sizeBytesMax: 262_144_000, itemBytesMax: 16_777_216 },
    rules,
  });
  expect(load('type: DISK\nconfig: {directory: /x, max_size: 1GiB}\n')).toMatchObject({
    config: { directory: '/x', sizeBytesMax: 1_073_741_824 },
  });
  const memcached = `type: MEMCACHED
config:
  addresses: ['a:11211', 'b:11211']
  timeout: 300ms
  max_async_concurrency: 20
  max_item_size: 1MiB
chunk_subrange_size: 32000
max_chunks_get_range_requests: 5
chunk_subrange_ttl: 12h
chunk_object_attrs_ttl: 6h
metafile_content_ttl: 36h
metafile_max_size: 2MiB
metafile_exists_ttl: 2h
`;
  expect(load(memcached)).toEqual({
    type: 'MEMCACHED',
    config: { addresses: ['a:11211', 'b:11211'], timeoutMs: 300, itemBytesMax: 1_048_576 },
    rules: {
      subrangeBytes: 32_000,
      rangeRequestsMax: 5,
      subrangeTtlMs: 43_200_000,
      attributesTtlMs: 21_600_000,
      metaTtlMs: 129_600_000,
      metaBytesMax: 2_097_152,
    },
  });
  expect(load('type: REDIS\nconfig: {addr: "r:6379", password: $(PW), db: 2}\n', { PW: 'x' })).toMatchObject({
    config: { addr: 'r:6379', password: 'x', db: 2, read_timeout_ms: 3_000 },
  });
});

test.each([
  ['type: GROUPCACHE\n', 'cache.yml:1:7: type: must be IN-MEMORY, DISK, MEMCACHED or REDIS'],
  ['type: REDIS\nconfig:\n  addr: r:1\n  pasword: hunter2\n', 'cache.yml:4:3: unknown key config.pasword'],
  ['type: REDIS\nconfig: {addr: r}\n', 'config.addr: is not host:port'],
  ['type: MEMCACHED\nconfig: {addresses: []}\n', 'config.addresses'],
  ['type: IN-MEMORY\nconfig: {max_size: big}\n', 'config.max_size: not a size'],
  ['type: IN-MEMORY\nttl: 3\n', 'unknown key ttl'],
])('%j is refused with its line and without its secrets', (text, words) => {
  expect(() => load(text)).toThrow(words);
  expect(() => load(text)).toThrow(/^(?![\s\S]*hunter2)/);
});

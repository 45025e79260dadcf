import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SystemClock } from '../../platform/clock.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { acceptCache } from './acceptance.ts';
import { DiskCache } from './disk-cache.ts';
import { MemcachedReplies, type MemcachedReply } from './memcached-reply.ts';
import { MemoryCache } from './memory-cache.ts';

const clock = new SystemClock();
const room = 8 * 1024 * 1024;
const disks: MemoryDisk[] = [];

acceptCache('MemoryCache', async () => new MemoryCache({ sizeBytesMax: room, itemBytesMax: room }, clock));
acceptCache('DiskCache', async () =>
  DiskCache.open({ dir: 'cache', sizeBytesMax: room }, new MemoryDisk(), clock),
);

test('a memory cache lets the least recently used go, and never takes more than its room', async () => {
  const cache = new MemoryCache({ sizeBytesMax: 10_000, itemBytesMax: 4_000 }, clock);
  for (const key of ['a', 'b', 'c']) await cache.set(key, new Uint8Array(3_000), 60_000);
  await cache.getMany(['a']);
  await cache.set('d', new Uint8Array(3_000), 60_000);
  expect([...(await cache.getMany(['a', 'b', 'c', 'd'])).keys()]).toEqual(['a', 'c', 'd']);
  await cache.set('large', new Uint8Array(4_001), 60_000);
  expect((await cache.getMany(['large'])).size).toBe(0);
  for (let i = 0; i < 100; i++) {
    await cache.set(`k${i}`, new Uint8Array((i * 37) % 4_000), 60_000);
    expect(cache.sizeBytes).toBeLessThanOrEqual(10_000);
  }
});

test('a disk cache survives a restart, keeps to its room, and clears away what is not its own', async () => {
  const disk = new MemoryDisk();
  disks.push(disk);
  const open = () => DiskCache.open({ dir: 'cache', sizeBytesMax: 10_000 }, disk, clock);
  let cache = await open();
  for (const key of ['a', 'b']) await cache.set(key, new Uint8Array(3_000).fill(7), 60_000);
  await disk.writeFileAtomic('cache/half-written.tmp', new Uint8Array(10));
  cache = await open();
  expect((await cache.getMany(['a', 'b'])).get('b')?.[0]).toBe(7);
  for (const key of ['c', 'd', 'e']) await cache.set(key, new Uint8Array(3_000), 60_000);
  expect(cache.sizeBytes).toBeLessThanOrEqual(10_000);
  const names = (await disk.list('cache')).map(({ name }) => name);
  expect(names).toHaveLength(3);
  for (const name of names) await disk.writeFileAtomic(`cache/${name}`, new Uint8Array(3));
  expect((await cache.getMany(['a', 'b', 'c', 'd', 'e'])).size).toBe(0);
});

test('answers of memcached are taken apart wherever the network cuts them', () => {
  const value = Buffer.from('a\r\nEND\r\nb');
  const text = Buffer.concat([
    Buffer.from(`VALUE k1 0 ${value.length}\r\n`),
    value,
    Buffer.from('\r\nVALUE k2 0 0\r\n\r\nEND\r\nSTORED\r\nEND\r\nSERVER_ERROR out of memory\r\n'),
  ]);
  const expected = ['END', 'STORED', 'END', 'SERVER_ERROR out of memory'];
  fc.assert(
    fc.property(fc.array(fc.nat(text.length), { maxLength: 8 }), (cuts) => {
      const replies = new MemcachedReplies(1000);
      const found: MemcachedReply[] = [];
      let last = 0;
      for (const cut of [...cuts.sort((a, b) => a - b), text.length]) {
        found.push(...replies.push(text.subarray(last, cut)));
        last = cut;
      }
      expect(found.map(({ status }) => status)).toEqual(expected);
      expect([...found[0].values.keys()]).toEqual(['k1', 'k2']);
      expect(Buffer.compare(found[0].values.get('k1') as Uint8Array, value)).toBe(0);
    }),
  );
});

test('bytes that are no answer are corrupt, and none makes a reader keep more than a value', () => {
  for (const text of [
    'VALUE k 0 x\r\n',
    'VALUE k 0 -1\r\n',
    'VALUE k 0 2000\r\n',
    'VALUE k 0 1\r\nabc\r\n',
    'x'.repeat(5000),
  ])
    expect(() => new MemcachedReplies(1000).push(Buffer.from(text))).toThrow(
      expect.objectContaining({ code: 'corrupt' }),
    );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      try {
        new MemcachedReplies(1000).push(Buffer.from(bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: 'corrupt' });
      }
    }),
  );
});

import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { acceptBucket, CALM } from '../acceptance.ts';
import { MemoryBucket } from '../memory-bucket.ts';
import type { Cache } from './cache.ts';
import { CACHING_RULES, CachingBucket } from './caching-bucket.ts';
import { GUARD_RULES, GuardedCache } from './guarded-cache.ts';
import { MemoryCache } from './memory-cache.ts';
import { withCache } from './open-cache.ts';

const clock = new SystemClock();
const INDEX = 'acme/01HQ0000000000000000000001/index';
const DATA = new Uint8Array(10_007).map((_, i) => (i * 131) ^ (i >> 5));
const rules = { ...CACHING_RULES, subrangeBytes: 100, rangeRequestsMax: 2 };
let store: MemoryBucket;
let reads: { offset: number; length: number }[];

beforeEach(async () => {
  store = new MemoryBucket(clock);
  await store.upload(CALM, INDEX, DATA);
  const getRange = store.getRange.bind(store);
  reads = [];
  store.getRange = (ctx, key, offset, length) => {
    reads.push({ offset, length });
    return getRange(ctx, key, offset, length);
  };
});

const memory = () => new MemoryCache({ sizeBytesMax: 1 << 20, itemBytesMax: 1 << 20 }, clock);
function cached(cache: Cache = memory(), guard = GUARD_RULES): CachingBucket {
  return new CachingBucket(store, new GuardedCache(cache, { clock, log: silentLogger, rules: guard }), rules);
}
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));
const same = (found: Uint8Array, offset: number, length: number) =>
  expect(Buffer.compare(found, DATA.subarray(offset, offset + length))).toBe(0);

acceptBucket(
  'CachingBucket',
  async () =>
    new CachingBucket(new MemoryBucket(clock), new GuardedCache(memory(), { clock, log: silentLogger })),
);

test('any ranges, one after the other and at once, give the bytes of the object', async () => {
  const range = fc.tuple(fc.nat(DATA.length + 50), fc.integer({ min: 1, max: 1500 }));
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(range, { minLength: 1, maxLength: 5 }), { maxLength: 6 }),
      async (rounds) => {
        const bucket = cached();
        for (const ranges of rounds)
          await Promise.all(
            ranges.map(async ([offset, length]) =>
              same(await bucket.getRange(CALM, INDEX, offset, length), offset, length),
            ),
          );
      },
    ),
    { numRuns: 100 },
  );
});

test('what was read once is not read again, and gaps are read in few requests', async () => {
  const bucket = cached();
  await bucket.getRange(CALM, INDEX, 250, 200);
  expect(reads).toEqual([{ offset: 200, length: 300 }]);
  await settle();
  await bucket.getRange(CALM, INDEX, 300, 100);
  expect(reads).toHaveLength(1);
  await bucket.getRange(CALM, INDEX, 700, 100);
  await bucket.getRange(CALM, INDEX, 1000, 100);
  await settle();
  reads.length = 0;
  same(await bucket.getRange(CALM, INDEX, 0, 1300), 0, 1300);
  expect(reads.length).toBeLessThanOrEqual(2);
  expect(reads.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(1300);
});

test('callers at once share one read; one that is cancelled takes nobody along', async () => {
  const bucket = cached();
  const controller = new AbortController();
  const getRange = store.getRange.bind(store);
  store.getRange = async (ctx, key, offset, length) => {
    await settle();
    return getRange(ctx, key, offset, length);
  };
  const first = bucket.getRange(controller, INDEX, 100, 100);
  const others = Array.from({ length: 5 }, () => bucket.getRange(CALM, INDEX, 120, 50));
  await Promise.resolve();
  expect((await Promise.all(others)).every((bytes) => bytes.length === 50)).toBe(true);
  await first;
  expect(reads).toHaveLength(1);
  const cancelled = bucket.getRange(controller, INDEX, 5000, 100);
  await Promise.resolve();
  const waiting = bucket.getRange(CALM, INDEX, 5000, 100);
  controller.abort();
  await expect(cancelled).rejects.toMatchObject({ code: 'canceled' });
  same(await waiting, 5000, 100);
});

test('a cache that is dead, slow or lies costs time and nothing else', async () => {
  const answer = { ...memory(), close: async () => {} };
  const dead: Cache = {
    ...answer,
    getMany: () => Promise.reject(new Error('gone')),
    set: () => Promise.reject(new Error('gone')),
  };
  const slow: Cache = { ...answer, getMany: () => new Promise(() => {}), set: () => new Promise(() => {}) };
  const lying: Cache = {
    ...answer,
    getMany: async (keys) => new Map(keys.map((key) => [key, new Uint8Array(104).fill(1)])),
    set: async () => {},
  };
  const swapping: Cache = memory();
  for (const cache of [dead, slow, lying, swapping]) {
    const bucket = cached(cache, { ...GUARD_RULES, timeoutMs: 20 });
    const begin = performance.now();
    for (let i = 0; i < 20; i++) same(await bucket.getRange(CALM, INDEX, i * 100, 150), i * 100, 150);
    // Five slow answers, then it is left alone.
    expect(performance.now() - begin).toBeLessThan(2_000);
  }
});

test('values on their way into a slow cache are bounded', async () => {
  let open = 0;
  const slow: Cache = {
    getMany: async () => new Map(),
    set: () => {
      open++;
      return new Promise(() => {});
    },
    close: async () => {},
  };
  const guarded = new GuardedCache(slow, {
    clock,
    log: silentLogger,
    rules: { ...GUARD_RULES, pendingMax: 50, writesAtOnceMax: 4, timeoutMs: 60_000 },
  });
  for (let i = 0; i < 1000; i++) guarded.set('subrange', `k${i}`, new Uint8Array(10), 1000);
  await settle();
  expect(open).toBe(4);
  await guarded.close();
});

test('files that may change are asked of the bucket each time', async () => {
  const bucket = cached();
  for (const key of [
    'acme/01HQ0000000000000000000001/meta.json',
    'acme/bucket-index.json.gz',
    'acme/markers/01HQ0000000000000000000001-deletion-mark.json',
  ]) {
    await bucket.upload(CALM, key, Buffer.from('one'));
    expect(Buffer.from(await bucket.getRange(CALM, key, 0, 3)).toString()).toBe('one');
    await settle();
    await bucket.upload(CALM, key, Buffer.from('two'));
    expect(Buffer.from(await bucket.getRange(CALM, key, 0, 3)).toString()).toBe('two');
    expect(Buffer.from(await bucket.get(CALM, key)).toString()).toBe('two');
  }
});

test('sizes of the files of blocks are looked up once, those of other files each time', async () => {
  const looks: string[] = [];
  const attributes = store.attributes.bind(store);
  store.attributes = (ctx, key) => {
    looks.push(key);
    return attributes(ctx, key);
  };
  const meta = INDEX.replace('index', 'meta.json');
  await store.upload(CALM, meta, Buffer.from('{}'));
  const bucket = cached();
  const first = await bucket.attributes(CALM, INDEX);
  expect(first).toEqual(await attributes(CALM, INDEX));
  await settle();
  expect(await bucket.attributes(CALM, INDEX)).toEqual(first);
  for (let i = 0; i < 2; i++) expect((await bucket.attributes(CALM, meta)).sizeBytes).toBe(2);
  expect(looks).toEqual([INDEX, meta, meta]);
  const absent = INDEX.replace('0001/', '0002/');
  await expect(bucket.attributes(CALM, absent)).rejects.toMatchObject({ code: 'not_found' });
  await store.upload(CALM, absent, DATA);
  expect((await bucket.attributes(CALM, absent)).sizeBytes).toBe(DATA.length);
});

test('a cache that cannot be opened is told of, and reads do without it', async () => {
  const disk = new MemoryDisk();
  disk.faults.readOnly = true;
  const told: unknown[] = [];
  const log = { ...silentLogger, error: (_message: string, fields?: object) => told.push(fields) };
  const config = { directory: 'cache', sizeBytesMax: 1 << 20 };
  const bucket = await withCache(store, { type: 'DISK', config, rules }, { disk, clock, log });
  same(await bucket.getRange(CALM, INDEX, 10, 20), 10, 20);
  expect(told).toEqual([{ type: 'DISK', error: expect.stringContaining('EROFS') }]);
});

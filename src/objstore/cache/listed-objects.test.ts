import { beforeEach, expect, test } from 'vitest';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { CALM } from '../acceptance.ts';
import { MemoryBucket } from '../memory-bucket.ts';
import type { Cache } from './cache.ts';
import { CACHING_RULES } from './caching-bucket.ts';
import { GuardedCache } from './guarded-cache.ts';
import { type ListedObject, ListedObjects } from './listed-objects.ts';
import { MemoryCache } from './memory-cache.ts';
import { listedObjects } from './open-cache.ts';

const clock = new SystemClock();
const KEY = 'acme/01HQ0000000000000000000001/meta.json';
const SIZE_MAX = 1 << 20;
let store: MemoryBucket;
let reads: number;
let memory: MemoryCache;

beforeEach(async () => {
  store = new MemoryBucket(clock);
  memory = new MemoryCache({ sizeBytesMax: 1 << 20, itemBytesMax: 1 << 20 }, clock);
  reads = 0;
  const get = store.get.bind(store);
  store.get = (...args) => {
    reads++;
    return get(...args);
  };
});

async function open(cache: Cache = memory, rules = CACHING_RULES): Promise<ListedObjects> {
  const guarded = new GuardedCache(cache, { clock, log: silentLogger });
  const objects = new ListedObjects(store, rules, async () => guarded);
  await objects.start();
  return objects;
}
const settle = () => new Promise((resolve) => setTimeout(resolve, 5));

async function put(text: string): Promise<ListedObject> {
  await store.upload(CALM, KEY, Buffer.from(text));
  for await (const entry of store.list(CALM, 'acme/', { recursive: true }))
    if (entry.kind === 'object') return entry;
  throw new Error('not listed');
}

const text = async (objects: ListedObjects, object: ListedObject) =>
  Buffer.from(await objects.get(CALM, object, SIZE_MAX)).toString();

test('an object is read once, also by who comes later with the same cache', async () => {
  const listed = await put('{"ulid":1}');
  expect(await text(await open(), listed)).toBe('{"ulid":1}');
  await settle();
  expect(await text(await open(), listed)).toBe('{"ulid":1}');
  expect(reads).toBe(1);
});

test('one that was written anew is read anew as soon as a listing shows it', async () => {
  const objects = await open();
  const before = await put('{"ulid":1}');
  await text(objects, before);
  await settle();
  const larger = await put('{"ulid":1,"deletions":[]}');
  expect(await text(objects, larger)).toBe('{"ulid":1,"deletions":[]}');
  await settle();
  const later = { ...(await put('{"ulid":2,"deletions":[]}')), modifiedMs: larger.modifiedMs + 1000 };
  expect(await text(objects, later)).toBe('{"ulid":2,"deletions":[]}');
  expect(reads).toBe(3);
});

test('what was written anew since the listing is given, and not kept as what was listed', async () => {
  const listed = await put('{"ulid":1}');
  await put('{"ulid":1,"deletions":[]}');
  expect(await text(await open(), listed)).toBe('{"ulid":1,"deletions":[]}');
  await settle();
  await put('{"ulid":1}');
  expect(await text(await open(), listed)).toBe('{"ulid":1}');
  expect(reads).toBe(2);
});

test('callers at once share a read, and one that is cancelled takes nobody along', async () => {
  const listed = await put('{"ulid":1}');
  const get = store.get.bind(store);
  store.get = async (...args) => {
    await settle();
    return get(...args);
  };
  const objects = await open();
  expect(await Promise.all([1, 2, 3].map(() => text(objects, listed)))).toHaveLength(3);
  expect(reads).toBe(1);
  const controller = new AbortController();
  const other = { ...listed, modifiedMs: 1 };
  const cancelled = objects.get(controller, other, SIZE_MAX);
  const waiting = text(objects, other);
  controller.abort();
  await expect(cancelled).rejects.toMatchObject({ code: 'canceled' });
  expect(await waiting).toBe('{"ulid":1}');
});

test('large objects are not kept, and a cache that lies is not believed', async () => {
  const listed = await put('{"ulid":1}');
  const small = await open(memory, { ...CACHING_RULES, metaBytesMax: 9 });
  await text(small, listed);
  await settle();
  await text(small, listed);
  expect(reads).toBe(2);
  const lying: Cache = {
    getMany: async (keys) => new Map(keys.map((key) => [key, Buffer.from('0000{"ulid":9}')])),
    set: async () => {},
    close: async () => {},
  };
  expect(await text(await open(lying), listed)).toBe('{"ulid":1}');
});

test('an object that is gone or larger than wanted is told as by the bucket', async () => {
  const listed = await put('{"ulid":1}');
  await expect((await open()).get(CALM, listed, 5)).rejects.toMatchObject({ code: 'too_large' });
  await store.delete(CALM, KEY);
  await expect((await open()).get(CALM, listed, SIZE_MAX)).rejects.toMatchObject({ code: 'not_found' });
});

test('without a cache that others see they are kept in a folder, and found there at the next start', async () => {
  const disk = new MemoryDisk();
  const listed = await put('{"ulid":1}');
  for (const options of [
    undefined,
    { type: 'IN-MEMORY', config: { sizeBytesMax: 1, itemBytesMax: 1 }, rules: CACHING_RULES } as const,
  ]) {
    const objects = listedObjects(store, options, 'metas', { disk, clock, log: silentLogger });
    await objects.start();
    expect(await text(objects, listed)).toBe('{"ulid":1}');
    await settle();
    await objects.stop();
  }
  expect(reads).toBe(1);
  disk.faults.readOnly = true;
  const closed = listedObjects(store, undefined, 'elsewhere', { disk, clock, log: silentLogger });
  await closed.start();
  expect(await text(closed, listed)).toBe('{"ulid":1}');
  expect(reads).toBe(2);
});

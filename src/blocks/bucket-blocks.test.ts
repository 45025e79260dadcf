import { beforeEach, expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { type Logger, silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BucketBlocks } from './bucket-blocks.ts';

const HOUR_MS = 3_600_000;
let nowMs: number;
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
let store: MemoryBucket;
let reads: string[];
let warnings: unknown[];
let metrics: Metrics;
let bucket: FailingBucket;

beforeEach(() => {
  nowMs = 1_700_000_000_000;
  store = new MemoryBucket(clock);
  bucket = new FailingBucket(store, new SeededRandom(1), clock);
  const get = bucket.get.bind(bucket);
  reads = [];
  bucket.get = (ctx, key, max) => {
    reads.push(key);
    return get(ctx, key, max);
  };
  warnings = [];
  metrics = new Metrics();
});

function open(blocksMax?: number): BucketBlocks {
  const log: Logger = { ...silentLogger, warn: (_, fields) => void warnings.push(fields) };
  return new BucketBlocks(
    { ignoreDeletionMarksDelayMs: 6 * HOUR_MS, blocksMax },
    { bucket, clock, log, metrics },
  );
}

const ulid = (i: number) => `01HQ000000000000000000000${i}`;
const put = (key: string, value: unknown) =>
  store.upload(CALM, key, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

async function putBlock(i: number, tenant = 'acme'): Promise<string> {
  const id = ulid(i);
  await put(`${tenant}/${id}/chunks/000001`, 'cc');
  await put(`${tenant}/${id}/index`, 'iii');
  await put(`${tenant}/${id}/meta.json`, { ulid: id, minTime: 10 - i, maxTime: 20, version: 1 });
  return id;
}

const gauge = async (state: string) =>
  (await metrics.registry.metrics()).match(
    `verona_blocks_meta_synced{tenant="acme",state="${state}"} (\\d+)`,
  )?.[1];

test('blocks come oldest first with their sizes, and each meta.json is read once', async () => {
  const [a, b] = [await putBlock(1), await putBlock(2)];
  const blocks = open();
  expect(blocks.blocks('acme')).toEqual([]);
  const found = await blocks.refresh(CALM, 'acme');
  expect(found.map(({ meta }) => meta.ulid)).toEqual([b, a]);
  expect(found[0].sizes.get('chunks/000001')).toBe(2);
  expect(found[0].sizes.get('index')).toBe(3);
  const c = await putBlock(3);
  await blocks.refresh(CALM, 'acme');
  expect(blocks.blocks('acme').map(({ meta }) => meta.ulid)).toEqual([c, b, a]);
  expect(reads).toHaveLength(3);
});

test('a block is held when a refresh found it, or one that was made of it', async () => {
  const id = await putBlock(1);
  const blocks = open();
  expect(blocks.holds('acme', id)).toBe(false);
  await blocks.refresh(CALM, 'acme');
  expect(blocks.holds('acme', id)).toBe(true);
  expect(blocks.holds('other', id)).toBe(false);
  const compaction = { level: 2, sources: [ulid(3), ulid(4)] };
  await put(`acme/${ulid(5)}/meta.json`, { ulid: ulid(5), minTime: 1, maxTime: 20, version: 1, compaction });
  await blocks.refresh(CALM, 'acme');
  expect([3, 4, 5, 6].map((i) => blocks.holds('acme', ulid(i)))).toEqual([true, true, true, false]);
});

test('tenants are the folders that are not marked as internal', async () => {
  await putBlock(1, 'b');
  await putBlock(1, 'a');
  await put('__markers__/a/x', 'x');
  await put('user-index.json.gz', 'x');
  expect(await open().tenants(CALM)).toEqual(['a', 'b']);
});

test('partial uploads are skipped and counted, and seen when they are complete', async () => {
  await put(`acme/${ulid(1)}/index`, 'iii');
  await put('acme/bucket-index.json.gz', 'x');
  await put('acme/not-a-block/meta.json', '{}');
  const blocks = open();
  expect(await blocks.refresh(CALM, 'acme')).toEqual([]);
  expect(await gauge('partial')).toBe('1');
  await putBlock(1);
  expect(await blocks.refresh(CALM, 'acme')).toHaveLength(1);
  expect(await gauge('partial')).toBe('0');
  expect(await gauge('loaded')).toBe('1');
});

test('a broken meta.json is a warning once and a number, and is read again when it is replaced', async () => {
  await putBlock(2);
  await put(`acme/${ulid(1)}/meta.json`, '{"version":1,');
  const blocks = open();
  for (let i = 0; i < 3; i++) expect(await blocks.refresh(CALM, 'acme')).toHaveLength(1);
  expect(warnings).toHaveLength(1);
  expect(await gauge('corrupted')).toBe('1');
  await putBlock(1);
  expect(await blocks.refresh(CALM, 'acme')).toHaveLength(2);
});

test.each([`${ulid(1)}/deletion-mark.json`, `markers/${ulid(1)}-deletion-mark.json`])(
  'a block marked by %s is read until the delay is over',
  async (path) => {
    await putBlock(1);
    await put(`acme/${path}`, { id: ulid(1), version: 1, deletion_time: nowMs / 1000 });
    const blocks = open();
    const [found] = await blocks.refresh(CALM, 'acme');
    expect(found.deletedMs).toBe(nowMs);
    nowMs += 6 * HOUR_MS - 1;
    expect(await blocks.refresh(CALM, 'acme')).toHaveLength(1);
    nowMs += 1;
    expect(await blocks.refresh(CALM, 'acme')).toEqual([]);
    expect(await gauge('marked-for-deletion')).toBe('1');
    expect(reads.filter((key) => key.includes('mark'))).toHaveLength(1);
  },
);

test('a mark that cannot be read, or is of another block, does not hide the block', async () => {
  await putBlock(1);
  await putBlock(2);
  await put(`acme/${ulid(1)}/deletion-mark.json`, 'garbage');
  await put(`acme/${ulid(2)}/deletion-mark.json`, { id: ulid(1), version: 1, deletion_time: 1 });
  expect(await open().refresh(CALM, 'acme')).toHaveLength(2);
  expect(warnings).toHaveLength(1);
});

test('a bucket that fails leaves the last view', async () => {
  await putBlock(1);
  const blocks = open();
  await blocks.refresh(CALM, 'acme');
  await putBlock(2);
  bucket.faults = { ...NO_FAULTS, errors: 1 };
  await expect(blocks.refresh(CALM, 'acme')).rejects.toMatchObject({ code: 'unavailable' });
  expect(blocks.blocks('acme')).toHaveLength(1);
});

test('deleted blocks vanish, and the number of blocks has a limit', async () => {
  await putBlock(1);
  await putBlock(2);
  const blocks = open(2);
  await blocks.refresh(CALM, 'acme');
  for (const file of ['meta.json', 'index', 'chunks/000001'])
    await store.delete(CALM, `acme/${ulid(1)}/${file}`);
  expect(await blocks.refresh(CALM, 'acme')).toHaveLength(1);
  await putBlock(1);
  await putBlock(3);
  await expect(blocks.refresh(CALM, 'acme')).rejects.toMatchObject({ code: 'limit' });
});

import { beforeEach, expect, test } from 'vitest';
import { CALM, collect } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockCatalog } from './block-catalog.ts';
import { BlockMarker } from './block-marker.ts';
import { BucketSync } from './bucket-sync.ts';
import { DeletedTenants } from './deleted-tenants.ts';
import { DeletionRequests } from './deletion-requests.ts';
import { blockRef } from './layout.ts';

const ULID = '01HQ0000000000000000000001';
let nowMs: number;
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
let bucket: MemoryBucket;
let marker: BlockMarker;

beforeEach(async () => {
  nowMs = 1_700_000_000_500;
  bucket = new MemoryBucket(clock);
  marker = new BlockMarker({ bucket, clock, log: silentLogger });
  for (const folder of [`acme/${ULID}`, ULID])
    for (const file of ['chunks/000001', 'chunks/000002', 'index'])
      await bucket.upload(CALM, `${folder}/${file}`, new Uint8Array(3));
  const meta = Buffer.from(JSON.stringify({ ulid: ULID, minTime: 1, maxTime: 2, version: 1 }));
  for (const folder of [`acme/${ULID}`, ULID]) await bucket.upload(CALM, `${folder}/meta.json`, meta);
});

const keys = async () => (await collect(bucket.list(CALM, '', { recursive: true }))).map(({ key }) => key);
const json = async (key: string) => JSON.parse(Buffer.from(await bucket.get(CALM, key)).toString());
const own = blockRef('acme', ULID);
const root = blockRef('acme', ULID, 'root');

test('a mark has a copy in markers/ in Cortex’ layout and none in Thanos’', async () => {
  await marker.mark(CALM, own, 'no-compact', { reason: 'index-size-exceeding', details: 'too large' });
  const mark = {
    id: ULID,
    version: 1,
    details: 'too large',
    no_compact_time: 1_700_000_000,
    reason: 'index-size-exceeding',
  };
  expect(await json(`acme/${ULID}/no-compact-mark.json`)).toEqual(mark);
  expect(await json(`acme/markers/${ULID}-no-compact-mark.json`)).toEqual(mark);
  const before = await keys();
  await marker.mark(CALM, root, 'deletion', { details: 'why' });
  expect(await json(`${ULID}/deletion-mark.json`)).toEqual({
    id: ULID,
    version: 1,
    details: 'why',
    deletion_time: 1_700_000_000,
  });
  expect(await keys()).toHaveLength(before.length + 1);
  await marker.unmark(CALM, root, 'deletion');
  await marker.unmark(CALM, own, 'no-compact');
  expect((await keys()).filter((key) => key.includes('mark'))).toEqual([]);
});

test('a block that is marked keeps its time, and a mark that cannot be read is replaced', async () => {
  await marker.mark(CALM, own, 'deletion');
  nowMs += 10_000;
  await marker.mark(CALM, own, 'deletion');
  expect(await json(`acme/${ULID}/deletion-mark.json`)).toMatchObject({ deletion_time: 1_700_000_000 });
  await bucket.upload(CALM, `acme/${ULID}/deletion-mark.json`, Buffer.from('{"id":'));
  await marker.mark(CALM, own, 'deletion');
  expect(await json(`acme/${ULID}/deletion-mark.json`)).toMatchObject({ deletion_time: 1_700_000_010 });
});

test('a mark whose copy was never stored is found by a full listing and gets it, with its time', async () => {
  const catalog = new BlockCatalog(
    { ignoreDeletionMarksDelayMs: 0 },
    { bucket, clock, log: silentLogger, metrics: new Metrics() },
  );
  const halves = async () => (await catalog.refresh(CALM, 'acme', { full: true })).halfMarks;
  const copy = `acme/markers/${ULID}-deletion-mark.json`;
  await marker.mark(CALM, own, 'deletion');
  expect(await halves()).toEqual([]);
  await bucket.delete(CALM, copy);
  nowMs += 10_000;
  expect(await halves()).toEqual([{ ref: own, kind: 'deletion' }]);
  await marker.complete(CALM, own, 'deletion');
  expect(await json(copy)).toEqual(await json(`acme/${ULID}/deletion-mark.json`));
  expect(await halves()).toEqual([]);
  await marker.mark(CALM, root, 'deletion');
  await marker.complete(CALM, root, 'deletion');
  expect((await keys()).filter((key) => key.includes('markers/'))).toEqual([copy]);
});

test('a mark that is taken away while its copy is stored leaves no copy', async () => {
  await marker.mark(CALM, own, 'no-compact');
  await bucket.delete(CALM, `acme/markers/${ULID}-no-compact-mark.json`);
  const create = bucket.create.bind(bucket);
  bucket.create = async (...args) => {
    await create(...args);
    await marker.unmark(CALM, own, 'no-compact');
    await create(...args);
  };
  await marker.complete(CALM, own, 'no-compact');
  await marker.complete(CALM, own, 'no-compact');
  expect((await keys()).filter((key) => key.includes('mark'))).toEqual([]);
});

test('a quarantined block is still read unless it is hidden', async () => {
  const catalog = new BlockCatalog(
    { ignoreDeletionMarksDelayMs: 0 },
    { bucket, clock, log: silentLogger, metrics: new Metrics() },
  );
  await marker.quarantine(CALM, own, { reason: 'out-of-order chunks', details: 'series 7', hidden: false });
  const { readable } = await catalog.refresh(CALM, 'acme');
  expect(readable[0].marks.quarantine).toMatchObject({ reason: 'out-of-order chunks', details: 'series 7' });
  await marker.unmark(CALM, own, 'quarantine');
  await marker.quarantine(CALM, own, { reason: 'broken index', details: '', hidden: true });
  expect(await catalog.refresh(CALM, 'acme', { full: true })).toMatchObject({ readable: [], whole: [{}] });
  const deps = { bucket, clock, log: silentLogger, metrics: new Metrics(), random: new SeededRandom(1) };
  const sync = new BucketSync(60_000, {
    ...deps,
    catalog,
    deletions: new DeletionRequests(deps),
    deletedTenants: new DeletedTenants(deps),
  });
  expect(sync.problemOf('acme')).toMatch(/1 blocks in the bucket are set aside/);
  expect(sync.problemOf('other')).toBeUndefined();
});

test('a block is deleted in the order that readers stand, and nothing else is', async () => {
  const deleted: string[] = [];
  const remove = bucket.delete.bind(bucket);
  bucket.delete = (ctx, key) => {
    deleted.push(key.replace(`acme/${ULID}/`, ''));
    return remove(ctx, key);
  };
  await marker.delete(CALM, own);
  expect(deleted[0]).toBe('meta.json');
  expect(deleted.slice(1, 4)).toEqual(['chunks/000001', 'chunks/000002', 'index']);
  expect(deleted.slice(-2)).toEqual(['deletion-mark.json', `acme/markers/${ULID}-deletion-mark.json`]);
  expect(await keys()).toEqual(
    ['chunks/000001', 'chunks/000002', 'index', 'meta.json'].map((file) => `${ULID}/${file}`),
  );
});

test('a deletion that breaks off anywhere is seen as one, and ends when it is done again', async () => {
  const faulty = new FailingBucket(bucket, new SeededRandom(7), clock, {
    ...NO_FAULTS,
    errors: 0.1,
    lostAnswers: 0.1,
  });
  const persistent = new BlockMarker({ bucket: faulty, clock, log: silentLogger });
  let done = false;
  for (let i = 0; i < 200 && !done; i++) {
    done = await persistent.delete(CALM, own).then(
      () => true,
      () => false,
    );
    const left = await keys();
    const marked =
      left.includes(`acme/${ULID}/deletion-mark.json`) ||
      left.includes(`acme/markers/${ULID}-deletion-mark.json`);
    const whole = left.includes(`acme/${ULID}/meta.json`);
    expect(whole || marked || !left.some((key) => key.startsWith('acme/'))).toBe(true);
  }
  expect(done).toBe(true);
  expect((await keys()).filter((key) => key.startsWith('acme/'))).toEqual([]);
});

import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { beforeEach, expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { type Logger, silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockCatalog } from './block-catalog.ts';
import { BlockMarker } from './block-marker.ts';
import { decodeBucketIndex, encodeBucketIndex, readBucketIndex, writeBucketIndex } from './bucket-index.ts';
import { BucketIndexWriter } from './bucket-index-writer.ts';
import { BucketSync } from './bucket-sync.ts';
import { DeletedTenants } from './deleted-tenants.ts';
import { DeletionRequests } from './deletion-requests.ts';

const nowMs = 1_700_000_000_500;
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
let bucket: MemoryBucket;
let reads: string[];
let warnings: string[];
const ulid = (i: number) => `01HQ00000000000000000000${String(i).padStart(2, '0')}`;

beforeEach(async () => {
  bucket = new MemoryBucket(clock);
  for (let i = 0; i < 5; i++) await putBlock(i);
  const get = bucket.get.bind(bucket);
  reads = [];
  warnings = [];
  bucket.get = (ctx, key, max) => {
    reads.push(key);
    return get(ctx, key, max);
  };
});

async function putBlock(i: number, maxTime = 20, resolution = 0): Promise<void> {
  const thanos = {
    downsample: { resolution },
    labels: { __org_id__: 'acme' },
    files: [
      { rel_path: 'chunks/000001', size_bytes: 2 },
      { rel_path: 'index', size_bytes: 3 },
      { rel_path: 'meta.json' },
    ],
    rewrites: [{ deletions_applied: [{ request_id: 'r' }] }],
  };
  const meta = {
    ulid: ulid(i),
    minTime: i,
    maxTime,
    version: 1,
    compaction: { level: 2, sources: [ulid(i)] },
    thanos,
  };
  await bucket.upload(CALM, `acme/${ulid(i)}/chunks/000001`, Buffer.from('cc'));
  await bucket.upload(CALM, `acme/${ulid(i)}/index`, Buffer.from('iii'));
  await bucket.upload(CALM, `acme/${ulid(i)}/meta.json`, Buffer.from(JSON.stringify(meta)));
}

const log: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) };
const catalog = () =>
  new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, { bucket, clock, log, metrics: new Metrics() });

async function written() {
  const view = await catalog().refresh(CALM, 'acme');
  await writeBucketIndex(CALM, bucket, 'acme', view.whole, nowMs);
  reads.length = 0;
  return view;
}

test('what Cortex reads of a block is in the index, by its names and units', async () => {
  await new BlockMarker({ bucket, clock, log }).mark(
    CALM,
    { tenant: 'acme', ulid: ulid(1), layout: 'tenant', folder: `acme/${ulid(1)}` },
    'deletion',
  );
  const { whole } = await written();
  const { gunzipSync } = await import('node:zlib');
  const index = JSON.parse(gunzipSync(await bucket.get(CALM, 'acme/bucket-index.json.gz')).toString());
  expect(index).toMatchObject({
    version: 1,
    updated_at: 1_700_000_000,
    block_deletion_marks: [{ block_id: ulid(1), deletion_time: 1_700_000_000 }],
  });
  expect(index.blocks).toHaveLength(whole.length);
  expect(index.blocks[0]).toMatchObject({
    block_id: ulid(0),
    min_time: 0,
    max_time: 20,
    segments_format: '1b6d',
    segments_num: 1,
    uploaded_at: 1_700_000_000,
    compaction_level: 2,
  });
});

test('downsampled blocks stand apart, where Cortex does not take them for raw ones, and are read from there', async () => {
  await putBlock(8, 20, 300_000);
  const { whole } = await written();
  expect(whole).toHaveLength(6);
  const { gunzipSync } = await import('node:zlib');
  const index = JSON.parse(gunzipSync(await bucket.get(CALM, 'acme/bucket-index.json.gz')).toString());
  expect(index.blocks).toHaveLength(5);
  expect(index.verona_coarser).toMatchObject([{ block_id: ulid(8) }]);
  reads.length = 0;
  expect((await catalog().refresh(CALM, 'acme')).whole).toEqual(whole);
  expect(reads).toEqual(['acme/bucket-index.json.gz']);
});

test('a start with an index reads it and no meta.json that has not changed since', async () => {
  const before = await written();
  await putBlock(2, 3000);
  await putBlock(7);
  const view = await catalog().refresh(CALM, 'acme');
  expect(reads.sort()).toEqual(
    [ulid(2), ulid(7)]
      .map((id) => `acme/${id}/meta.json`)
      .concat('acme/bucket-index.json.gz')
      .sort(),
  );
  expect(view.whole.map(({ meta }) => meta.maxt)).toEqual([20, 20, 3000, 20, 20, 20]);
  expect(view.whole[0]).toEqual(before.whole[0]);
});

test('an index that is broken or of another program costs requests, nothing else', async () => {
  await written();
  for (const data of [
    Buffer.from('garbage'),
    gzipSync('{"blocks": 7}'),
    gzipSync(JSON.stringify({ version: 2, blocks: [{ block_id: ulid(0) }] })),
  ]) {
    await bucket.upload(CALM, 'acme/bucket-index.json.gz', data);
    expect((await catalog().refresh(CALM, 'acme')).whole).toHaveLength(5);
  }
  expect(warnings).toEqual(['a bucket index is not used', 'a bucket index is not used']);
});

test('no index is no error', async () => {
  expect(await readBucketIndex(CALM, bucket, 'nobody')).toBeUndefined();
});

test('it is written by the sync, at its interval', async () => {
  const metrics = new Metrics();
  const deletions = new DeletionRequests({ bucket, clock, random: new SeededRandom(1), log, metrics });
  const sync = new BucketSync(60_000, {
    catalog: catalog(),
    deletions,
    deletedTenants: new DeletedTenants({ bucket, clock, log }),
    clock,
    log,
    metrics,
    index: new BucketIndexWriter(1000, { bucket, clock, log }),
  });
  await sync.start();
  expect((await readBucketIndex(CALM, bucket, 'acme'))?.metas.size).toBe(5);
  await sync.stop();
});

test('mutated indexes decode or are corrupt', async () => {
  const { whole } = await catalog().refresh(CALM, 'acme');
  const bytes = await encodeBucketIndex(whole, nowMs);
  const decodes = async (data: Uint8Array) =>
    decodeBucketIndex(data, 'i').catch((error) => expect(error).toMatchObject({ code: 'corrupt' }));
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(255), async (at, byte) => {
      const mutated = bytes.slice();
      mutated[at] = byte;
      await decodes(mutated);
    }),
    { numRuns: 200 },
  );
  await fc.assert(
    fc.asyncProperty(fc.json(), async (json) => void (await decodes(gzipSync(json)))),
    { numRuns: 200 },
  );
});

import { expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { type Clock, SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { HandClock } from '../platform/testdata/hand-clock.ts';
import { BlockCatalog } from './block-catalog.ts';
import { BucketSync } from './bucket-sync.ts';
import { DeletedTenants } from './deleted-tenants.ts';
import { DeletionRequests } from './deletion-requests.ts';

const ULID = '01HQ0000000000000000000001';
const META = { ulid: ULID, minTime: 0, maxTime: 7_200_000, version: 1, stats: {}, compaction: {} };

async function bucketWithBlock(clock: Clock): Promise<MemoryBucket> {
  const bucket = new MemoryBucket(clock);
  await bucket.upload(CALM, `acme/${ULID}/meta.json`, new TextEncoder().encode(JSON.stringify(META)));
  await bucket.upload(CALM, `acme/${ULID}/index`, new TextEncoder().encode('index'));
  return bucket;
}

function syncOver(bucket: Bucket, clock: Clock, metrics = new Metrics()): BucketSync {
  const deps = { bucket, clock, random: new SeededRandom(1), log: silentLogger, metrics };
  return new BucketSync(60_000, {
    ...deps,
    catalog: new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps),
    deletions: new DeletionRequests(deps),
    deletedTenants: new DeletedTenants(deps),
  });
}

test('after a start without the bucket answers lack something until the blocks of the tenant are listed, not only the tenants', async () => {
  const clock = new SystemClock();
  const inner = await bucketWithBlock(clock);
  const bucket = new FailingBucket(inner, new SeededRandom(1), clock, { ...NO_FAULTS, errors: 1 });
  const sync = syncOver(bucket, clock);
  await sync.start();
  expect(sync.problemOf('acme')).toMatch(/cannot be listed/);

  bucket.faults = { ...NO_FAULTS, delays: 1, delayMsMax: 5 };
  let done = false;
  const looking = sync.lookAgain().finally(() => {
    done = true;
  });
  while (!done) {
    if (sync.blocksOf('acme').length === 0) expect(sync.problemOf('acme')).toMatch(/cannot be listed/);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await looking;
  expect(sync.blocksOf('acme')).toHaveLength(1);
  expect(sync.problemOf('acme')).toBeUndefined();
  await sync.stop();
});

test('a look that hangs makes answers say how old what they know is', async () => {
  const clock = new HandClock(1_700_000_000_000);
  const store = await bucketWithBlock(clock);
  const list = store.list.bind(store);
  let hangs = false;
  store.list = async function* (ctx, prefix, options) {
    if (hangs) await new Promise(() => {});
    yield* list(ctx, prefix, options);
  };
  const metrics = new Metrics();
  const sync = syncOver(store, clock, metrics);
  await sync.start();
  expect(await metrics.registry.metrics()).toContain(
    'verona_blocks_last_successful_sync_timestamp_seconds 1700000000\n',
  );
  hangs = true;
  await clock.pass(60_000);
  expect(sync.problemOf('acme')).toBeUndefined();
  await clock.pass(5 * 60_000);
  expect(sync.problemOf('acme')).toMatch(/last looked at 6 minutes ago/);
  expect(sync.problemOf('other')).toBeUndefined();
});

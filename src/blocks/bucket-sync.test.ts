import { expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockCatalog } from './block-catalog.ts';
import { BucketSync } from './bucket-sync.ts';
import { DeletedTenants } from './deleted-tenants.ts';
import { DeletionRequests } from './deletion-requests.ts';

const ULID = '01HQ0000000000000000000001';
const META = { ulid: ULID, minTime: 0, maxTime: 7_200_000, version: 1, stats: {}, compaction: {} };

test('after a start without the bucket answers lack something until the blocks of the tenant are listed, not only the tenants', async () => {
  const clock = new SystemClock();
  const inner = new MemoryBucket(clock);
  await inner.upload(CALM, `acme/${ULID}/meta.json`, new TextEncoder().encode(JSON.stringify(META)));
  await inner.upload(CALM, `acme/${ULID}/index`, new TextEncoder().encode('index'));
  const bucket = new FailingBucket(inner, new SeededRandom(1), clock, { ...NO_FAULTS, errors: 1 });
  const deps = { bucket, clock, random: new SeededRandom(1), log: silentLogger, metrics: new Metrics() };
  const sync = new BucketSync(60_000, {
    ...deps,
    catalog: new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps),
    deletions: new DeletionRequests(deps),
    deletedTenants: new DeletedTenants(deps),
  });
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

import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlockCatalog } from '../../blocks/block-catalog.ts';
import { BucketSync } from '../../blocks/bucket-sync.ts';
import { DeletedTenants } from '../../blocks/deleted-tenants.ts';
import { DeletionRequests } from '../../blocks/deletion-requests.ts';
import { FailingBucket, NO_FAULTS } from '../../objstore/failing-bucket.ts';
import { MemoryBucket } from '../../objstore/memory-bucket.ts';
import { type Clock, SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { SeededRandom } from '../../platform/random.ts';
import { TenantShipper } from './tenant-shipper.ts';

const BLOCKS = join(import.meta.dirname, '../../store-gateway/testdata');
const [FIRST, SECOND] = readdirSync(BLOCKS).filter((name) => !name.endsWith('.md'));
const system = new SystemClock();
/** Waits before another attempt are over at once; rounds come only when asked for. */
const clock: Clock = {
  now: () => system.now(),
  monotonic: () => system.monotonic(),
  after: (ms, run) => (ms < 60_000 ? system.after(0, run) : () => {}),
};

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'shipper-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

test('all that is finished is in the bucket and listed, also what was finished during a round', async () => {
  const { shipper, sync } = await start();
  addBlock(FIRST);
  shipper.wake();
  addBlock(SECOND);
  await shipper.shipAll();
  expect([FIRST, SECOND].map((ulid) => shipper.isSafe(ulid))).toEqual([true, true]);
  expect(sync.blocksOf('acme')).toHaveLength(2);
  await shipper.stop();
});

test('a bucket that takes nothing is told to who asked', async () => {
  const { shipper, bucket } = await start();
  bucket.faults = { ...NO_FAULTS, errors: 1 };
  addBlock(FIRST);
  await expect(shipper.shipAll()).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining(`blocks ${FIRST} of tenant acme are not in the bucket`),
  });
  bucket.faults = NO_FAULTS;
  await shipper.shipAll();
  expect(shipper.isSafe(FIRST)).toBe(true);
  await shipper.stop();
});

function addBlock(ulid: string): void {
  cpSync(join(BLOCKS, ulid), join(dir, ulid), { recursive: true });
}

async function start() {
  const random = new SeededRandom(1);
  const bucket = new FailingBucket(new MemoryBucket(clock), random, clock);
  const deps = { bucket, clock, random, log: silentLogger, metrics: new Metrics(), disk: new NodeDisk() };
  const deletions = new DeletionRequests(deps);
  const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps);
  const deletedTenants = new DeletedTenants(deps);
  const sync = new BucketSync(60_000, { ...deps, catalog, deletions, deletedTenants });
  const shipper = await TenantShipper.start(
    { tenant: 'acme', dir },
    { ...deps, bucketSync: sync, deletions, intervalMs: 60_000 },
  );
  return { shipper, sync, bucket };
}

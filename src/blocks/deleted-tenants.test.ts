import { beforeEach, expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockCatalog } from './block-catalog.ts';
import { BucketSync } from './bucket-sync.ts';
import { DeletedTenants } from './deleted-tenants.ts';
import { DeletionRequests } from './deletion-requests.ts';
import { readTenantDeletion, removeTenantDeletion, writeTenantDeletion } from './tenant-deletion.ts';

const clock = new SystemClock();
const ULID = '01HQ0000000000000000000001';
const META = JSON.stringify({
  ulid: ULID,
  minTime: 0,
  maxTime: 7_200_000,
  version: 1,
  stats: {},
  compaction: {},
});
let bucket: MemoryBucket;

beforeEach(async () => {
  bucket = new MemoryBucket(clock);
  await put(`acme/${ULID}/meta.json`, META);
  await put(`acme/${ULID}/index`, 'index');
});

function put(key: string, text: string): Promise<void> {
  return bucket.upload(CALM, key, new TextEncoder().encode(text));
}

/** A process that looks into the bucket, with what it dropped. */
function processOn(disk = new MemoryDisk(), reached: FailingBucket | MemoryBucket = bucket) {
  const deps = {
    bucket: reached,
    clock,
    random: new SeededRandom(1),
    log: silentLogger,
    metrics: new Metrics(),
  };
  const dropped: string[] = [];
  const sync = new BucketSync(60_000, {
    ...deps,
    catalog: new BlockCatalog({ ignoreDeletionMarksDelayMs: 0, fullListingIntervalMs: 0 }, deps),
    deletions: new DeletionRequests(deps),
    deletedTenants: new DeletedTenants({ ...deps, memory: { disk, path: 'deleted.json' } }),
    onTenantDeleted: async (tenant) => void dropped.push(tenant),
  });
  return { sync, dropped };
}

test('the mark is Cortex’ own, in seconds, and a second request leaves it as it is', async () => {
  const { sync } = processOn();
  await sync.start();
  expect(sync.blocksOf('acme')).toHaveLength(1);
  await sync.deleteTenant(CALM, 'acme');
  const key = '__markers__/acme/tenant-deletion-mark.json';
  const text = new TextDecoder().decode(await bucket.get(CALM, key));
  expect(text).toMatch(/^\{"deletion_time":\d{10}\}$/);
  await writeTenantDeletion(CALM, bucket, 'acme', { requestedMs: 7000, finishedMs: 9000 });
  await sync.deleteTenant(CALM, 'acme');
  expect(await readTenantDeletion(CALM, bucket, 'acme')).toEqual({ requestedMs: 7000, finishedMs: 9000 });
  await sync.stop();
});

test('blocks of a marked tenant are shown no more, at once here and after a look elsewhere, until the mark is gone', async () => {
  const [here, there] = [processOn(), processOn()];
  await here.sync.start();
  await there.sync.start();
  await here.sync.deleteTenant(CALM, 'acme');
  expect(here.sync.blocksOf('acme')).toEqual([]);
  expect(here.sync.knownTenants).toEqual([]);
  expect(here.dropped).toEqual(['acme']);
  expect(() => here.sync.checkTenant('acme')).toThrow(/tenant acme is being deleted/);
  expect(there.sync.blocksOf('acme')).toHaveLength(1);
  await there.sync.lookAgain();
  expect(there.sync.blocksOf('acme')).toEqual([]);
  expect(there.dropped).toEqual(['acme']);
  await removeTenantDeletion(CALM, bucket, 'acme');
  await there.sync.lookAgain();
  expect(there.sync.blocksOf('acme')).toHaveLength(1);
  there.sync.checkTenant('acme');
  await Promise.all([here.sync.stop(), there.sync.stop()]);
});

test('a mark in the tenant’s own folder, where older Cortex and Mimir have it, holds as well', async () => {
  const { sync, dropped } = processOn();
  await put('acme/markers/tenant-deletion-mark.json', '{"deletion_time":1700000000}');
  await sync.start();
  expect(sync.blocksOf('acme')).toEqual([]);
  expect(dropped).toContain('acme');
  expect(await readTenantDeletion(CALM, bucket, 'acme')).toEqual({
    requestedMs: 1_700_000_000_000,
    finishedMs: undefined,
  });
  await removeTenantDeletion(CALM, bucket, 'acme');
  await sync.lookAgain();
  await sync.lookAgain();
  expect(sync.blocksOf('acme')).toHaveLength(1);
  await sync.stop();
});

test('a start while the bucket is away remembers whose deletion is marked', async () => {
  const disk = new MemoryDisk();
  const first = processOn(disk);
  await first.sync.start();
  await first.sync.deleteTenant(CALM, 'acme');
  await first.sync.stop();
  const away = new FailingBucket(bucket, new SeededRandom(1), clock);
  away.faults = { ...NO_FAULTS, errors: 1 };
  const second = processOn(disk, away);
  await second.sync.start();
  expect(() => second.sync.checkTenant('acme')).toThrow(/being deleted/);
  away.faults = NO_FAULTS;
  await removeTenantDeletion(CALM, bucket, 'acme');
  await second.sync.lookAgain();
  second.sync.checkTenant('acme');
  await second.sync.stop();
});

test('a mark that does not decode hides the tenant, and is an error to whoever would delete by it, until it is set anew', async () => {
  await put('__markers__/acme/tenant-deletion-mark.json', '{');
  const { sync } = processOn();
  await sync.start();
  expect(sync.blocksOf('acme')).toEqual([]);
  await expect(readTenantDeletion(CALM, bucket, 'acme')).rejects.toMatchObject({ code: 'corrupt' });
  await sync.deleteTenant(CALM, 'acme');
  expect(await readTenantDeletion(CALM, bucket, 'acme')).toMatchObject({ finishedMs: undefined });
  await sync.stop();
});

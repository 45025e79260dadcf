import { expect, test } from 'vitest';
import { BlockCatalog } from '../../blocks/block-catalog.ts';
import { BucketSync } from '../../blocks/bucket-sync.ts';
import { WasmHeadMemory } from '../../kernel/wasm-head-memory.ts';
import { MemoryBucket } from '../../objstore/memory-bucket.ts';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Metrics } from '../../platform/metrics.ts';
import { SeededRandom } from '../../platform/random.ts';
import { TenantLimits } from '../../tenancy/limits.ts';
import { PageCache } from '../../tsdb/chunks/page-cache.ts';
import { Tenants } from './tenants.ts';

function tenantsOn(disk: MemoryDisk): Tenants {
  const [clock, log, metrics] = [new SystemClock(), silentLogger, new Metrics()];
  const bucket = new MemoryBucket(clock);
  const blocks = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, { bucket, clock, log, metrics });
  return new Tenants(
    {
      dir: 'tsdb',
      tenantsMax: 2,
      blockRangeMs: 7_200_000,
      outOfOrderWindowMs: 0,
      retentionMs: 0,
      retentionBytes: 0,
      wal: {},
    },
    {
      disk,
      clock,
      log,
      metrics,
      random: new SeededRandom(1),
      limits: new TenantLimits(),
      pageCache: new PageCache(1 << 20),
      newMemory: (options) => new WasmHeadMemory(options),
      shipping: { bucket, bucketSync: new BucketSync(blocks, 60_000, clock, log), intervalMs: 60_000 },
    },
  );
}

test('a tenant that could not be opened can be opened when the disk works again', async () => {
  const disk = new MemoryDisk();
  const tenants = tenantsOn(disk);
  await disk.makeDir('tsdb/a');
  await disk.writeFileAtomic('tsdb/a/thanos.shipper.json', new Uint8Array(8));
  disk.faults.fails = (operation, path) => operation === 'read' && path.endsWith('thanos.shipper.json');
  await expect(tenants.open('a')).rejects.toMatchObject({ code: 'unavailable' });
  disk.faults.fails = () => false;
  await tenants.open('a');
  expect(tenants.find('a')).toBeDefined();
  await tenants.stop();
});

test('more tenants than allowed are refused, those there are go on', async () => {
  const tenants = tenantsOn(new MemoryDisk());
  await tenants.open('a');
  await tenants.open('b');
  await expect(tenants.open('c')).rejects.toMatchObject({ code: 'rate_limited' });
  await tenants.open('a');
  await tenants.stop();
});

test('a tenant whose data do not open keeps the others neither from starting nor from answering', async () => {
  const disk = new MemoryDisk();
  const tenants = tenantsOn(disk);
  for (const name of ['a', 'b']) await disk.makeDir(`tsdb/${name}`);
  await disk.writeFileAtomic('tsdb/a/thanos.shipper.json', new Uint8Array(8));
  disk.faults.fails = (operation, path) => operation === 'read' && path.startsWith('tsdb/a/');
  await tenants.start();
  expect(tenants.find('b')).toBeDefined();
  expect(tenants.problemOf('a')).toMatch(/data of this tenant on the local disk cannot be read/);
  expect(tenants.problemOf('b')).toBeUndefined();
  disk.faults.fails = () => false;
  await tenants.open('a');
  expect(tenants.problemOf('a')).toBeUndefined();
  await tenants.stop();
});

test('when no tenant opens the start fails', async () => {
  const disk = new MemoryDisk();
  await disk.makeDir('tsdb/a');
  await disk.writeFileAtomic('tsdb/a/thanos.shipper.json', new Uint8Array(8));
  disk.faults.fails = (operation, path) => operation === 'read' && path.startsWith('tsdb/a/');
  await expect(tenantsOn(disk).start()).rejects.toMatchObject({ code: 'unavailable' });
});

import { BlockCatalog } from '../../../blocks/block-catalog.ts';
import { BucketSync } from '../../../blocks/bucket-sync.ts';
import { DeletedTenants } from '../../../blocks/deleted-tenants.ts';
import { DeletionRequests } from '../../../blocks/deletion-requests.ts';
import { WasmHeadMemory } from '../../../kernel/wasm-head-memory.ts';
import type { Bucket } from '../../../objstore/bucket.ts';
import { MemoryBucket } from '../../../objstore/memory-bucket.ts';
import { SystemClock } from '../../../platform/clock.ts';
import { silentLogger } from '../../../platform/log.ts';
import { MemoryDisk } from '../../../platform/memory-disk.ts';
import { Metrics } from '../../../platform/metrics.ts';
import { SeededRandom } from '../../../platform/random.ts';
import { TenantLimits } from '../../../tenancy/limits.ts';
import { PageCache } from '../../../tsdb/chunks/page-cache.ts';
import { Tenants } from '../tenants.ts';

/** As `systemOn`, the tenants alone. */
export function tenantsOn(disk: MemoryDisk, bucket: Bucket = new MemoryBucket(new SystemClock())): Tenants {
  return systemOn(disk, bucket).tenants;
}

/** The tenants of one process on a disk and a bucket, with what looks into the bucket. Nothing is started. */
export function systemOn(disk: MemoryDisk, bucket: Bucket) {
  const [clock, log, metrics] = [new SystemClock(), silentLogger, new Metrics()];
  const random = new SeededRandom(1);
  const limits = new TenantLimits();
  const deletions = new DeletionRequests({ bucket, clock, random, log, metrics });
  const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, { bucket, clock, log, metrics });
  const deletedTenants = new DeletedTenants({ bucket, clock, log, memory: { disk, path: 'deleted.json' } });
  const bucketSync: BucketSync = new BucketSync(60_000, {
    catalog,
    deletions,
    deletedTenants,
    clock,
    log,
    metrics,
    onTenantDeleted: (tenant) => tenants.drop(tenant),
  });
  const tenants = new Tenants(
    {
      dir: 'tsdb',
      tenantsMax: 2,
      blockRangeMs: 7_200_000,
      outOfOrderWindowMs: 3_600_000,
      retentionMs: 0,
      retentionBytes: 0,
      features: [],
      wal: {},
    },
    {
      disk,
      clock,
      log,
      metrics,
      random,
      limits,
      pageCache: new PageCache(1 << 20),
      newMemory: (options) => new WasmHeadMemory(options),
      shipping: {
        bucket,
        deletions,
        bucketSync,
        intervalMs: 60_000,
      },
    },
  );
  return { tenants, bucketSync, limits };
}


import { join } from 'node:path';
import { BlockCatalog } from '../blocks/block-catalog.ts';
import { BucketIndexWriter } from '../blocks/bucket-index-writer.ts';
import { BucketSync } from '../blocks/bucket-sync.ts';
import { DeletedTenants } from '../blocks/deleted-tenants.ts';
import { DeletionRequests } from '../blocks/deletion-requests.ts';
import type { Config } from '../config/schema.ts';
import { Labels } from '../model/labels.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { ListedObjects } from '../objstore/cache/listed-objects.ts';
import { type BucketOptions, openBucket } from '../objstore/open-bucket.ts';
import { StoreCounts } from '../objstore/store-counts.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import { retainHeaders } from '../store-gateway/header-store.ts';
import { bucketOptionsOf, metasOf } from './bucket-options.ts';
import { catalogOptions } from './catalog-options.ts';

/** What a process has of its bucket. */
export interface BucketSide {
  readonly options: BucketOptions;
  readonly bucket: Bucket;
  /** For other threads that open the bucket. */
  readonly counts: StoreCounts;
  readonly metas: ListedObjects | undefined;
  readonly catalog: BlockCatalog;
  readonly deletions: DeletionRequests;
  readonly sync: BucketSync;
}

interface BucketSideDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: Metrics;
}

interface BucketEvents {
  /** The blocks of a tenant were listed, and with them the requests for deletion. */
  onListed(tenant: string): Promise<void>;
  onTenantDeleted(tenant: string): Promise<void>;
}

/** Opens the bucket; undefined when there is none. Nothing is listed before `sync` starts. */
export async function openBucketSide(
  config: Config,
  { dataDir, cacheDir }: { dataDir: string; cacheDir: string },
  deps: BucketSideDeps,
  events: BucketEvents,
): Promise<BucketSide | undefined> {
  if (!config.objstore.enabled) return undefined;
  const { disk, clock, log, metrics } = deps;
  const options = bucketOptionsOf(config, dataDir);
  const counts = StoreCounts.shownIn(deps.metrics);
  const bucket = await openBucket(options, { ...deps, counts });
  const deletions = new DeletionRequests({ bucket, ...deps });
  const metas = metasOf(config, bucket, options, join(dataDir, 'cache-metas'), { ...deps, counts });
  const catalog = new BlockCatalog(catalogOptions(config), { bucket, metas, ...deps });
  const dropHeaders = (tenant: string, kept: ReadonlySet<string>) =>
    retainHeaders(disk, cacheDir, tenant, kept).catch((error) =>
      log.warn('cached index-headers were not removed', { tenant, error: String(error) }),
    );
  const memory = { disk, path: join(dataDir, 'verona.deleted-tenants.json') };
  const indexInterval = config.objstore.bucket_index_interval;
  const sync = new BucketSync(config.objstore.sync_interval, {
    catalog,
    deletions,
    deletedTenants: new DeletedTenants({ bucket, clock, log, memory }),
    clock,
    log,
    metrics,
    ...(indexInterval > 0 && { index: new BucketIndexWriter(indexInterval, { bucket, clock, log }) }),
    onListed: async (tenant, blocks) => {
      await events.onListed(tenant);
      await dropHeaders(tenant, new Set(blocks.map(({ meta }) => meta.ulid)));
    },
    onTenantDeleted: async (tenant) => {
      await events.onTenantDeleted(tenant);
      await dropHeaders(tenant, new Set());
    },
  });
  return { options, bucket, counts, metas, catalog, deletions, sync };
}

/** The label sets of the blocks that are known, without doubles. */
export function blockLabels(sync: BucketSync): Labels[] {
  const sets = new Map<string, Labels>();
  for (const tenant of sync.knownTenants)
    for (const { seriesLabels } of sync.blocksOf(tenant)) {
      const labels = Labels.from(seriesLabels ?? {});
      sets.set(labels.key(), labels);
    }
  return [...sets.values()];
}

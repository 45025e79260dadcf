import { join, resolve } from 'node:path';
import { BlockCatalog } from '../blocks/block-catalog.ts';
import { BlockMarker } from '../blocks/block-marker.ts';
import type { BucketIndexWriter } from '../blocks/bucket-index-writer.ts';
import type { DeletionRequests } from '../blocks/deletion-requests.ts';
import { staticAssignment } from '../cluster/static-assignment.ts';
import { BudgetedRunner } from '../compactor/budgeted-runner.ts';
import { Compactor } from '../compactor/compactor.ts';
import { DiskBudget } from '../compactor/disk-budget.ts';
import { ownershipBy } from '../compactor/ownership.ts';
import { compactorPage } from '../compactor/page.ts';
import type { DownsamplingRules } from '../compactor/plan-downsampling.ts';
import type { Retention } from '../compactor/retention.ts';
import type { CompactionRules } from '../compactor/rules.ts';
import { ThreadRunner } from '../compactor/thread-runner.ts';
import type { Config } from '../config/schema.ts';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { ListedObjects } from '../objstore/cache/listed-objects.ts';
import type { BucketOptions } from '../objstore/open-bucket.ts';
import type { StoreCounts } from '../objstore/store-counts.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { startThread } from '../platform/threads.ts';
import type { Service } from '../server/lifecycle.ts';
import type { TenantLimits } from '../tenancy/limits.ts';
import { catalogOptions } from './catalog-options.ts';
import { checkInstance } from './check-instance.ts';
import type { CompactionThreadData } from './compaction-thread.ts';
import { parseSelectorRetention } from './selector-retention.ts';

interface CompactorParts {
  readonly bucket: Bucket;
  readonly counts: StoreCounts;
  readonly metas: ListedObjects | undefined;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly deletions: DeletionRequests;
  /** Writes bucket indexes, where nobody else in the process does. */
  readonly index?: BucketIndexWriter | undefined;
  readonly limits: TenantLimits;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** The compactor of a configuration, with its page. */
export function buildCompactor(
  config: Config,
  bucketOptions: BucketOptions,
  { bucket, counts, metas, disk, clock, deletions, index, limits, log, metrics }: CompactorParts,
): { readonly service: Service; readonly routes: readonly Route[] } {
  const { compactor } = config;
  const { instance, instances } = compactor;
  checkDelays(config);
  const workDir = join(resolve(config.data.dir), 'compactor');
  const data: CompactionThreadData = {
    bucket: bucketOptions,
    counts: counts.memory,
    workDir,
    dedup: compactor.dedup,
  };
  const threads = new ThreadRunner(() =>
    startThread(new URL('./compaction-thread.ts', import.meta.url), data),
  );
  const reserveBytes = compactor.disk_reserve;
  const runner = new BudgetedRunner(threads, new DiskBudget(disk, { dir: workDir, reserveBytes, metrics }));
  const service = new Compactor(
    {
      rules: compactionRules(config),
      cleanup: {
        deletionDelayMs: compactor.deletion_delay,
        partialDelayMs: compactor.partial_upload_delay,
        tenantDelayMs: compactor.tenant_cleanup_delay,
      },
      retentionOf: (tenant) => retentionOf(limits, tenant),
      selectorRetention: parseSelectorRetention(compactor.retention_selectors),
      downsampling: downsamplingRules(config),
      concurrency: compactor.concurrency,
      intervalMs: compactor.interval,
    },
    {
      bucket,
      // Numbers of blocks by state are told by those who read them.
      catalog: new BlockCatalog(catalogOptions(config), {
        bucket,
        metas,
        clock,
        log,
        metrics: new Metrics(),
      }),
      marker: new BlockMarker({ bucket, clock, log }),
      deletions,
      runner,
      ownership: ownershipBy(staticAssignment({ instance, instances, replicationFactor: 1 })),
      index,
      clock,
      log,
      metrics,
    },
  );
  return {
    service: {
      name: service.name,
      start: async () => {
        // What a process that died was working on.
        await disk.remove(workDir);
        await service.start();
      },
      stop: () => service.stop(),
    },
    routes: [
      {
        path: '/compactor',
        methods: ['GET'],
        bodyMax: 0,
        ofAllTenants: true,
        handle: () => ({
          status: 200,
          headers: { 'content-type': 'text/plain; charset=utf-8' },
          body: compactorPage(service.progress, compactor.concurrency, clock.now()),
        }),
      },
    ],
  };
}

export function compactionRules({ compactor }: Config): CompactionRules {
  return {
    rangesMs: compactor.block_ranges.map((text) => parseDuration(text) as number),
    settleMs: compactor.settle_delay,
    replicaLabels: compactor.replica_labels,
    blocksMax: compactor.max_blocks_per_job,
    indexBytesMax: compactor.max_index_size,
    seriesMax: compactor.max_series,
  };
}

/** How long the blocks of a tenant are kept, by its limits. */
export function retentionOf(limits: TenantLimits, tenant: string): Retention {
  const { retentionRaw, retention5m, retention1h } = limits.of(tenant);
  return { rawMs: retentionRaw, fiveMinutesMs: retention5m, oneHourMs: retention1h };
}

export function downsamplingRules({ compactor }: Config): DownsamplingRules | undefined {
  if (!compactor.downsample) return undefined;
  return {
    fiveMinutesAfterMs: compactor.downsample_5m_after,
    oneHourAfterMs: compactor.downsample_1h_after,
  };
}

function checkDelays({ compactor, objstore }: Config): void {
  checkInstance('compactor', compactor);
  if (compactor.deletion_delay < objstore.ignore_deletion_marks_delay)
    throw new VeronaError(
      'bad_data',
      'compactor.deletion_delay: at least objstore.ignore_deletion_marks_delay, else blocks vanish while they are read',
    );
}

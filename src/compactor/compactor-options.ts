import type { BlockCatalog } from '../blocks/block-catalog.ts';
import type { BlockMarker } from '../blocks/block-marker.ts';
import type { BucketIndexWriter } from '../blocks/bucket-index-writer.ts';
import type { DeletionRequests } from '../blocks/deletion-requests.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { TenantCleanupRules } from './cleanup.ts';
import type { JobRunner } from './job-runner.ts';
import type { Ownership } from './ownership.ts';
import type { DownsamplingRules } from './plan-downsampling.ts';
import type { Retention } from './retention.ts';
import type { CompactionRules } from './rules.ts';
import type { SelectorRetention } from './selector-retention.ts';

export interface CompactorOptions {
  readonly rules: CompactionRules;
  readonly cleanup: TenantCleanupRules;
  /** How long a tenant's blocks are kept; asked anew in every round. */
  readonly retentionOf?: (tenant: string) => Retention;
  /** Series that are kept shorter; asked anew in every round. */
  readonly selectorRetention?: readonly SelectorRetention[];
  /** Undefined: nothing is downsampled. */
  readonly downsampling?: DownsamplingRules | undefined;
  /** Jobs at once. */
  readonly concurrency: number;
  /** Between the end of a round and the next, ms. */
  readonly intervalMs: number;
}

export interface CompactorDeps {
  readonly bucket: Bucket;
  readonly catalog: BlockCatalog;
  readonly marker: BlockMarker;
  readonly deletions: DeletionRequests;
  readonly runner: JobRunner;
  readonly ownership: Ownership;
  /** Writes bucket indexes of tenants that are looked after; without it somebody else does. */
  readonly index?: BucketIndexWriter | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

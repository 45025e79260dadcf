import { BlockCatalog } from '../../src/blocks/block-catalog.ts';
import type { RootTenancy } from '../../src/blocks/root-tenancy.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import type { FailingBucket } from '../../src/objstore/failing-bucket.ts';
import type { MemoryBucket } from '../../src/objstore/memory-bucket.ts';
import type { Clock } from '../../src/platform/clock.ts';
import type { Logger } from '../../src/platform/log.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import type { SimulatedClock } from '../clock.ts';
import type { Trace } from '../trace.ts';
import type { HallPlan } from './plan.ts';

/** What outlives processes. */
export interface Hall {
  readonly plan: HallPlan;
  readonly clock: SimulatedClock;
  /** What is really there. */
  readonly ground: MemoryBucket;
  /** How processes reach it. */
  readonly bucket: FailingBucket;
  readonly trace: Trace;
}

export const NO_SIGNAL = { signal: new AbortController().signal };

/** Who has no label owns what lies below the root. */
const ROOT_TENANCY: RootTenancy = {
  tenantLabel: 'tenant_id',
  tenant: 'thanos',
  isTenant: (name) => /^[a-z]+$/.test(name),
};

export function newCatalog({ plan }: Hall, bucket: Bucket, clock: Clock, log: Logger): BlockCatalog {
  const { ignoreDeletionMarksDelayMs, consistencyDelayMs } = plan;
  return new BlockCatalog(
    { ignoreDeletionMarksDelayMs, consistencyDelayMs, rootTenancy: ROOT_TENANCY },
    { bucket, clock, log, metrics: new Metrics() },
  );
}

import type { BucketBlock } from '../blocks/block-catalog.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from '../tsdb/downsample/window.ts';
import type { CompactorJob } from './job.ts';
import { makeJob } from './make-job.ts';
import type { CompactionPlan } from './plan.ts';
import { SourcesAt } from './sources-at.ts';

export interface DownsamplingRules {
  /** A block that no compaction will touch again is downsampled at this age, ms, whatever its span; 0: by span only. */
  readonly fiveMinutesAfterMs: number;
  readonly oneHourAfterMs: number;
}

/** From one resolution to the next, and Thanos' least span of a block for it, ms. */
const STEPS = [
  { from: 0, to: FIVE_MINUTES_MS, spanMs: 40 * 3_600_000, after: 'fiveMinutesAfterMs' },
  { from: FIVE_MINUTES_MS, to: ONE_HOUR_MS, spanMs: 240 * 3_600_000, after: 'oneHourAfterMs' },
] as const;

/**
 * Blocks to make of a coarser resolution. Eligible is one that spans as much as Thanos demands, or is old enough and will
 * not be compacted again; unless all it was made of is there at that resolution, with all changes, or it overlaps others and will be joined with
 * them, since a sample that is in both would count twice.
 */
export function planDownsampling(
  tenant: string,
  blocks: readonly BucketBlock[],
  plan: CompactionPlan,
  rules: DownsamplingRules,
  nowMs: number,
): CompactorJob[] {
  const busy = new Set([
    ...plan.garbage.map(({ block }) => block.meta.ulid),
    ...plan.jobs.flatMap((job) => job.blocks.map(({ ref }) => ref.ulid)),
    ...plan.overlapping.map(({ meta }) => meta.ulid),
  ]);
  const settled = new Set(plan.settled);
  const present = blocks.filter(({ marks }) => !marks.deletion && !marks.quarantine);
  return STEPS.flatMap(({ from, to, spanMs, after }) => {
    const made = new SourcesAt(blocks, to);
    return present
      .filter(({ meta, marks }) => meta.resolutionMs === from && !marks['no-downsample'])
      .filter(({ meta }) => !busy.has(meta.ulid))
      .filter((block) => {
        const { mint, maxt } = block.meta;
        const isOld = rules[after] > 0 && settled.has(block) && nowMs - maxt >= rules[after];
        return maxt - mint >= spanMs || isOld;
      })
      .filter(({ meta }) => !made.hold(meta) || made.lacksChanges(meta))
      .map((block) =>
        makeJob(tenant, [block], [], { kind: 'downsample', resolutionMs: to, shards: 1, replicaLabels: [] }),
      );
  });
}

/** Whether a block will be downsampled at some time, as far as one can tell by its span. */
export function willBeDownsampled({ meta, marks }: BucketBlock, rules: DownsamplingRules): boolean {
  const step = STEPS.find(({ from }) => from === meta.resolutionMs);
  if (!step || marks['no-downsample'] || marks.quarantine) return false;
  return rules[step.after] > 0 || meta.maxt - meta.mint >= step.spanMs;
}

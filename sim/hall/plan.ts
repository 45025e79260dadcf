import type { BlockLayout } from '../../src/blocks/layout.ts';
import type { CleanupRules } from '../../src/compactor/cleanup.ts';
import type { DownsamplingRules } from '../../src/compactor/plan-downsampling.ts';
import type { Retention } from '../../src/compactor/retention.ts';
import type { CompactionRules } from '../../src/compactor/rules.ts';
import type { Random } from '../../src/platform/random.ts';
import type { ReplicaDedup } from '../../src/tsdb/compact/merge-blocks.ts';

export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
/** Midnight, and a bound of every range. */
export const START_MS = 1_700_006_400_000;
export const STEP_MS = 30 * MINUTE_MS;
export const BLOCK_MS = 2 * HOUR_MS;
export const SCRAPE_MS = 15 * MINUTE_MS;

export interface TenantPlan {
  readonly name: string;
  readonly layout: BlockLayout;
  /** Ingesters that each have most of the samples. */
  readonly replicas: number;
  readonly series: number;
}

/** Everything about one history of the hall that its seed decides beforehand. */
export interface HallPlan {
  readonly seed: number;
  readonly tenants: readonly TenantPlan[];
  /** Steps with faults; afterwards none happens. */
  readonly steps: number;
  readonly compactors: number;
  /** Every compactor owns everything for once, as when their number was changed one by one. */
  readonly sharesWork: boolean;
  readonly rules: CompactionRules;
  readonly dedup: ReplicaDedup;
  readonly cleanup: CleanupRules;
  readonly retention: Retention | undefined;
  readonly downsampling: DownsamplingRules | undefined;
  readonly ignoreDeletionMarksDelayMs: number;
  readonly consistencyDelayMs: number;
  readonly compactorIntervalMs: number;
  /** Clocks differ from the bucket's by at most this. */
  readonly skewMs: number;
  /** Chances per step. */
  readonly killChance: number;
  readonly faultChance: number;
  readonly staleLists: boolean;
  readonly deleteChance: number;
  readonly lateChance: number;
  readonly partialChance: number;
  readonly corruptChance: number;
  readonly noCompactChance: number;
  /** That the disk of a compactor fills up. */
  readonly fullDiskChance: number;
  /** The last tenant is deleted at this step; undefined for never. */
  readonly tenantDeletedAt: number | undefined;
}

/** What one seed is about. */
export function hallPlanOf(seed: number, random: Random): HallPlan {
  const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(random.next() * choices.length)];
  const dedup = pick<ReplicaDedup>('one-to-one', 'one-to-one', 'penalty');
  const names = [
    ['blue', 'tenant'],
    ['thanos', 'root'],
    ['green', 'tenant'],
  ] as const;
  const tenants = names.slice(0, pick(1, 2, 2, 3)).map(([name, layout]) => ({
    name,
    layout,
    // The penalty algorithm leaves samples out on purpose where one replica ends.
    replicas: dedup === 'penalty' ? 1 : pick(1, 1, 2),
    series: pick(2, 3, 5),
  }));
  const hours = pick(20, 30, 44, 60);
  const steps = (hours * HOUR_MS) / STEP_MS;
  const ignoreDeletionMarksDelayMs = pick(0, 0.5, 1) * HOUR_MS;
  return {
    seed,
    tenants,
    steps,
    compactors: pick(1, 1, 2, 3),
    sharesWork: random.next() < 0.8,
    rules: rulesOf(pick, random),
    dedup,
    cleanup: {
      deletionDelayMs: ignoreDeletionMarksDelayMs + pick(2, 4) * HOUR_MS,
      partialDelayMs: pick(6, 12) * HOUR_MS,
    },
    retention: random.next() < 0.4 ? retentionOf(pick) : undefined,
    downsampling:
      random.next() < 0.6
        ? { fiveMinutesAfterMs: pick(6, 12) * HOUR_MS, oneHourAfterMs: pick(14, 30) * HOUR_MS }
        : undefined,
    ignoreDeletionMarksDelayMs,
    consistencyDelayMs: random.next() < 0.2 ? Math.min(ignoreDeletionMarksDelayMs, 20 * MINUTE_MS) : 0,
    compactorIntervalMs: pick(20, 45, 90) * MINUTE_MS,
    skewMs: pick(0, 1, 5, 5, 40) * MINUTE_MS,
    killChance: pick(0, 0.05, 0.15),
    faultChance: pick(0, 0.05, 0.1),
    staleLists: random.next() < 0.2,
    deleteChance: pick(0, 0.03, 0.1),
    lateChance: pick(0, 0.05, 0.2),
    partialChance: pick(0, 0.03),
    corruptChance: pick(0, 0, 0.03),
    noCompactChance: pick(0, 0, 0.02),
    // Not by chance, so that histories that once found something stay what they were.
    fullDiskChance: seed % 5 === 2 || seed % 5 === 4 ? 0.3 : 0,
    tenantDeletedAt: random.next() < 0.15 ? Math.floor((0.3 + 0.6 * random.next()) * steps) : undefined,
  };
}

type Pick = <T>(...choices: readonly T[]) => T;

function rulesOf(pick: Pick, random: Random): CompactionRules {
  return {
    rangesMs: pick([2, 12, 24], [2, 8], [2, 6, 12], [2, 4, 8, 16]).map((hours) => hours * HOUR_MS),
    settleMs: pick(0.5, 1, 2) * HOUR_MS,
    replicaLabels: ['replica'],
    blocksMax: pick(3, 8, 64),
    indexBytesMax: 0,
    seriesMax: random.next() < 0.25 ? 2 : 0,
  };
}

function retentionOf(pick: Pick): Retention {
  const rawMs = pick(16, 30) * HOUR_MS;
  return { rawMs, fiveMinutesMs: pick(0, 2 * rawMs), oneHourMs: 0 };
}

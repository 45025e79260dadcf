import type { Random } from '../src/platform/random.ts';
import type { WalFsync } from '../src/tsdb/wal/wal.ts';

export const FAULT_KINDS = [
  'kill',
  'power',
  'restart',
  'diskFull',
  'readOnly',
  'io',
  'slowDisk',
  'bucketErrors',
  'bucketDown',
  'staleLists',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** Everything about one run that its seed decides beforehand. Times ms. */
export interface Plan {
  readonly seed: number;
  readonly tenants: readonly string[];
  readonly seriesPerTenant: number;
  readonly scrapeMs: number;
  /** Steps of `scrapeMs` with faults; afterwards none happens. */
  readonly steps: number;
  readonly memory: 'wasm' | 'plain';
  readonly fsync: WalFsync;
  readonly segmentBytes: number;
  readonly outOfOrderWindowMs: number;
  /** Local retention; 0: blocks stay. */
  readonly retentionMs: number;
  readonly shipping: boolean;
  /** Chance of a new fault per step, and which ones. */
  readonly faultChance: number;
  readonly faults: readonly FaultKind[];
  /** Chance per step that some series give way to new ones, that something is deleted, that a late sample is sent. */
  readonly churnChance: number;
  readonly deleteChance: number;
  readonly lateChance: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;

export function planOf(seed: number, random: Random): Plan {
  const pick = <T>(...choices: readonly T[]): T => choices[Math.floor(random.next() * choices.length)];
  const scrapeMs = pick(1, 2, 2, 5) * MINUTE_MS;
  const hours = 5 + random.next() * 6;
  const shipping = random.next() < 0.85;
  const faults = FAULT_KINDS.filter(
    (kind) => random.next() < (kind === 'staleLists' || kind === 'readOnly' ? 0.2 : 0.6),
  );
  return {
    seed,
    tenants: ['blue', 'green', 'red'].slice(0, pick(1, 2, 2, 3)),
    seriesPerTenant: pick(3, 6, 12),
    scrapeMs,
    steps: Math.round((hours * HOUR_MS) / scrapeMs),
    memory: random.next() < 0.75 ? 'wasm' : 'plain',
    fsync: pick('never', 'interval', 'always'),
    segmentBytes: pick(1, 2, 8) * 32_768,
    outOfOrderWindowMs: pick(0, 0.5, 1, 3) * HOUR_MS,
    retentionMs: shipping ? pick(0, 2, 3, 4) * HOUR_MS : 0,
    shipping,
    faultChance: pick(0.01, 0.03, 0.08),
    faults,
    churnChance: pick(0, 0.01, 0.05),
    deleteChance: pick(0, 0.005, 0.02),
    lateChance: pick(0, 0.1, 0.4),
  };
}

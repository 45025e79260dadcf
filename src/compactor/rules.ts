/** Cortex' and Thanos' levels, ms. */
export const CORTEX_RANGES_MS: readonly number[] = [2, 12, 24].map((hours) => hours * 3_600_000);

/** What a plan follows. Plain data. */
export interface CompactionRules {
  /** Spans that blocks are joined into, ms, ascending, each a multiple of the one before. */
  readonly rangesMs: readonly number[];
  /** A range is compacted this long after its end, and a block that was not compacted yet this long after it was made, ms. */
  readonly settleMs: number;
  /** External labels that tell replicas of the same series apart, and are left out of what is made of them. */
  readonly replicaLabels: readonly string[];
  /** Blocks that one job reads at most. */
  readonly blocksMax: number;
  /** Beyond these a result is split by series: bytes of the sources' indexes, and series. 0: no limit. */
  readonly indexBytesMax: number;
  readonly seriesMax: number;
}

/** Cortex' ingesters mark their blocks with it; the series in them are the same. */
const INGESTER_LABEL = '__ingester_id__';

/** The external labels of what is made of blocks with these. */
export function groupLabels(
  labels: Readonly<Record<string, string>>,
  replicaLabels: readonly string[],
): Readonly<Record<string, string>> {
  const kept = Object.entries(labels).filter(
    ([name]) => name !== INGESTER_LABEL && !replicaLabels.includes(name),
  );
  return Object.fromEntries(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Names the replica that a block is of. */
export function replicaOf(
  labels: Readonly<Record<string, string>>,
  replicaLabels: readonly string[],
): string {
  return JSON.stringify([...replicaLabels].sort().map((name) => labels[name] ?? ''));
}

/** Of `thanos.Aggr`. */
const COUNT = 1;
const SUM = 2;
const MIN = 3;
const MAX = 4;
const COUNTER = 5;

const COUNTERS: ReadonlySet<string> = new Set(['rate', 'irate', 'increase', 'xrate', 'xincrease', 'resets']);

/**
 * The coarsest data that a range can do with, ms; `maxMs` is what is allowed, a range of 0 is none. A function of samples over time
 * needs one sample, others two; with coarser ones the answer would be empty.
 */
export function coarsestFor(func: string, rangeMs: number, maxMs: number): number {
  if (rangeMs <= 0) return maxMs;
  return Math.min(maxMs, Math.floor(rangeMs / (func.endsWith('_over_time') ? 1 : 2)));
}

/** Which parts of downsampled chunks a function wants, by its name as Thanos does it; count and sum make an average. */
export function aggregatesOf(func: string): readonly number[] {
  if (COUNTERS.has(func)) return [COUNTER];
  if (func === 'min' || func.startsWith('min_')) return [MIN];
  if (func === 'max' || func.startsWith('max_')) return [MAX];
  // Thanos asks for counts for `count_values` too, which wants values.
  if (func === 'count' || func === 'count_over_time') return [COUNT];
  return func.startsWith('sum_') ? [SUM] : [COUNT, SUM];
}

/** Cumulative buckets of one classic histogram at one time: upper bounds ascending, distinct, and their counts. */
export interface ClassicBuckets {
  readonly bounds: number[];
  readonly counts: number[];
}

/** Counts that differ relatively by less than this are the same count with float noise. */
const SMALL_DELTA = 1e-12;
const MIN_NORMAL = 2.2250738585072014e-308;

/** Equal bounds become one bucket with the sum of their counts. Bounds ascending. */
export function coalesce(bounds: readonly number[], counts: readonly number[]): ClassicBuckets {
  const merged: ClassicBuckets = { bounds: [], counts: [] };
  for (let i = 0; i < bounds.length; i++) {
    const last = merged.bounds.length - 1;
    if (last >= 0 && merged.bounds[last] === bounds[i]) merged.counts[last] += counts[i];
    else {
      merged.bounds.push(bounds[i]);
      merged.counts.push(counts[i]);
    }
  }
  return merged;
}

/** How far counts had to be raised. */
export interface Correction {
  readonly minBucket: number;
  readonly maxBucket: number;
  readonly maxDifference: number;
}

/** Raises counts that fall below their predecessor, in place; undefined when none fell by more than float noise. */
export function makeMonotonic({ bounds, counts }: ClassicBuckets): Correction | undefined {
  let correction: Correction | undefined;
  for (let i = 1; i < counts.length; i++) {
    const previous = counts[i - 1];
    if (almostEqual(previous, counts[i])) counts[i] = previous;
    else if (counts[i] < previous) {
      const difference = previous - counts[i];
      correction = {
        minBucket: correction?.minBucket ?? bounds[i],
        maxBucket: bounds[i],
        maxDifference: Math.max(correction?.maxDifference ?? 0, difference),
      };
      counts[i] = previous;
    }
  }
  return correction;
}

function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < MIN_NORMAL) return difference < SMALL_DELTA * MIN_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < SMALL_DELTA;
}

/** The q-quantile, linear inside a bucket; NaN without a `+Inf` bucket or without observations. Buckets are coalesced and monotonic. */
export function classicQuantile(q: number, { bounds, counts }: ClassicBuckets): number {
  if (Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const last = bounds.length - 1;
  if (bounds[last] !== Infinity || last < 1) return Number.NaN;
  const observations = counts[last];
  if (observations === 0) return Number.NaN;
  let rank = q * observations;
  const b = firstReaching(rank, counts);
  if (b === last) return bounds[last - 1];
  if (b === 0 && bounds[0] <= 0) return bounds[0];
  let start = 0;
  let count = counts[b];
  if (b > 0) {
    start = bounds[b - 1];
    count -= counts[b - 1];
    rank -= counts[b - 1];
  }
  return start + (bounds[b] - start) * (rank / count);
}

/** The first count of at least `rank`, or else the last: by halving, since that is how NaN among the counts is passed over. */
function firstReaching(rank: number, counts: readonly number[]): number {
  let low = 0;
  let high = counts.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (counts[middle] >= rank) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The share of observations between two values. Buckets are coalesced. */
export function classicFraction(lower: number, upper: number, buckets: ClassicBuckets): number {
  const { bounds, counts } = buckets;
  const last = bounds.length - 1;
  if (bounds[last] !== Infinity) return Number.NaN;
  const observations = counts[last];
  if (observations === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  // Where counts go down a rank may be beyond all observations.
  const rank = (value: number) => Math.min(observations, rankOf(value, buckets));
  return (rank(upper) - rank(lower)) / observations;
}

/** How many observations lie below a value. The first bucket begins at zero unless it ends there or below. */
function rankOf(value: number, { bounds, counts }: ClassicBuckets): number {
  const observations = counts[counts.length - 1];
  let rank = 0;
  for (let i = 0; i < bounds.length; i++) {
    const start = i > 0 ? bounds[i - 1] : bounds[0] > 0 ? 0 : -Infinity;
    if (start >= value) return rank;
    if (bounds[i] > value) {
      // Nothing is known of where observations are in a bucket without a lower end: all are taken to be below.
      if (start === -Infinity) return counts[i];
      return rank + ((counts[i] - rank) * (value - start)) / (bounds[i] - start);
    }
    rank = counts[i];
  }
  return observations;
}

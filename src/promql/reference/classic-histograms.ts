/** One `le` bucket: how many observations are at or below the bound. */
export interface ClassicBucket {
  readonly bound: number;
  readonly count: number;
}

/** Where counts went down from one bucket to the next and were raised. */
export interface Raised {
  readonly minBucket: number;
  readonly maxBucket: number;
  readonly maxDifference: number;
}

/** The quantile of a classic histogram, on straight lines inside buckets. */
export function classicQuantile(
  q: number,
  given: readonly ClassicBucket[],
): { value: number; raised: Raised | undefined } {
  if (Number.isNaN(q)) return { value: Number.NaN, raised: undefined };
  if (q < 0) return { value: -Infinity, raised: undefined };
  if (q > 1) return { value: Infinity, raised: undefined };
  const joined = joinEqualBounds(given);
  if (joined.at(-1)!.bound !== Infinity) return { value: Number.NaN, raised: undefined };
  const { buckets, raised } = monotonic(joined);
  return { value: quantileOf(q, buckets), raised };
}

function quantileOf(q: number, buckets: readonly ClassicBucket[]): number {
  const last = buckets.length - 1;
  if (last < 1 || buckets[last].count === 0) return Number.NaN;
  const rank = q * buckets[last].count;
  const i = firstReaching(rank, buckets);
  if (i === last) return buckets[last - 1].bound;
  if (i === 0 && buckets[0].bound <= 0) return buckets[0].bound;
  const start = i === 0 ? 0 : buckets[i - 1].bound;
  const below = i === 0 ? 0 : buckets[i - 1].count;
  return start + (buckets[i].bound - start) * ((rank - below) / (buckets[i].count - below));
}

/** By halving, as Prometheus does: with NaN among the counts it matters how one searches. */
function firstReaching(rank: number, buckets: readonly ClassicBucket[]): number {
  let [low, high] = [0, buckets.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (buckets[middle].count >= rank) high = middle;
    else low = middle + 1;
  }
  return low;
}

function joinEqualBounds(given: readonly ClassicBucket[]): ClassicBucket[] {
  const joined: ClassicBucket[] = [];
  for (const bucket of [...given].sort((a, b) => (a.bound < b.bound ? -1 : a.bound > b.bound ? 1 : 0))) {
    const last = joined.at(-1);
    if (last?.bound === bucket.bound)
      joined[joined.length - 1] = { bound: last.bound, count: last.count + bucket.count };
    else joined.push(bucket);
  }
  return joined;
}

/** A count that is almost that of the bucket before, or below it, becomes the same. */
function monotonic(given: readonly ClassicBucket[]): {
  buckets: ClassicBucket[];
  raised: Raised | undefined;
} {
  const buckets = [given[0]];
  let raised: Raised | undefined;
  for (const { bound, count } of given.slice(1)) {
    const before = buckets.at(-1)!.count;
    const keep = almostEqual(before, count) || count < before;
    if (keep && !almostEqual(before, count))
      raised = {
        minBucket: Math.min(raised?.minBucket ?? Infinity, bound),
        maxBucket: Math.max(raised?.maxBucket ?? -Infinity, bound),
        maxDifference: Math.max(raised?.maxDifference ?? 0, before - count),
      };
    buckets.push({ bound, count: keep ? before : count });
  }
  return { buckets, raised };
}

const SMALLEST_NORMAL = 2 ** -1022;

function almostEqual(a: number, b: number): boolean {
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < SMALLEST_NORMAL) return difference < 1e-12 * SMALLEST_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < 1e-12;
}

/** The share of observations between two values. */
export function classicFraction(lower: number, upper: number, given: readonly ClassicBucket[]): number {
  const buckets = joinEqualBounds(given);
  if (buckets.at(-1)!.bound !== Infinity) return Number.NaN;
  const { count } = buckets.at(-1)!;
  if (count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return Number.NaN;
  if (lower >= upper) return 0;
  const at = (value: number) => {
    const rank = rankOf(value, buckets);
    return rank === undefined || rank > count ? count : rank;
  };
  return (at(upper) - at(lower)) / count;
}

/** How many observations are below a value; undefined: all. */
function rankOf(value: number, buckets: readonly ClassicBucket[]): number | undefined {
  let start = buckets[0].bound <= 0 ? -Infinity : 0;
  let below = 0;
  for (const { bound, count } of buckets) {
    if (start >= value) return below;
    if (bound > value)
      return start === -Infinity ? count : below + ((count - below) * (value - start)) / (bound - start);
    start = bound;
    below = count;
  }
  return undefined;
}

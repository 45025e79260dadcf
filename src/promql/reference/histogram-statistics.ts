import { plus, type Sum } from './kahan.ts';
import { ascendingBuckets, type Bucket, isCustom, type PlainHistogram } from './plain-histogram.ts';

/** A value, and what NaN observations, which are in no bucket, did to it. */
export interface Estimate {
  readonly value: number;
  readonly nan?: 'is-result' | 'skews';
}

/** The quantile of a native histogram: buckets are counted from the nearer end, or from below when there are NaNs. */
export function nativeQuantile(q: number, h: PlainHistogram): Estimate {
  if (q < 0) return { value: -Infinity };
  if (q > 1) return { value: Infinity };
  if (h.count === 0 || Number.isNaN(q)) return { value: Number.NaN };
  const hasNaN = Number.isNaN(h.sum);
  const fromBelow = hasNaN || q < 0.5;
  const buckets = fromBelow ? ascendingBuckets(h) : ascendingBuckets(h).reverse();
  const wanted = (fromBelow ? q : 1 - q) * h.count;
  let seen = 0;
  let at: Bucket = { lower: 0, upper: 0, count: 0 };
  for (const bucket of buckets) {
    at = bucket;
    seen += bucket.count;
    if (bucket.count !== 0 && seen >= wanted) break;
  }
  const cut = withNaturalBound(h, at);
  if (typeof cut === 'number') return { value: cut };
  const reached = Math.min(seen, h.count);
  if (reached < wanted) return hasNaN ? { value: Number.NaN, nan: 'is-result' } : { value: cut.upper };
  const rank = fromBelow ? wanted - (reached - cut.count) : reached - wanted;
  const all = buckets.reduce((sum, { count }) => sum + count, 0);
  const value = inside(cut, rank / cut.count, isCustom(h));
  return hasNaN && all < h.count ? { value, nan: 'skews' } : { value };
}

/** The bucket, begun or ended at zero where observations cannot be beyond; or the value, where its ends say no more. */
function withNaturalBound(h: PlainHistogram, bucket: Bucket): Bucket | number {
  if (!isCustom(h)) {
    if (bucket.lower < 0 && bucket.upper > 0) return atZero(h, bucket);
    return bucket;
  }
  if (bucket.lower === -Infinity) return bucket.upper <= 0 ? bucket.upper : { ...bucket, lower: 0 };
  return bucket.upper === Infinity ? bucket.lower : bucket;
}

/** The zero bucket of a histogram with buckets on one side only is on that side of zero. */
function atZero(h: PlainHistogram, bucket: Bucket): Bucket {
  if (h.negative.size === 0 && h.positive.size > 0) return { ...bucket, lower: 0 };
  if (h.positive.size === 0 && h.negative.size > 0) return { ...bucket, upper: 0 };
  return bucket;
}

function inside({ lower, upper }: Bucket, share: number, isLinear: boolean): number {
  if (isLinear || (lower <= 0 && upper >= 0)) return lower + (upper - lower) * share;
  const [low, high] = [Math.log2(Math.abs(lower)), Math.log2(Math.abs(upper))];
  if (lower > 0) return 2 ** (low + (high - low) * share);
  return -(2 ** (high + (low - high) * (1 - share)));
}

/** The share of a finite bucket's width that lies below a value inside it. */
export function shareBelow({ lower, upper }: Bucket, v: number, isLinear: boolean): number {
  if (isLinear) return (v - lower) / (upper - lower);
  const [low, high, at] = [lower, upper, v].map((x) => Math.log2(Math.abs(x)));
  return v > 0 ? (at - low) / (high - low) : 1 - (at - high) / (low - high);
}

/** The share of observations between two values. */
export function nativeFraction(lower: number, upper: number, h: PlainHistogram): Estimate {
  if (h.count === 0 || Number.isNaN(lower) || Number.isNaN(upper)) return { value: Number.NaN };
  if (lower >= upper) return { value: 0 };
  const buckets = ascendingBuckets(h);
  const hasNaN = Number.isNaN(h.sum);
  const all = hasNaN ? buckets.reduce((sum, { count }) => sum + count, 0) : h.count;
  const rank = (v: number) => {
    const found = rankOf(v, h, buckets);
    return found === undefined || found > all ? all : found;
  };
  const value = (rank(upper) - rank(lower)) / h.count;
  return hasNaN && all < h.count ? { value, nan: 'skews' } : { value };
}

/** How many observations are below a value; undefined: all. */
function rankOf(v: number, h: PlainHistogram, buckets: readonly Bucket[]): number | undefined {
  let below = 0;
  for (const given of buckets) {
    const isZero = given.lower <= 0 && given.upper >= 0;
    const bucket = isZero ? atZero(h, given) : given;
    if (bucket.lower >= v) return below;
    if (bucket.upper > v) {
      const isLinear = isCustom(h) || isZero;
      if (isLinear && bucket.lower === -Infinity) return bucket.count;
      return below + bucket.count * shareBelow(bucket, v, isLinear);
    }
    below += bucket.count;
  }
  return undefined;
}

export function nativeVariance(h: PlainHistogram): number {
  const mean = h.sum / h.count;
  const squares = ascendingBuckets(h)
    .filter(({ count }) => count !== 0)
    .reduce((sum: Sum, bucket) => plus(sum, squareOf(bucket, mean, isCustom(h))), { sum: 0, lost: 0 });
  return (squares.sum + squares.lost) / h.count;
}

/** Observations are taken to be in the middle of their bucket: of a line, or of a scale of powers. */
function squareOf({ lower, upper, count }: Bucket, mean: number, isLinear: boolean): number {
  let middle = Math.sqrt(upper * lower);
  if (isLinear) middle = (upper + lower) / 2;
  else if (lower <= 0 && upper >= 0) middle = 0;
  else if (upper < 0) middle = -middle;
  const difference = middle - mean;
  return count * difference * difference;
}

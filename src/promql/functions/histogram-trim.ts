import type { FloatHistogram } from '../../model/histogram.ts';
import { type Bucket, negativeBuckets, positiveBuckets, zeroBucket } from '../../model/histogram-buckets.ts';
import { compactHistogram, usesCustomBuckets, withSides } from '../../model/histogram-shape.ts';

/**
 * `h </ bound` and `h >/ bound`: the histogram of the observations below (`upper`) or above the bound. A bucket that
 * the bound cuts keeps its share by interpolation; the sum is estimated from the middles of what is left, unless
 * nothing was cut off.
 */
export function trimHistogram(histogram: FloatHistogram, bound: number, upper: boolean): FloatHistogram {
  if (Number.isNaN(bound)) return trimToNowhere(histogram);
  const trim = (bucket: Bucket, isLinear: boolean) =>
    trimBucket(effectiveBucket(bucket), bound, upper, isLinear);
  const isCustom = usesCustomBuckets(histogram);
  const positive = positiveBuckets(histogram);
  const negative = negativeBuckets(histogram);
  const parts = {
    // Prometheus leaves a zero bucket alone that has no observations, or, after a subtraction, fewer.
    zero: histogram.zeroCount > 0 ? [trim(biasedZero(histogram), true)] : [],
    positive: positive.map((bucket) => trim(bucket, isCustom)),
    negative: negative.map((bucket) => trim(bucket, isCustom)),
  };
  const before = [
    ...(histogram.zeroCount > 0 ? [histogram.zeroCount] : []),
    ...[...positive, ...negative].map(({ count }) => count),
  ];
  const after = [...parts.zero, ...parts.positive, ...parts.negative];
  if (after.every(({ count }, i) => count === before[i])) return histogram;
  const side = (buckets: readonly Bucket[], kept: readonly Part[]) => ({
    indexes: buckets.map(({ index }) => index),
    counts: kept.map(({ count }) => count),
  });
  const trimmed = {
    ...histogram,
    zeroCount: parts.zero[0]?.count ?? histogram.zeroCount,
    count: after.reduce((sum, { count }) => sum + count, 0),
    sum: after.reduce((sum, { count, middle }) => (count === 0 ? sum : sum + count * middle), 0),
  };
  return compactHistogram(withSides(trimmed, side(positive, parts.positive), side(negative, parts.negative)));
}

/** Nothing is above or below NaN; of the zero bucket there is left what nobody knows. */
function trimToNowhere(histogram: FloatHistogram): FloatHistogram {
  const rest = histogram.zeroCount > 0 ? Number.NaN : 0;
  const isEmpty = [...histogram.positiveBuckets, ...histogram.negativeBuckets].every((count) => count === 0);
  if (isEmpty && rest === 0) return histogram;
  const nothing = { indexes: [], counts: [] };
  return withSides({ ...histogram, zeroCount: rest, count: rest, sum: rest }, nothing, nothing);
}

/** What is left of a bucket, and the value its observations are taken to have. */
interface Part {
  readonly count: number;
  readonly middle: number;
}

const NOTHING: Part = { count: 0, middle: 0 };

/** The zero bucket reaches to one side only when all other observations are there. */
function biasedZero(histogram: FloatHistogram): Bucket {
  const bucket = zeroBucket(histogram);
  const hasPositive = histogram.positiveBuckets.some((count) => count !== 0);
  const hasNegative = histogram.negativeBuckets.some((count) => count !== 0);
  if (hasPositive === hasNegative) return bucket;
  return hasPositive ? { ...bucket, lower: 0 } : { ...bucket, upper: 0 };
}

/** A first custom bucket with a positive bound is taken to begin at zero. */
function effectiveBucket(bucket: Bucket): Bucket & { readonly isOpenBelow: boolean } {
  const isOpenBelow = bucket.lower === -Infinity;
  const lower = isOpenBelow && bucket.upper > 0 && bucket.upper < Infinity ? 0 : bucket.lower;
  return { ...bucket, lower, isOpenBelow };
}

function trimBucket(
  bucket: Bucket & { readonly isOpenBelow: boolean },
  bound: number,
  upper: boolean,
  isLinear: boolean,
): Part {
  const { lower, count, isOpenBelow } = bucket;
  if (count === 0) return NOTHING;
  const whole = { count, middle: middleOf(lower, bucket.upper, isLinear) };
  // A zero bucket without a width: what is at the bound is not below it.
  if (lower === bucket.upper && bound === lower) return upper ? NOTHING : whole;
  // Of a bucket open to one side nobody knows how its observations are spread: it goes or stays as a whole.
  if (upper) {
    if (bound >= bucket.upper) return whole;
    if (bound <= lower || bucket.upper === Infinity) return NOTHING;
    if (lower === -Infinity) return { count, middle: bound };
    return {
      count: count * shareBelow(lower, bucket.upper, bound, isLinear),
      middle: middleOf(lower, bound, isLinear),
    };
  }
  if (bound === -Infinity) return whole;
  if (bound >= bucket.upper && !(bucket.upper === Infinity && bound < Infinity)) return NOTHING;
  if (isOpenBelow && (lower === -Infinity || bound < 0)) return NOTHING;
  if (bound <= lower) return whole;
  if (bucket.upper === Infinity) return { count, middle: bound };
  return {
    count: count * (1 - shareBelow(lower, bucket.upper, bound, isLinear)),
    middle: middleOf(bound, bucket.upper, isLinear),
  };
}

function shareBelow(lower: number, upper: number, bound: number, isLinear: boolean): number {
  if (isLinear) return (bound - lower) / (upper - lower);
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  return (Math.log2(Math.abs(bound)) - logLower) / (logUpper - logLower);
}

function middleOf(lower: number, upper: number, isLinear: boolean): number {
  if (lower === -Infinity) return upper;
  if (upper === Infinity) return lower;
  if (isLinear) return (lower + upper) / 2;
  return Math.sign(upper === 0 ? lower : upper) * Math.sqrt(lower * upper);
}

import type { FloatHistogram } from './histogram.ts';
import { allBuckets, type Bucket } from './histogram-buckets.ts';
import { usesCustomBuckets } from './histogram-shape.ts';

/** A quantile, and whether NaN observations (which are in no bucket) bear on it: worth an info. */
export interface QuantileResult {
  readonly value: number;
  /** The quantile falls among the NaN observations. */
  readonly isAmongNaN: boolean;
  /** There are NaN observations, counted as larger than all others. */
  readonly skewedByNaN: boolean;
}

/**
 * The q-quantile as Prometheus 3 computes it: exponential interpolation inside exponential buckets, linear inside the
 * zero bucket and custom ones. Counted from the nearer end, so that rounding of counts hurts least.
 */
export function histogramQuantile(q: number, histogram: FloatHistogram): QuantileResult {
  const plain = (value: number): QuantileResult => ({ value, isAmongNaN: false, skewedByNaN: false });
  if (q < 0) return plain(Number.NEGATIVE_INFINITY);
  if (q > 1) return plain(Number.POSITIVE_INFINITY);
  if (histogram.count === 0 || Number.isNaN(q)) return plain(Number.NaN);

  const hasNaN = Number.isNaN(histogram.sum);
  const fromBelow = hasNaN || q < 0.5;
  const buckets = fromBelow ? allBuckets(histogram) : allBuckets(histogram).reverse();
  const wanted = (fromBelow ? q : 1 - q) * histogram.count;
  const found = seek(buckets, wanted);
  const bucket = withinZero(histogram, found.bucket);
  if (usesCustomBuckets(histogram)) {
    if (bucket.lower === Number.NEGATIVE_INFINITY) {
      if (bucket.upper <= 0) return plain(bucket.upper);
    } else if (bucket.upper === Number.POSITIVE_INFINITY) return plain(bucket.lower);
  }
  const count = Math.min(found.count, histogram.count);
  if (count < wanted)
    return hasNaN ? { value: Number.NaN, isAmongNaN: true, skewedByNaN: false } : plain(bucket.upper);

  const rank = fromBelow ? wanted - (count - bucket.count) : count - wanted;
  const lower = bucket.lower === Number.NEGATIVE_INFINITY ? 0 : bucket.lower;
  const value = interpolate(histogram, { ...bucket, lower }, rank / bucket.count);
  return { value, isAmongNaN: false, skewedByNaN: hasNaN && total(buckets) < histogram.count };
}

/** The share of observations between two values, and whether NaN observations bear on it. */
export function histogramFraction(
  lower: number,
  upper: number,
  histogram: FloatHistogram,
): { readonly value: number; readonly skewedByNaN: boolean } {
  if (histogram.count === 0 || Number.isNaN(lower) || Number.isNaN(upper))
    return { value: Number.NaN, skewedByNaN: false };
  if (lower >= upper) return { value: 0, skewedByNaN: false };
  const buckets = allBuckets(histogram);
  const hasNaN = Number.isNaN(histogram.sum);
  const observations = hasNaN ? total(buckets) : histogram.count;
  const lowerRank = Math.min(rankOf(lower, histogram, buckets) ?? observations, observations);
  const upperRank = Math.min(rankOf(upper, histogram, buckets) ?? observations, observations);
  return {
    value: (upperRank - lowerRank) / histogram.count,
    skewedByNaN: hasNaN && observations < histogram.count,
  };
}

/** Estimated from the middle of each bucket: geometric for exponential ones, 0 for the zero bucket, arithmetic for custom ones. */
export function histogramVariance(histogram: FloatHistogram): number {
  const mean = histogram.sum / histogram.count;
  let sum = 0;
  let c = 0;
  for (const bucket of allBuckets(histogram)) {
    if (bucket.count === 0) continue;
    const delta = middle(histogram, bucket) - mean;
    const inc = bucket.count * delta * delta;
    const t = sum + inc;
    if (Math.abs(t) === Number.POSITIVE_INFINITY) c = 0;
    else c += Math.abs(sum) >= Math.abs(inc) ? sum - t + inc : inc - t + sum;
    sum = t;
  }
  return (sum + c) / histogram.count;
}

export function histogramStddev(histogram: FloatHistogram): number {
  return Math.sqrt(histogramVariance(histogram));
}

export function histogramAverage(histogram: FloatHistogram): number {
  return histogram.sum / histogram.count;
}

const NO_BUCKET: Bucket = {
  lower: 0,
  upper: 0,
  lowerInclusive: false,
  upperInclusive: false,
  count: 0,
  index: 0,
};

/** The bucket in which the running count reaches `wanted`, else the last one; and that count. */
function seek(buckets: readonly Bucket[], wanted: number): { bucket: Bucket; count: number } {
  let count = 0;
  let last = NO_BUCKET;
  for (const bucket of buckets) {
    last = bucket;
    if (bucket.count === 0) continue;
    count += bucket.count;
    if (count >= wanted) break;
  }
  return { bucket: last, count };
}

/** The zero bucket of a histogram with observations on one side only reaches no further than zero on the other. */
function withinZero(histogram: FloatHistogram, bucket: Bucket): Bucket {
  if (usesCustomBuckets(histogram) || !(bucket.lower <= 0 && bucket.upper >= 0)) return bucket;
  const hasPositive = histogram.positiveBuckets.length > 0;
  const hasNegative = histogram.negativeBuckets.length > 0;
  if (hasPositive && !hasNegative) return { ...bucket, lower: 0 };
  return hasNegative && !hasPositive ? { ...bucket, upper: 0 } : bucket;
}

function isLinear(histogram: FloatHistogram, { lower, upper }: Bucket): boolean {
  return usesCustomBuckets(histogram) || (lower <= 0 && upper >= 0);
}

function interpolate(histogram: FloatHistogram, bucket: Bucket, fraction: number): number {
  const { lower, upper } = bucket;
  if (isLinear(histogram, bucket)) return lower + (upper - lower) * fraction;
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  if (lower > 0) return 2 ** (logLower + (logUpper - logLower) * fraction);
  return -(2 ** (logUpper + (logLower - logUpper) * (1 - fraction)));
}

/** How many observations lie below `value`; undefined when it lies above all buckets. */
function rankOf(value: number, histogram: FloatHistogram, buckets: readonly Bucket[]): number | undefined {
  let rank = 0;
  for (const wide of buckets) {
    const isZero = wide.lower <= 0 && wide.upper >= 0;
    const bucket = isZero ? clipZero(histogram, wide) : wide;
    if (bucket.lower >= value) return rank;
    if (bucket.upper > value) {
      // How observations are spread in a bucket without a lower end nobody knows: all are taken to be below.
      if (bucket.lower === Number.NEGATIVE_INFINITY) return rank + bucket.count;
      const linear = usesCustomBuckets(histogram) || isZero;
      return rank + (linear ? linearPart(bucket, value) : exponentialPart(bucket, value));
    }
    rank += bucket.count;
  }
  return undefined;
}

/** As `withinZero`, for custom buckets too: so Prometheus' fractions have it. */
function clipZero(histogram: FloatHistogram, bucket: Bucket): Bucket {
  const hasPositive = histogram.positiveBuckets.length > 0;
  const hasNegative = histogram.negativeBuckets.length > 0;
  if (hasPositive && !hasNegative) return { ...bucket, lower: 0 };
  return hasNegative && !hasPositive ? { ...bucket, upper: 0 } : bucket;
}

/** How many observations of a bucket lie below a value inside it. */
function linearPart({ lower, upper, count }: Bucket, value: number): number {
  return (count * (value - lower)) / (upper - lower);
}

function exponentialPart({ lower, upper, count }: Bucket, value: number): number {
  const logLower = Math.log2(Math.abs(lower));
  const logUpper = Math.log2(Math.abs(upper));
  const logValue = Math.log2(Math.abs(value));
  if (value > 0) return count * ((logValue - logLower) / (logUpper - logLower));
  return count * (1 - (logValue - logUpper) / (logLower - logUpper));
}

function middle(histogram: FloatHistogram, { lower, upper }: Bucket): number {
  if (usesCustomBuckets(histogram)) return (upper + lower) / 2;
  if (lower <= 0 && upper >= 0) return 0;
  const geometric = Math.sqrt(upper * lower);
  return upper < 0 ? -geometric : geometric;
}

function total(buckets: readonly Bucket[]): number {
  return buckets.reduce((sum, { count }) => sum + count, 0);
}

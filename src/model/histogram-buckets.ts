import { exponentialBound } from './exponential-bounds.ts';
import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA } from './histogram.ts';
import { absoluteCounts, bucketIndexes } from './histogram-spans.ts';

export interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly lowerInclusive: boolean;
  readonly upperInclusive: boolean;
  readonly count: number;
  readonly index: number;
}

/** Buckets of the positive side (or all of a custom schema), bounds ascending; empty ones included. */
export function positiveBuckets(histogram: AnyHistogram): Bucket[] {
  const { schema, customValues } = histogram;
  const counts = absoluteCounts(histogram, 'positive');
  return bucketIndexes(histogram.positiveSpans).map((index, i) => {
    const lower = bucketBound(index - 1, schema, customValues);
    const upper = bucketBound(index, schema, customValues);
    const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
    return {
      lower,
      upper,
      lowerInclusive: isCustom && index === 0,
      upperInclusive: true,
      count: counts[i],
      index,
    };
  });
}

/** Buckets of the negative side from zero outwards: bounds descending; empty ones included. */
export function negativeBuckets(histogram: AnyHistogram): Bucket[] {
  const { schema, customValues } = histogram;
  const counts = absoluteCounts(histogram, 'negative');
  return bucketIndexes(histogram.negativeSpans).map((index, i) => ({
    lower: -bucketBound(index, schema, customValues),
    upper: -bucketBound(index - 1, schema, customValues),
    lowerInclusive: true,
    upperInclusive: false,
    count: counts[i],
    index,
  }));
}

export function zeroBucket({ zeroThreshold, zeroCount }: AnyHistogram): Bucket {
  return {
    lower: -zeroThreshold,
    upper: zeroThreshold,
    lowerInclusive: true,
    upperInclusive: true,
    count: zeroCount,
    index: 0,
  };
}

/**
 * All buckets by ascending bounds, the zero bucket among them when it has a count; ones that reach into the zero bucket
 * begin or end at its threshold. For the other direction reverse the list.
 */
export function allBuckets(histogram: AnyHistogram): Bucket[] {
  const threshold = histogram.zeroThreshold;
  const clip = (bucket: Bucket): Bucket => {
    if (bucket.lower > 0 && bucket.lower < threshold) return { ...bucket, lower: threshold };
    if (bucket.upper < 0 && bucket.upper > -threshold) return { ...bucket, upper: -threshold };
    return bucket;
  };
  const negative = negativeBuckets(histogram).reverse().map(clip);
  const zero = histogram.zeroCount > 0 ? [zeroBucket(histogram)] : [];
  return [...negative, ...zero, ...positiveBuckets(histogram).map(clip)];
}

/** Upper bound of bucket `index`; for custom buckets -1 is minus infinity and one past the last is infinity. */
export function bucketBound(index: number, schema: number, customValues: readonly number[]): number {
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return exponentialBound(index, schema);
  if (index < 0) return Number.NEGATIVE_INFINITY;
  return index < customValues.length ? customValues[index] : Number.POSITIVE_INFINITY;
}

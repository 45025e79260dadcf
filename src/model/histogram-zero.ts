import { exponentialBound } from './exponential-bounds.ts';
import type { FloatHistogram } from './histogram.ts';
import { negativeBuckets, positiveBuckets } from './histogram-buckets.ts';
import { type SparseCounts, sparseCounts, withSides } from './histogram-shape.ts';

/**
 * What the zero bucket holds when its threshold is raised to `threshold` or, where that would cut through a filled
 * bucket, to the end of that bucket.
 */
export function zeroCountAt(
  histogram: FloatHistogram,
  threshold: number,
): { readonly count: number; readonly threshold: number } {
  if (threshold === histogram.zeroThreshold) return { count: histogram.zeroCount, threshold };
  for (;;) {
    let count = histogram.zeroCount;
    let larger = threshold;
    for (const bucket of positiveBuckets(histogram)) {
      if (bucket.lower >= threshold) break;
      count += bucket.count;
      if (bucket.upper <= threshold) continue;
      if (bucket.count !== 0) larger = bucket.upper;
      break;
    }
    // The negative side is measured against what the positive side has asked for.
    threshold = larger;
    let again = false;
    for (const bucket of negativeBuckets(histogram)) {
      if (bucket.upper <= -threshold) break;
      count += bucket.count;
      if (bucket.lower >= -threshold) continue;
      if (bucket.count !== 0) {
        threshold = -bucket.lower;
        again = true;
      }
      break;
    }
    if (!again) return { count, threshold };
  }
}

/** The histogram with its zero bucket raised to `threshold` or further; buckets inside it are gone. */
function widenZeroBucket(histogram: FloatHistogram, threshold: number): FloatHistogram {
  const zero = zeroCountAt(histogram, threshold);
  const wide: FloatHistogram = { ...histogram, zeroCount: zero.count, zeroThreshold: zero.threshold };
  const outside = (side: 'positive' | 'negative'): SparseCounts => {
    const buckets = side === 'positive' ? positiveBuckets(histogram) : negativeBuckets(histogram);
    const { indexes, counts } = sparseCounts(histogram, side);
    const kept = buckets
      .map((_, i) => i)
      .filter((i) =>
        side === 'positive' ? buckets[i].lower >= zero.threshold : buckets[i].upper <= -zero.threshold,
      );
    return { indexes: kept.map((i) => indexes[i]), counts: kept.map((i) => counts[i]) };
  };
  return withSides(wide, outside('positive'), outside('negative'));
}

/** Both with the same zero threshold: the smallest that cuts through no filled bucket of either. */
export function reconcileZeroBuckets(
  a: FloatHistogram,
  b: FloatHistogram,
): readonly [FloatHistogram, FloatHistogram] {
  while (a.zeroThreshold !== b.zeroThreshold) {
    if (a.zeroThreshold > b.zeroThreshold) b = widenZeroBucket(b, a.zeroThreshold);
    else a = widenZeroBucket(a, b.zeroThreshold);
  }
  return [a, b];
}

/** The buckets of one side without those that lie wholly inside the zero bucket, where none should be. */
export function outsideZero(side: SparseCounts, schema: number, threshold: number): SparseCounts {
  const from = side.indexes.findIndex((index) => exponentialBound(index, schema) > threshold);
  if (from === 0) return side;
  if (from < 0) return { indexes: [], counts: [] };
  return { indexes: side.indexes.slice(from), counts: side.counts.slice(from) };
}

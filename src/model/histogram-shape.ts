import { assert } from '../platform/assert.ts';
import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA, type FloatHistogram, type Span } from './histogram.ts';
import { absoluteCounts, bucketIndexes, equalSpans, spansOf, toDeltas } from './histogram-spans.ts';

/** Counts by bucket index, ascending: one side of a histogram without its spans. */
export interface SparseCounts {
  readonly indexes: readonly number[];
  readonly counts: readonly number[];
}

export function usesCustomBuckets(histogram: AnyHistogram): boolean {
  return histogram.schema === CUSTOM_BUCKETS_SCHEMA;
}

/** The same histogram with absolute float counts. A float histogram is returned as it is. */
export function toFloatHistogram(histogram: AnyHistogram): FloatHistogram {
  if (histogram.kind === 'float') return histogram;
  return {
    ...histogram,
    kind: 'float',
    positiveBuckets: absoluteCounts(histogram, 'positive'),
    negativeBuckets: absoluteCounts(histogram, 'negative'),
  };
}

/** Buckets merged until the schema is `schema`, which is lower. Exponential histograms only. */
export function reduceResolution<H extends AnyHistogram>(histogram: H, schema: number): H {
  if (schema === histogram.schema) return histogram;
  assert(!usesCustomBuckets(histogram) && schema < histogram.schema, 'resolution is only ever reduced');
  const merge = (side: 'positive' | 'negative') =>
    mergeIndexes(sparseCounts(histogram, side), (index) => indexAt(index, histogram.schema, schema));
  return withSides({ ...histogram, schema }, merge('positive'), merge('negative'));
}

/** The bucket of a lower schema that holds bucket `index`. */
function indexAt(index: number, from: number, to: number): number {
  return Math.floor((index - 1) / 2 ** (from - to)) + 1;
}

/** Without empty buckets, in the fewest spans. */
export function compactHistogram<H extends AnyHistogram>(histogram: H): H {
  const positive = dropEmpty(sparseCounts(histogram, 'positive'));
  const negative = dropEmpty(sparseCounts(histogram, 'negative'));
  return withSides(histogram, positive, negative);
}

/** Same kind, same bits in every number, same buckets however they are cut into spans. Hints are not compared. */
export function equalHistograms(a: AnyHistogram, b: AnyHistogram): boolean {
  return (
    a.kind === b.kind &&
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    equalNumbers(a.customValues, b.customValues) &&
    equalSide(a.positiveSpans, a.positiveBuckets, b.positiveSpans, b.positiveBuckets) &&
    equalSide(a.negativeSpans, a.negativeBuckets, b.negativeSpans, b.negativeBuckets)
  );
}

export function equalNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a === b || (a.length === b.length && a.every((value, i) => Object.is(value, b[i])));
}

export function sparseCounts(histogram: AnyHistogram, side: 'positive' | 'negative'): SparseCounts {
  const spans = side === 'positive' ? histogram.positiveSpans : histogram.negativeSpans;
  return { indexes: bucketIndexes(spans), counts: absoluteCounts(histogram, side) };
}

/** The histogram with other buckets, in the fewest spans. */
export function withSides<H extends AnyHistogram>(
  histogram: H,
  positive: SparseCounts,
  negative: SparseCounts,
): H {
  const buckets = ({ counts }: SparseCounts) => (histogram.kind === 'integer' ? toDeltas(counts) : counts);
  return {
    ...histogram,
    positiveSpans: spansOf(positive.indexes),
    negativeSpans: spansOf(negative.indexes),
    positiveBuckets: buckets(positive),
    negativeBuckets: buckets(negative),
  };
}

/** Counts of buckets that map to the same index are added up; the mapping keeps the order. */
export function mergeIndexes(side: SparseCounts, map: (index: number) => number): SparseCounts {
  const indexes: number[] = [];
  const counts: number[] = [];
  for (const [i, index] of side.indexes.entries()) {
    const target = map(index);
    if (indexes.at(-1) === target) counts[counts.length - 1] += side.counts[i];
    else {
      indexes.push(target);
      counts.push(side.counts[i]);
    }
  }
  return { indexes, counts };
}

function dropEmpty({ indexes, counts }: SparseCounts): SparseCounts {
  const kept = indexes.map((_, i) => i).filter((i) => counts[i] !== 0);
  return { indexes: kept.map((i) => indexes[i]), counts: kept.map((i) => counts[i]) };
}

function equalSide(
  aSpans: readonly Span[],
  aBuckets: readonly number[],
  bSpans: readonly Span[],
  bBuckets: readonly number[],
): boolean {
  if (!equalNumbers(aBuckets, bBuckets)) return false;
  return equalSpans(aSpans, bSpans) || equalNumbers(bucketIndexes(aSpans), bucketIndexes(bSpans));
}

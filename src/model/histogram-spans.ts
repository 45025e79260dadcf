import type { AnyHistogram, Span } from './histogram.ts';

/** How many buckets the spans cover. */
export function countBuckets(spans: readonly Span[]): number {
  let count = 0;
  for (const span of spans) count += span.length;
  return count;
}

/** The index of every bucket the spans cover, in order. */
export function bucketIndexes(spans: readonly Span[]): number[] {
  const indexes: number[] = [];
  let index = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) indexes.push(index++);
  }
  return indexes;
}

/** The fewest spans that cover these indexes (ascending). */
export function spansOf(indexes: readonly number[]): Span[] {
  const spans: { offset: number; length: number }[] = [];
  let next = 0;
  for (const index of indexes) {
    if (spans.length > 0 && index === next) spans[spans.length - 1].length++;
    else spans.push({ offset: index - next, length: 1 });
    next = index + 1;
  }
  return spans;
}

export function equalSpans(a: readonly Span[], b: readonly Span[]): boolean {
  return (
    a.length === b.length && a.every((span, i) => span.offset === b[i].offset && span.length === b[i].length)
  );
}

/** Absolute counts of one side; a fresh array unless the histogram is a float one. */
export function absoluteCounts(histogram: AnyHistogram, side: 'positive' | 'negative'): readonly number[] {
  const buckets = side === 'positive' ? histogram.positiveBuckets : histogram.negativeBuckets;
  return histogram.kind === 'float' ? buckets : sumDeltas(buckets);
}

export function sumDeltas(deltas: readonly number[]): number[] {
  let count = 0;
  return deltas.map((delta) => (count += delta));
}

export function toDeltas(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (i === 0 ? 0 : counts[i - 1]));
}

/** The counts of buckets `from`, laid out over the buckets of `to`, which contain them; zero where `from` has none. */
export function spreadCounts(
  counts: readonly number[],
  from: readonly Span[],
  to: readonly Span[],
): number[] {
  const byIndex = new Map<number, number>();
  for (const [i, index] of bucketIndexes(from).entries()) byIndex.set(index, counts[i]);
  return bucketIndexes(to).map((index) => byIndex.get(index) ?? 0);
}

/** The fewest spans that cover the buckets of both. */
export function mergeSpans(a: readonly Span[], b: readonly Span[]): Span[] {
  const indexes = new Set([...bucketIndexes(a), ...bucketIndexes(b)]);
  return spansOf([...indexes].sort((x, y) => x - y));
}

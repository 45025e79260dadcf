import { exponentialBound } from '../../model/exponential-bounds.ts';
import {
  type AnyHistogram,
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Span,
} from '../../model/histogram.ts';

/** Counts by bucket index. An index that is there with a count of zero is a bucket all the same. */
export type Counts = ReadonlyMap<number, number>;

/** A native histogram without spans and deltas: what it counts, bucket by bucket. Immutable. */
export interface PlainHistogram {
  readonly hint: CounterResetHint;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  readonly sum: number;
  readonly positive: Counts;
  readonly negative: Counts;
  /** Upper bounds of custom buckets, without +Inf; empty for exponential ones. */
  readonly bounds: readonly number[];
}

export interface Bucket {
  readonly lower: number;
  readonly upper: number;
  readonly count: number;
}

export function isCustom({ schema }: PlainHistogram): boolean {
  return schema === CUSTOM_BUCKETS_SCHEMA;
}

export function plainHistogram(h: AnyHistogram): PlainHistogram {
  const isDelta = h.kind === 'integer';
  return {
    hint: h.counterResetHint,
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    zeroCount: h.zeroCount,
    count: h.count,
    sum: h.sum,
    positive: countsOf(h.positiveSpans, h.positiveBuckets, isDelta),
    negative: countsOf(h.negativeSpans, h.negativeBuckets, isDelta),
    bounds: h.customValues,
  };
}

function countsOf(spans: readonly Span[], buckets: readonly number[], isDelta: boolean): Counts {
  const counts = new Map<number, number>();
  let index = 0;
  let at = 0;
  let previous = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++) {
      previous = isDelta ? previous + buckets[at] : buckets[at];
      counts.set(index++, previous);
      at++;
    }
  }
  return counts;
}

/** The same as the rest of the house knows it. */
export function modelHistogram(h: PlainHistogram): FloatHistogram {
  const positive = inOrder(h.positive);
  const negative = inOrder(h.negative);
  return {
    kind: 'float',
    counterResetHint: h.hint,
    schema: h.schema,
    zeroThreshold: h.zeroThreshold,
    zeroCount: h.zeroCount,
    count: h.count,
    sum: h.sum,
    positiveSpans: positive.map(([index], i) => oneBucketSpan(positive, index, i)),
    positiveBuckets: positive.map(([, count]) => count),
    negativeSpans: negative.map(([index], i) => oneBucketSpan(negative, index, i)),
    negativeBuckets: negative.map(([, count]) => count),
    customValues: h.bounds,
  };
}

function oneBucketSpan(side: readonly (readonly [number, number])[], index: number, i: number): Span {
  return { offset: i === 0 ? index : index - side[i - 1][0] - 1, length: 1 };
}

export function inOrder(counts: Counts): [index: number, count: number][] {
  return [...counts].sort(([a], [b]) => a - b);
}

export function mapCounts(counts: Counts, change: (count: number) => number): Counts {
  return new Map([...counts].map(([index, count]) => [index, change(count)]));
}

/** Without empty buckets. */
export function compact(h: PlainHistogram): PlainHistogram {
  const filled = (counts: Counts) => new Map([...counts].filter(([, count]) => count !== 0));
  return { ...h, positive: filled(h.positive), negative: filled(h.negative) };
}

function boundOf({ schema, bounds }: PlainHistogram, index: number): number {
  if (schema !== CUSTOM_BUCKETS_SCHEMA) return exponentialBound(index, schema);
  return index < 0 ? -Infinity : index < bounds.length ? bounds[index] : Infinity;
}

export function positiveBucket(h: PlainHistogram, index: number, count: number): Bucket {
  return { lower: boundOf(h, index - 1), upper: boundOf(h, index), count };
}

export function negativeBucket(h: PlainHistogram, index: number, count: number): Bucket {
  return { lower: -boundOf(h, index), upper: -boundOf(h, index - 1), count };
}

/** All buckets from the lowest to the highest, the filled zero bucket among them; none reaches into the zero bucket. */
export function ascendingBuckets(h: PlainHistogram): Bucket[] {
  const { zeroThreshold, zeroCount } = h;
  const cut = (bucket: Bucket): Bucket => {
    if (bucket.upper < 0 && bucket.upper > -zeroThreshold) return { ...bucket, upper: -zeroThreshold };
    if (bucket.lower > 0 && bucket.lower < zeroThreshold) return { ...bucket, lower: zeroThreshold };
    return bucket;
  };
  return [
    ...inOrder(h.negative)
      .reverse()
      .map(([index, count]) => cut(negativeBucket(h, index, count))),
    ...(zeroCount > 0 ? [{ lower: -zeroThreshold, upper: zeroThreshold, count: zeroCount }] : []),
    ...inOrder(h.positive).map(([index, count]) => cut(positiveBucket(h, index, count))),
  ];
}

/** Same numbers, bit for bit, in the same buckets, empty ones included. */
export function sameHistogram(a: PlainHistogram, b: PlainHistogram): boolean {
  return (
    a.schema === b.schema &&
    Object.is(a.count, b.count) &&
    Object.is(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    Object.is(a.zeroCount, b.zeroCount) &&
    sameBounds(a, b) &&
    sameCounts(a.positive, b.positive) &&
    sameCounts(a.negative, b.negative)
  );
}

export function sameBounds({ bounds: a }: PlainHistogram, { bounds: b }: PlainHistogram): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

function sameCounts(a: Counts, b: Counts): boolean {
  return (
    a.size === b.size && [...a].every(([index, count]) => b.has(index) && Object.is(b.get(index), count))
  );
}

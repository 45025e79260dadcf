import { VeronaError } from '../model/errors.ts';
import type { Histogram, Span } from '../model/histogram.ts';
import { toDeltas } from '../model/histogram-spans.ts';
import { STALE_NAN } from '../model/sample.ts';
import type { ExponentialBuckets, ExponentialPoint } from '../proto/otlp.ts';

const SCHEMA_MIN = -4;
const SCHEMA_MAX = 8;

/** Prometheus' threshold when the sender names none. */
const ZERO_THRESHOLD_DEFAULT = 1e-128;

/** Empty buckets up to this many in a row are written out rather than begin a new span. */
const GAP_MAX = 2;

/** Bucket indexes are 32-bit numbers. */
const INDEX_MAX = 2 ** 31 - 1;

/**
 * An exponential histogram as a native one. A scale above 8 is reduced by merging buckets; OTLP's bucket 0 begins where
 * Prometheus' bucket 0 ends, so indexes move by one. Throws `bad_data` for a scale below -4 or an index out of range.
 */
export function toNativeHistogram(point: ExponentialPoint): Histogram {
  const schema = Math.min(point.scale, SCHEMA_MAX);
  if (schema < SCHEMA_MIN)
    throw new VeronaError(
      'bad_data',
      `exponential histogram with scale ${point.scale}, at least -4 is needed`,
    );
  const positive = toSide(point.positive, point.scale - schema);
  const negative = toSide(point.negative, point.scale - schema);
  const stale = point.noRecordedValue;
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema,
    zeroThreshold: point.zeroThreshold > 0 ? point.zeroThreshold : ZERO_THRESHOLD_DEFAULT,
    zeroCount: stale ? 0 : point.zeroCount,
    count: stale ? 0 : point.count,
    sum: stale ? STALE_NAN : (point.sum ?? 0),
    positiveSpans: stale ? [] : positive.spans,
    positiveBuckets: stale ? [] : positive.deltas,
    negativeSpans: stale ? [] : negative.spans,
    negativeBuckets: stale ? [] : negative.deltas,
    customValues: [],
  };
}

function toSide(
  { offset, counts }: ExponentialBuckets,
  scaleDown: number,
): { spans: Span[]; deltas: number[] } {
  if (Math.abs(offset) + counts.length >= INDEX_MAX)
    throw new VeronaError('bad_data', `exponential histogram with buckets from index ${offset}`);
  const merged = new Map<number, number>();
  const width = 2 ** scaleDown;
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    const index = Math.floor((offset + i) / width) + 1;
    merged.set(index, (merged.get(index) ?? 0) + count);
  }
  return layOut(merged);
}

/** Spans over the buckets (ascending by index), with small gaps filled. */
function layOut(buckets: ReadonlyMap<number, number>): { spans: Span[]; deltas: number[] } {
  const spans: { offset: number; length: number }[] = [];
  const counts: number[] = [];
  let next = 0;
  for (const [index, count] of buckets) {
    const gap = index - next;
    if (spans.length === 0 || gap > GAP_MAX) spans.push({ offset: gap, length: 0 });
    else for (let i = 0; i < gap; i++, spans[spans.length - 1].length++) counts.push(0);
    spans[spans.length - 1].length++;
    counts.push(count);
    next = index + 1;
  }
  return { spans, deltas: toDeltas(counts) };
}

import { VeronaError } from '../../model/errors.ts';
import {
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Span,
} from '../../model/histogram.ts';
import { addHistograms, subtractHistograms } from '../../model/histogram-math.ts';

/**
 * `a` plus or minus `b`, for written series only: `b` may be finer than `a` but not coarser, else this throws `bad_data`.
 * Deliberately not the engine's code, as it makes test data; but zero buckets and custom bounds that differ are reconciled
 * as the engine does it.
 */
export function combineHistograms(a: FloatHistogram, b: FloatHistogram, sign: 1 | -1): FloatHistogram {
  if (a.schema > b.schema) throw bad(`cannot merge from schema ${b.schema} to ${a.schema}`);
  const counterResetHint = combineHints(a.counterResetHint, b.counterResetHint);
  if (a.zeroThreshold !== b.zeroThreshold || a.customValues.join() !== b.customValues.join()) {
    const { histogram } = sign === 1 ? addHistograms(a, b) : subtractHistograms(a, b);
    return { ...histogram, counterResetHint };
  }
  const shift = a.schema === CUSTOM_BUCKETS_SCHEMA ? 0 : b.schema - a.schema;
  const positive = addBuckets(
    bucketMap(a.positiveSpans, a.positiveBuckets, 0),
    bucketMap(b.positiveSpans, b.positiveBuckets, shift),
    sign,
  );
  const negative = addBuckets(
    bucketMap(a.negativeSpans, a.negativeBuckets, 0),
    bucketMap(b.negativeSpans, b.negativeBuckets, shift),
    sign,
  );
  return {
    ...a,
    counterResetHint,
    zeroCount: a.zeroCount + sign * b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    positiveSpans: positive.spans,
    positiveBuckets: positive.buckets,
    negativeSpans: negative.spans,
    negativeBuckets: negative.buckets,
  };
}

/** Absolute bucket index → count; with `shift`, indexes of a schema coarser by that many. */
export function bucketMap(
  spans: readonly Span[],
  buckets: readonly number[],
  shift = 0,
): Map<number, number> {
  const map = new Map<number, number>();
  let index = 0;
  let bucket = 0;
  for (const { offset, length } of spans) {
    index += offset;
    for (let i = 0; i < length; i++, index++, bucket++) {
      // Bucket i of schema s covers (base^(i-1), base^i]: merging two rounds up.
      const target = shift === 0 ? index : ((index - 1) >> shift) + 1;
      map.set(target, (map.get(target) ?? 0) + buckets[bucket]);
    }
  }
  return map;
}

function addBuckets(a: Map<number, number>, b: Map<number, number>, sign: number) {
  for (const [index, count] of b) a.set(index, (a.get(index) ?? 0) + sign * count);
  const spans: { offset: number; length: number }[] = [];
  const buckets: number[] = [];
  let next = 0;
  for (const index of [...a.keys()].sort((x, y) => x - y)) {
    const last = spans.at(-1);
    if (last !== undefined && index === next) last.length++;
    else spans.push({ offset: last === undefined ? index : index - next, length: 1 });
    buckets.push(a.get(index) as number);
    next = index + 1;
  }
  return { spans, buckets };
}

function combineHints(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}

function bad(message: string): VeronaError {
  return new VeronaError('bad_data', `error combining histograms: ${message}`);
}

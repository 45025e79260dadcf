import { VeronaError } from './errors.ts';
import type { CounterResetHint, FloatHistogram } from './histogram.ts';
import { bucketBound } from './histogram-buckets.ts';
import {
  equalNumbers,
  mergeIndexes,
  reduceResolution,
  type SparseCounts,
  sparseCounts,
  usesCustomBuckets,
  withSides,
} from './histogram-shape.ts';
import { outsideZero, reconcileZeroBuckets } from './histogram-zero.ts';

/** What came of adding or subtracting two histograms. */
export interface Combined {
  readonly histogram: FloatHistogram;
  /** One said that its counter was reset, the other that it was not: worth a warning. */
  readonly resetCollision: boolean;
  /** Custom bounds differed; the result has those that both had: worth a warning. */
  readonly boundsReconciled: boolean;
}

/** a + b. Throws `execution` for a mix of exponential and custom buckets. */
export function addHistograms(a: FloatHistogram, b: FloatHistogram): Combined {
  return combine(a, b, 1, addedHint(a.counterResetHint, b.counterResetHint));
}

/** a - b, a gauge. Throws `execution` for a mix of exponential and custom buckets. */
export function subtractHistograms(a: FloatHistogram, b: FloatHistogram): Combined {
  return combine(a, b, -1, 'gauge');
}

export function scaleHistogram(histogram: FloatHistogram, factor: number): FloatHistogram {
  return mapCounts(histogram, (count) => count * factor, factor < 0);
}

/** Dividing by zero leaves no buckets. */
export function divideHistogram(histogram: FloatHistogram, divisor: number): FloatHistogram {
  const quotient = mapCounts(histogram, (count) => count / divisor, divisor < 0);
  if (divisor !== 0) return quotient;
  return { ...quotient, positiveSpans: [], positiveBuckets: [], negativeSpans: [], negativeBuckets: [] };
}

const MIXED_SCHEMAS =
  'cannot apply this operation on histograms with a mix of exponential and custom bucket schemas';

/** Both over the same buckets bounds: one schema, one zero threshold, one set of custom bounds. Throws `execution`. */
export function alignHistograms(
  a: FloatHistogram,
  b: FloatHistogram,
): { readonly a: FloatHistogram; readonly b: FloatHistogram; readonly boundsReconciled: boolean } {
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) throw new VeronaError('execution', MIXED_SCHEMAS);
  if (!usesCustomBuckets(a)) {
    const [x, y] = reconcileZeroBuckets(a, b);
    const schema = Math.min(x.schema, y.schema);
    const coarse = dropInsideZero(reduceResolution(y, schema));
    return { a: reduceResolution(x, schema), b: coarse, boundsReconciled: false };
  }
  if (equalNumbers(a.customValues, b.customValues)) return { a, b, boundsReconciled: false };
  const shared = a.customValues.filter((bound) => b.customValues.includes(bound));
  return { a: rebound(a, shared), b: rebound(b, shared), boundsReconciled: true };
}

/** What the second operand has inside its zero bucket does not count, as in Prometheus. */
function dropInsideZero(histogram: FloatHistogram): FloatHistogram {
  const { schema, zeroThreshold } = histogram;
  if (zeroThreshold === 0) return histogram;
  const side = (name: 'positive' | 'negative') =>
    outsideZero(sparseCounts(histogram, name), schema, zeroThreshold);
  return withSides(histogram, side('positive'), side('negative'));
}

/** Calls `visit` with every bucket index of the two and both counts, ascending; 0 where one has none. */
export function visitBoth(
  a: SparseCounts,
  b: SparseCounts,
  visit: (index: number, x: number, y: number) => void,
): void {
  let i = 0;
  let j = 0;
  while (i < a.indexes.length || j < b.indexes.length) {
    const left = a.indexes[i] ?? Number.POSITIVE_INFINITY;
    const right = b.indexes[j] ?? Number.POSITIVE_INFINITY;
    const index = Math.min(left, right);
    visit(index, left === index ? a.counts[i++] : 0, right === index ? b.counts[j++] : 0);
  }
}

/** The custom buckets merged into those between fewer bounds, which are among its own. */
function rebound(histogram: FloatHistogram, bounds: readonly number[]): FloatHistogram {
  const target = (index: number): number => {
    const upper = bucketBound(index, histogram.schema, histogram.customValues);
    const found = bounds.findIndex((bound) => bound >= upper);
    return found < 0 ? bounds.length : found;
  };
  const merged = mergeIndexes(sparseCounts(histogram, 'positive'), target);
  return withSides({ ...histogram, customValues: bounds }, merged, { indexes: [], counts: [] });
}

function combine(
  left: FloatHistogram,
  right: FloatHistogram,
  sign: 1 | -1,
  counterResetHint: CounterResetHint,
): Combined {
  const { a, b, boundsReconciled } = alignHistograms(left, right);
  const side = (name: 'positive' | 'negative'): SparseCounts => {
    const indexes: number[] = [];
    const counts: number[] = [];
    visitBoth(sparseCounts(a, name), sparseCounts(b, name), (index, x, y) => {
      indexes.push(index);
      counts.push(x + sign * y);
    });
    return { indexes, counts };
  };
  const totals: FloatHistogram = {
    ...a,
    counterResetHint,
    zeroCount: a.zeroCount + sign * b.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
  };
  return {
    histogram: withSides(totals, side('positive'), side('negative')),
    resetCollision: hintsCollide(left.counterResetHint, right.counterResetHint),
    boundsReconciled,
  };
}

export function addedHint(a: CounterResetHint, b: CounterResetHint): CounterResetHint {
  if (a === b) return a;
  return a === 'gauge' || b === 'gauge' ? 'gauge' : 'unknown';
}

export function hintsCollide(a: CounterResetHint, b: CounterResetHint): boolean {
  return (a === 'reset' && b === 'not_reset') || (a === 'not_reset' && b === 'reset');
}

function mapCounts(
  histogram: FloatHistogram,
  change: (count: number) => number,
  becomesGauge: boolean,
): FloatHistogram {
  return {
    ...histogram,
    counterResetHint: becomesGauge ? 'gauge' : histogram.counterResetHint,
    zeroCount: change(histogram.zeroCount),
    count: change(histogram.count),
    sum: change(histogram.sum),
    positiveBuckets: histogram.positiveBuckets.map(change),
    negativeBuckets: histogram.negativeBuckets.map(change),
  };
}

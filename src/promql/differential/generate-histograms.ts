import { type AnyHistogram, type CounterResetHint, CUSTOM_BUCKETS_SCHEMA } from '../../model/histogram.ts';
import { spansOf, toDeltas } from '../../model/histogram-spans.ts';
import { STALE_NAN } from '../../model/sample.ts';
import type { CaseSample } from './case.ts';
import { type Chance, often, pick } from './chance.ts';

interface Shape {
  readonly isInteger: boolean;
  readonly isCustom: boolean;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly bounds: readonly number[];
  readonly isGauge: boolean;
  readonly hasNegative: boolean;
}

/** Native histograms over time: counts grow, begin anew, and their shape changes now and then. */
export function generateHistograms(chance: Chance, times: readonly number[]): CaseSample[] {
  const isGauge = often(chance, 25);
  const changes = pick(chance, [0, 0, 5, 15]);
  const isCustom = often(chance, 35);
  const isInteger = often(chance, 60);
  let shape = newShape(chance, isInteger, isCustom, isGauge);
  let positive = new Map<number, number>();
  let negative = new Map<number, number>();
  let zeroCount = 0;
  return times.map((t) => {
    if (often(chance, changes)) shape = newShape(chance, isInteger, often(chance, 85) === isCustom, isGauge);
    if (isGauge || often(chance, 4) || often(chance, changes)) {
      positive = new Map();
      negative = new Map();
      zeroCount = 0;
    }
    observe(chance, positive, shape.isCustom ? shape.bounds.length : 5, shape.isCustom ? 0 : -3);
    if (shape.hasNegative) observe(chance, negative, 3, -2);
    if (!shape.isCustom) zeroCount += chance.int(0, 2);
    const histogram = often(chance, 2)
      ? staleHistogram(shape)
      : histogramOf(chance, shape, positive, shape.hasNegative ? negative : new Map(), zeroCount);
    return { t, v: undefined, histogram, startT: undefined };
  });
}

function newShape(chance: Chance, isInteger: boolean, isCustom: boolean, isGauge: boolean): Shape {
  return {
    isInteger,
    isCustom,
    isGauge,
    schema: isCustom ? CUSTOM_BUCKETS_SCHEMA : pick(chance, [0, 0, 1, 2, -1, 3]),
    zeroThreshold: isCustom ? 0 : pick(chance, [0, 0.001, 0.001, 0.5, 1, 2]),
    bounds: isCustom ? pick(chance, [[1, 2, 5], [1, 2, 5], [0.5, 1, 5, 10], [-1, 0, 2], [3]]) : [],
    hasNegative: !isCustom && often(chance, 40),
  };
}

function observe(chance: Chance, counts: Map<number, number>, most: number, least: number): void {
  for (let i = chance.int(0, 3); i > 0; i--) {
    const index = chance.int(least, most);
    counts.set(index, (counts.get(index) ?? 0) + chance.int(0, 5));
  }
}

function histogramOf(
  chance: Chance,
  shape: Shape,
  positive: ReadonlyMap<number, number>,
  negative: ReadonlyMap<number, number>,
  zeroCount: number,
): AnyHistogram {
  // Buckets that the shape does not have any more are left out.
  const inShape = (index: number) => !shape.isCustom || (index >= 0 && index <= shape.bounds.length);
  const sides = [positive, negative].map((side) =>
    [...side].filter(([index]) => inShape(index)).sort(([a], [b]) => a - b),
  );
  const [above, below] = sides;
  const zero = shape.isCustom ? 0 : zeroCount;
  const sumOf = (side: readonly (readonly [number, number])[]) =>
    side.reduce((sum, [, count]) => sum + count, 0);
  const total = zero + sumOf(above) + sumOf(below);
  const hasNaN = often(chance, 2);
  const buckets = (side: readonly (readonly [number, number])[]) => {
    const counts = side.map(([, count]) => count);
    return shape.isInteger ? toDeltas(counts) : counts;
  };
  const hint: CounterResetHint = shape.isGauge ? 'gauge' : 'unknown';
  return {
    kind: shape.isInteger ? 'integer' : 'float',
    counterResetHint: hint,
    schema: shape.schema,
    zeroThreshold: shape.zeroThreshold,
    zeroCount: zero,
    count: total + (hasNaN ? 2 : 0),
    sum: hasNaN ? Number.NaN : (total * 5 - 3 * sumOf(below)) / 4,
    positiveSpans: spansOf(above.map(([index]) => index)),
    positiveBuckets: buckets(above),
    negativeSpans: spansOf(below.map(([index]) => index)),
    negativeBuckets: buckets(below),
    customValues: shape.bounds,
  };
}

function staleHistogram(shape: Shape): AnyHistogram {
  return {
    kind: shape.isInteger ? 'integer' : 'float',
    counterResetHint: 'unknown',
    schema: shape.isCustom ? 0 : shape.schema,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: STALE_NAN,
    positiveSpans: [],
    positiveBuckets: [],
    negativeSpans: [],
    negativeBuckets: [],
    customValues: [],
  };
}

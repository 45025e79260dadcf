import type { CounterResetHint } from '../../model/histogram.ts';
import { plus, type Sum } from './kahan.ts';
import {
  type Counts,
  compact,
  inOrder,
  isCustom,
  mapCounts,
  negativeBucket,
  type PlainHistogram,
  positiveBucket,
  sameBounds,
} from './plain-histogram.ts';

export function multiply(h: PlainHistogram, factor: number): PlainHistogram {
  return { ...scaled(h, (count) => count * factor), hint: factor < 0 ? 'gauge' : h.hint };
}

/** Division by zero leaves no buckets. */
export function divide(h: PlainHistogram, divisor: number): PlainHistogram {
  const result = scaled(h, (count) => count / divisor);
  if (divisor === 0) return { ...result, positive: new Map(), negative: new Map() };
  return { ...result, hint: divisor < 0 ? 'gauge' : h.hint };
}

function scaled(h: PlainHistogram, change: (count: number) => number): PlainHistogram {
  return {
    ...h,
    zeroCount: change(h.zeroCount),
    count: change(h.count),
    sum: change(h.sum),
    positive: mapCounts(h.positive, change),
    negative: mapCounts(h.negative, change),
  };
}

export interface Combined {
  readonly histogram: PlainHistogram;
  /** One says that it follows a counter reset, the other that it does not. */
  readonly hintsCollide: boolean;
  /** Custom bounds differed; those that both have are kept. */
  readonly boundsReconciled: boolean;
}

/** `a + sign * b`, not compacted; undefined where one has exponential and the other custom buckets. */
export function combine(a: PlainHistogram, b: PlainHistogram, sign: 1 | -1): Combined | undefined {
  if (isCustom(a) !== isCustom(b)) return undefined;
  const hint = combinedHint(a.hint, b.hint);
  const boundsReconciled = isCustom(a) && !sameBounds(a, b);
  const [left, right] = isCustom(a) ? sameCustomBuckets(a, b) : sameExponentialBuckets(a, b);
  const histogram: PlainHistogram = {
    ...left,
    hint: hint ?? 'unknown',
    zeroCount: left.zeroCount + sign * right.zeroCount,
    count: a.count + sign * b.count,
    sum: a.sum + sign * b.sum,
    positive: combineCounts(left.positive, right.positive, sign),
    negative: combineCounts(left.negative, right.negative, sign),
  };
  return {
    histogram: boundsReconciled ? compact(histogram) : histogram,
    hintsCollide: hint === undefined,
    boundsReconciled,
  };
}

/** Undefined for a collision. */
function combinedHint(a: CounterResetHint, b: CounterResetHint): CounterResetHint | undefined {
  if (a === b) return a;
  if (a === 'gauge' || b === 'gauge') return 'gauge';
  if (a === 'unknown' || b === 'unknown') return 'unknown';
  return undefined;
}

function combineCounts(a: Counts, b: Counts, sign: number): Counts {
  const result = new Map(a);
  for (const [index, count] of b) result.set(index, (result.get(index) ?? 0) + sign * count);
  return result;
}

/** Both over the bounds that they have in common. */
export function sameCustomBuckets(a: PlainHistogram, b: PlainHistogram): [PlainHistogram, PlainHistogram] {
  if (sameBounds(a, b)) return [a, b];
  const common = a.bounds.filter((bound) => b.bounds.includes(bound));
  return [overBounds(a, common), overBounds(b, common)];
}

function overBounds(h: PlainHistogram, common: readonly number[]): PlainHistogram {
  const sums = new Map<number, Sum>();
  for (const [index, count] of inOrder(h.positive)) {
    const upper = positiveBucket(h, index, count).upper;
    const found = common.findIndex((bound) => bound >= upper);
    const target = found === -1 ? common.length : found;
    sums.set(target, plus(sums.get(target) ?? { sum: 0, lost: 0 }, count));
  }
  const positive = new Map([...sums].map(([index, { sum, lost }]) => [index, sum + lost]));
  return { ...h, bounds: common, positive };
}

/**
 * Both with the lower of the two resolutions, and with a zero bucket as wide as the wider one, or wider. Buckets of the second
 * that are inside its zero bucket, where none should be, do not count.
 */
export function sameExponentialBuckets(
  a: PlainHistogram,
  b: PlainHistogram,
): [PlainHistogram, PlainHistogram] {
  let [left, right] = [a, b];
  while (left.zeroThreshold !== right.zeroThreshold) {
    if (left.zeroThreshold > right.zeroThreshold) right = withZeroThreshold(right, left.zeroThreshold);
    else left = withZeroThreshold(left, right.zeroThreshold);
  }
  const schema = Math.min(left.schema, right.schema);
  return [withSchema(left, schema), beyondZero(withSchema(right, schema))];
}

/** With a wider zero bucket; wider even than asked for when that would cut a filled bucket in two. */
export function withZeroThreshold(h: PlainHistogram, threshold: number): PlainHistogram {
  if (threshold === h.zeroThreshold) return h;
  const sides = [
    ...inOrder(h.positive).map(([index, count]) => positiveBucket(h, index, count)),
    ...inOrder(h.negative).map(([index, count]) => {
      const { lower, upper } = negativeBucket(h, index, count);
      return { lower: -upper, upper: -lower, count };
    }),
  ];
  const cut = sides.find(({ lower, upper, count }) => lower < threshold && upper > threshold && count !== 0);
  if (cut !== undefined) return withZeroThreshold(h, cut.upper);
  const swallowed = sides.filter(({ upper, lower }) => lower < threshold && upper <= threshold);
  const total = swallowed.reduce((sum: Sum, { count }) => plus(sum, count), { sum: h.zeroCount, lost: 0 });
  const outside = (counts: Counts) =>
    new Map([...counts].filter(([index, count]) => positiveBucket(h, index, count).lower >= threshold));
  return compact({
    ...h,
    zeroThreshold: threshold,
    zeroCount: total.sum + total.lost,
    positive: outside(h.positive),
    negative: outside(h.negative),
  });
}

export function withSchema(h: PlainHistogram, schema: number): PlainHistogram {
  if (schema === h.schema) return h;
  const merge = (counts: Counts) => {
    const merged = new Map<number, number>();
    for (const [index, count] of inOrder(counts)) {
      const target = Math.ceil(index / 2 ** (h.schema - schema));
      merged.set(target, (merged.get(target) ?? 0) + count);
    }
    return merged;
  };
  return { ...h, schema, positive: merge(h.positive), negative: merge(h.negative) };
}

/** A counter reset between two histograms that follow each other: some count went down, or the buckets became finer. */
export function isReset(current: PlainHistogram, previous: PlainHistogram): boolean {
  if (current.hint === 'reset') return true;
  if (current.hint === 'not_reset') return false;
  if (current.count < previous.count) return true;
  if (isCustom(current) && isCustom(previous)) {
    const [now, before] = sameCustomBuckets(current, previous);
    return wentDown(now.positive, before.positive);
  }
  if (isCustom(current) !== isCustom(previous)) return true;
  if (current.schema > previous.schema || current.zeroThreshold < previous.zeroThreshold) return true;
  const before = withZeroThreshold(previous, current.zeroThreshold);
  if (before.zeroThreshold !== current.zeroThreshold || current.zeroCount < before.zeroCount) return true;
  const [now, then] = [beyondZero(current), beyondZero(withSchema(before, current.schema))];
  return wentDown(now.positive, then.positive) || wentDown(now.negative, then.negative);
}

function beyondZero(h: PlainHistogram): PlainHistogram {
  const outside = (counts: Counts) =>
    new Map([...counts].filter(([index, count]) => positiveBucket(h, index, count).upper > h.zeroThreshold));
  return { ...h, positive: outside(h.positive), negative: outside(h.negative) };
}

function wentDown(now: Counts, before: Counts): boolean {
  return [...before].some(([index, count]) => {
    const current = now.get(index);
    return current === undefined ? count !== 0 : current < count;
  });
}

import {
  combine,
  divide,
  multiply,
  sameCustomBuckets,
  sameExponentialBuckets,
  withSchema,
} from './histogram-arithmetic.ts';
import { plus } from './kahan.ts';
import {
  type Counts,
  inOrder,
  isCustom,
  type PlainHistogram,
  positiveBucket,
  sameBounds,
} from './plain-histogram.ts';

/** A sum of histograms and what rounding took away from it so far, bucket by bucket. */
interface Total {
  readonly sum: PlainHistogram;
  readonly lost: PlainHistogram;
}

export interface HistogramTotal {
  /** Undefined for a mix of exponential and custom buckets. Not compacted. */
  readonly histogram: PlainHistogram | undefined;
  readonly boundsReconciled: boolean;
  /** The first that did not fit. */
  readonly misfit?: number;
}

/** The sum of at least one histogram. */
export function sumOfHistograms(histograms: readonly PlainHistogram[]): HistogramTotal {
  let total = begin(histograms[0]);
  let boundsReconciled = false;
  for (const [i, next] of histograms.entries()) {
    if (i === 0) continue;
    const added = add(total, next);
    if (added === undefined) return { histogram: undefined, boundsReconciled, misfit: i };
    boundsReconciled ||= isCustom(next) && !sameBounds(total.sum, next);
    total = added;
  }
  return { histogram: finish(total), boundsReconciled };
}

/** Their mean: of the sum while that is finite, else adjusted with every histogram. */
export function meanOfHistograms(histograms: readonly PlainHistogram[]): HistogramTotal {
  let total = begin(histograms[0]);
  let mean: Total | undefined;
  let boundsReconciled = false;
  for (let count = 2; count <= histograms.length; count++) {
    const next = histograms[count - 1];
    boundsReconciled ||= isCustom(next) && isCustom(total.sum) && !sameBounds((mean ?? total).sum, next);
    if (mean === undefined) {
      const added = add(total, next);
      if (added === undefined) return { histogram: undefined, boundsReconciled, misfit: count - 1 };
      if (!overflows(added.sum)) {
        total = added;
        continue;
      }
      mean = over(total, count - 1);
    }
    const kept = (count - 1) / count;
    const added = add(
      { sum: multiply(mean.sum, kept), lost: multiply(mean.lost, kept) },
      divide(next, count),
    );
    if (added === undefined) return { histogram: undefined, boundsReconciled, misfit: count - 1 };
    mean = added;
  }
  return { histogram: finish(mean ?? over(total, histograms.length)), boundsReconciled };
}

function over({ sum, lost }: Total, count: number): Total {
  return { sum: divide(sum, count), lost: divide(lost, count) };
}

function begin(first: PlainHistogram): Total {
  const nothing = new Map<number, number>();
  return {
    sum: first,
    lost: { ...first, zeroCount: 0, count: 0, sum: 0, positive: nothing, negative: nothing },
  };
}

function finish({ sum, lost }: Total): PlainHistogram {
  return combine(sum, lost, 1)!.histogram;
}

function add(total: Total, next: PlainHistogram): Total | undefined {
  if (isCustom(total.sum) !== isCustom(next)) return undefined;
  const hint = combine(total.sum, next, 1)!.histogram.hint;
  const [sum, other] = isCustom(next)
    ? sameCustomBuckets(total.sum, next)
    : sameExponentialBuckets(total.sum, next);
  const lost = inShapeOf(total.lost, sum);
  const number = (a: number, l: number, b: number) => plus({ sum: a, lost: l }, b);
  const counts = number(sum.count, lost.count, other.count);
  const sums = number(sum.sum, lost.sum, other.sum);
  const zeros = number(sum.zeroCount, lost.zeroCount, other.zeroCount);
  const positive = addCounts(sum.positive, lost.positive, other.positive);
  const negative = addCounts(sum.negative, lost.negative, other.negative);
  return {
    sum: {
      ...sum,
      hint,
      count: counts.sum,
      sum: sums.sum,
      zeroCount: zeros.sum,
      positive: positive.sums,
      negative: negative.sums,
    },
    lost: {
      ...lost,
      hint,
      count: counts.lost,
      sum: sums.lost,
      zeroCount: zeros.lost,
      positive: positive.losses,
      negative: negative.losses,
    },
  };
}

function addCounts(sum: Counts, lost: Counts, other: Counts): { sums: Counts; losses: Counts } {
  const sums = new Map(sum);
  const losses = new Map(lost);
  for (const [index, count] of other) {
    const added = plus({ sum: sum.get(index) ?? 0, lost: lost.get(index) ?? 0 }, count);
    sums.set(index, added.sum);
    losses.set(index, added.lost);
  }
  return { sums, losses };
}

/** The losses over the buckets that the sum has now. */
function inShapeOf(lost: PlainHistogram, sum: PlainHistogram): PlainHistogram {
  if (isCustom(sum)) return sameCustomBuckets(lost, sum)[0];
  const isInside = (index: number) => positiveBucket(lost, index, 0).lower < sum.zeroThreshold;
  const inside = [lost.positive, lost.negative].flatMap((side) =>
    inOrder(side).filter(([index]) => isInside(index)),
  );
  const outside = (counts: Counts) => new Map([...counts].filter(([index]) => !isInside(index)));
  const widened: PlainHistogram = {
    ...lost,
    zeroThreshold: sum.zeroThreshold,
    zeroCount: inside.reduce((total, [, count]) => total + count, lost.zeroCount),
    positive: outside(lost.positive),
    negative: outside(lost.negative),
  };
  return withSchema(widened, sum.schema);
}

function overflows(h: PlainHistogram): boolean {
  const numbers = [h.zeroCount, h.count, h.sum, ...h.positive.values(), ...h.negative.values(), ...h.bounds];
  return numbers.some((number) => number === Infinity || number === -Infinity);
}

import type { FloatHistogram } from './histogram.ts';
import {
  addedHint,
  alignHistograms,
  divideHistogram,
  hintsCollide,
  scaleHistogram,
  visitBoth,
} from './histogram-math.ts';
import { type SparseCounts, sparseCounts, withSides } from './histogram-shape.ts';

/** What adding a histogram was worth a warning for. */
export interface SumRemarks {
  readonly resetCollision: boolean;
  readonly boundsReconciled: boolean;
}

/**
 * The sum of many histograms with Neumaier's compensation in every count, so that adding a million of them does not
 * lose what adding them one by one to a large total would. Where a histogram changes the bucket bounds of the total,
 * the compensation so far is settled first.
 */
export class HistogramSum {
  #total: FloatHistogram;
  /** What was rounded off, over the same buckets as the total. */
  #rest: FloatHistogram;
  #count = 1;

  constructor(first: FloatHistogram) {
    this.#total = first;
    this.#rest = emptied(first);
  }

  /** Histograms added so far, the first one included. */
  get count(): number {
    return this.#count;
  }

  /** Throws `execution` for a mix of exponential and custom buckets; then nothing was added. */
  add(histogram: FloatHistogram): SumRemarks {
    const hint = this.#total.counterResetHint;
    const { a, b, boundsReconciled } = alignHistograms(this.#total, histogram);
    if (sameBounds(a, this.#total)) this.#addAligned(this.#total, this.#rest, b);
    else {
      const settled = alignHistograms(this.value(), histogram);
      this.#addAligned(settled.a, emptied(settled.a), settled.b);
    }
    this.#count++;
    this.#total = { ...this.#total, counterResetHint: addedHint(hint, histogram.counterResetHint) };
    return { resetCollision: hintsCollide(hint, histogram.counterResetHint), boundsReconciled };
  }

  /** Multiplies what was added so far, compensation included: a running mean is a sum that is scaled before each step. */
  scale(factor: number): void {
    this.#total = scaleHistogram(this.#total, factor);
    this.#rest = scaleHistogram(this.#rest, factor);
  }

  /** As `scale`, but exact where one over the divisor would not be. */
  divide(divisor: number): void {
    this.#total = divideHistogram(this.#total, divisor);
    this.#rest = divideHistogram(this.#rest, divisor);
  }

  value(): FloatHistogram {
    const total = this.#total;
    const rest = this.#rest;
    return {
      ...total,
      zeroCount: settle(total.zeroCount, rest.zeroCount),
      count: settle(total.count, rest.count),
      sum: settle(total.sum, rest.sum),
      positiveBuckets: total.positiveBuckets.map((x, i) => settle(x, rest.positiveBuckets[i])),
      negativeBuckets: total.negativeBuckets.map((x, i) => settle(x, rest.negativeBuckets[i])),
    };
  }

  mean(): FloatHistogram {
    return divideHistogram(this.value(), this.#count);
  }

  #addAligned(total: FloatHistogram, rest: FloatHistogram, histogram: FloatHistogram): void {
    const positive = addSides(total, rest, histogram, 'positive');
    const negative = addSides(total, rest, histogram, 'negative');
    const zeroCount = kahan(histogram.zeroCount, total.zeroCount, rest.zeroCount);
    const count = kahan(histogram.count, total.count, rest.count);
    const sum = kahan(histogram.sum, total.sum, rest.sum);
    this.#total = withSides(
      { ...total, zeroCount: zeroCount[0], count: count[0], sum: sum[0] },
      positive.total,
      negative.total,
    );
    this.#rest = withSides(
      { ...total, zeroCount: zeroCount[1], count: count[1], sum: sum[1] },
      positive.rest,
      negative.rest,
    );
  }
}

/** The sum and its compensation after adding `inc`. */
function kahan(inc: number, sum: number, c: number): readonly [sum: number, c: number] {
  const t = sum + inc;
  if (t === Number.POSITIVE_INFINITY || t === Number.NEGATIVE_INFINITY) return [t, 0];
  return [t, c + (Math.abs(sum) >= Math.abs(inc) ? sum - t + inc : inc - t + sum)];
}

function settle(sum: number, c: number): number {
  return Number.isFinite(sum) ? sum + c : sum;
}

function addSides(
  total: FloatHistogram,
  rest: FloatHistogram,
  histogram: FloatHistogram,
  side: 'positive' | 'negative',
): { total: SparseCounts; rest: SparseCounts } {
  const own = sparseCounts(total, side);
  const old = sparseCounts(rest, side);
  const compensation = new Map(own.indexes.map((index, i) => [index, old.counts[i]]));
  const indexes: number[] = [];
  const sums: number[] = [];
  const rests: number[] = [];
  visitBoth(own, sparseCounts(histogram, side), (index, x, y) => {
    const [sum, c] = kahan(y, x, compensation.get(index) ?? 0);
    indexes.push(index);
    sums.push(sum);
    rests.push(c);
  });
  return { total: { indexes, counts: sums }, rest: { indexes, counts: rests } };
}

function emptied(histogram: FloatHistogram): FloatHistogram {
  const zeros = (counts: readonly number[]) => counts.map(() => 0);
  return {
    ...histogram,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveBuckets: zeros(histogram.positiveBuckets),
    negativeBuckets: zeros(histogram.negativeBuckets),
  };
}

function sameBounds(a: FloatHistogram, b: FloatHistogram): boolean {
  return a.schema === b.schema && a.zeroThreshold === b.zeroThreshold && a.customValues === b.customValues;
}

import type { FloatHistogram } from '../../model/histogram.ts';
import { divideHistogram } from '../../model/histogram-math.ts';
import { compactHistogram, usesCustomBuckets } from '../../model/histogram-shape.ts';
import { HistogramSum } from '../../model/histogram-sum.ts';
import { infoText, warningText } from '../annotations.ts';

/** Where what is worth knowing about a total goes. */
export interface TotalRemarks {
  warn(message: string): void;
  info(message: string): void;
}

/** Sums or means of histograms, one per cell. */
export class HistogramTotals {
  readonly #kind: 'sum' | 'avg';
  readonly #totals = new Map<number, Total>();

  constructor(kind: 'sum' | 'avg') {
    this.#kind = kind;
  }

  has(cell: number): boolean {
    return this.#totals.has(cell);
  }

  /** False when it does not fit those before it: exponential and custom buckets met. */
  add(cell: number, histogram: FloatHistogram): boolean {
    const total = this.#totals.get(cell);
    if (total === undefined) this.#totals.set(cell, new Total(histogram, this.#kind === 'avg'));
    else total.add(histogram);
    return total?.mixed !== true;
  }

  /** The total of a cell all of whose histograms fit together. */
  finish(cell: number, remarks: TotalRemarks): FloatHistogram {
    const total = this.#totals.get(cell)!;
    if (total.resetSeen && total.noResetSeen) remarks.warn(warningText.counterResetCollision('aggregation'));
    this.remark(cell, remarks.info);
    return compactHistogram(total.value());
  }

  /** Says what had to be done to add up, even if that came to nothing. */
  remark(cell: number, info: (message: string) => void): void {
    if (this.#totals.get(cell)?.reconciled) info(infoText.mismatchedCustomBuckets('aggregation'));
  }
}

/** One sum or mean in the making. */
class Total {
  mixed = false;
  resetSeen = false;
  noResetSeen = false;
  reconciled = false;
  readonly #sum: HistogramSum;
  readonly #isCustom: boolean;
  readonly #isMean: boolean;
  /** No number of the sum is larger. */
  #bound: number;
  /** The sum might have overflowed and is a running mean from then on. */
  #isRunning = false;
  #count = 1;

  constructor(first: FloatHistogram, isMean: boolean) {
    this.#sum = new HistogramSum(first);
    this.#isCustom = usesCustomBuckets(first);
    this.#isMean = isMean;
    this.#bound = largestNumber(first);
    this.#noteHint(first);
  }

  add(histogram: FloatHistogram): void {
    this.#noteHint(histogram);
    if (usesCustomBuckets(histogram) !== this.#isCustom) this.mixed = true;
    if (this.mixed) return;
    this.#bound += largestNumber(histogram);
    this.#count++;
    if (this.#isMean && this.#bound === Infinity) this.#addToMean(histogram);
    else if (this.#sum.add(histogram).boundsReconciled) this.reconciled = true;
  }

  value(): FloatHistogram {
    return this.#isMean && !this.#isRunning ? this.#sum.mean() : this.#sum.value();
  }

  #addToMean(histogram: FloatHistogram): void {
    const before = this.#count - 1;
    if (!this.#isRunning) this.#sum.divide(before);
    this.#isRunning = true;
    this.#sum.scale(before / this.#count);
    if (this.#sum.add(divideHistogram(histogram, this.#count)).boundsReconciled) this.reconciled = true;
  }

  #noteHint({ counterResetHint }: FloatHistogram): void {
    if (counterResetHint === 'reset') this.resetSeen = true;
    if (counterResetHint === 'not_reset') this.noResetSeen = true;
  }
}

function largestNumber(histogram: FloatHistogram): number {
  let largest = Math.max(Math.abs(histogram.count), Math.abs(histogram.zeroCount));
  if (Math.abs(histogram.sum) > largest) largest = Math.abs(histogram.sum);
  for (const count of histogram.positiveBuckets) if (Math.abs(count) > largest) largest = Math.abs(count);
  for (const count of histogram.negativeBuckets) if (Math.abs(count) > largest) largest = Math.abs(count);
  return largest;
}

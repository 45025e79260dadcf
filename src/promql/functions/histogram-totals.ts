import type { FloatHistogram } from '../../model/histogram.ts';
import { compactHistogram, usesCustomBuckets } from '../../model/histogram-shape.ts';
import { HistogramSum } from '../../model/histogram-sum.ts';

/** Where what is worth knowing about a total goes. */
export interface TotalRemarks {
  warn(message: string): void;
  info(message: string): void;
  /** Exponential and custom buckets met: there is no total. */
  mixedSchemas(): void;
}

interface Total {
  readonly sum: HistogramSum;
  readonly isCustom: boolean;
  mixed: boolean;
  resetSeen: boolean;
  noResetSeen: boolean;
  reconciled: boolean;
}

/** Sums or means of histograms, one per cell. */
export class HistogramTotals {
  readonly #kind: 'sum' | 'avg';
  readonly #totals = new Map<number, Total>();

  constructor(kind: 'sum' | 'avg') {
    this.#kind = kind;
  }

  add(cell: number, histogram: FloatHistogram): void {
    let total = this.#totals.get(cell);
    if (total === undefined) this.#totals.set(cell, (total = newTotal(histogram)));
    else if (usesCustomBuckets(histogram) !== total.isCustom) total.mixed = true;
    else if (total.sum.add(histogram).boundsReconciled) total.reconciled = true;
    if (histogram.counterResetHint === 'reset') total.resetSeen = true;
    if (histogram.counterResetHint === 'not_reset') total.noResetSeen = true;
  }

  /** The total of a cell that was added to; undefined when its histograms do not fit together. */
  finish(cell: number, remarks: TotalRemarks): FloatHistogram | undefined {
    const total = this.#totals.get(cell)!;
    if (total.resetSeen && total.noResetSeen)
      remarks.warn('PromQL warning: conflicting counter resets during histogram aggregation');
    if (total.reconciled)
      remarks.info('PromQL info: mismatched custom buckets were reconciled during aggregation');
    if (total.mixed) {
      remarks.mixedSchemas();
      return undefined;
    }
    return compactHistogram(this.#kind === 'sum' ? total.sum.value() : total.sum.mean());
  }
}

function newTotal(first: FloatHistogram): Total {
  return {
    sum: new HistogramSum(first),
    isCustom: usesCustomBuckets(first),
    mixed: false,
    resetSeen: false,
    noResetSeen: false,
    reconciled: false,
  };
}

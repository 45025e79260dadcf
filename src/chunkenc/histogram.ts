import type { Histogram } from '../model/histogram.ts';
import { countBuckets } from '../model/histogram-spans.ts';
import { isStale } from '../model/sample.ts';
import type { BitReader, BitWriter } from './bits.ts';
import {
  type HistogramFields,
  type HistogramSample,
  isStaleHistogram,
  staleHistogram,
} from './histogram-fields.ts';
import type { HistogramLayout } from './histogram-layout.ts';
import { readVarbitInt, readVarbitUint, writeVarbitInt, writeVarbitUint } from './varbit.ts';
import { XorValue } from './xor-value.ts';

/**
 * Samples of an integer histogram chunk. All but the sum are varbit integers; buckets are the histogram's own
 * deltas from bucket to bucket, and those are delta-coded over time once more:
 *
 *   sample 0     t    count    zero count    sum 8B     buckets …
 *   sample ≥ 1   ΔΔt  ΔΔcount  ΔΔzero count  sum (xor)  ΔΔbuckets …      nothing after the sum when it is stale
 */
export class IntegerFields implements HistogramFields<Histogram> {
  readonly #t = new DoubleDelta();
  readonly #count = new DoubleDelta();
  readonly #zeroCount = new DoubleDelta();
  readonly #sum = new XorValue();
  #positive: DoubleDelta[] = [];
  #negative: DoubleDelta[] = [];

  writeFirst(out: BitWriter, t: number, histogram: Histogram): void {
    writeVarbitInt(out, this.#t.start(t));
    writeVarbitUint(out, this.#count.start(histogram.count));
    writeVarbitUint(out, this.#zeroCount.start(histogram.zeroCount));
    this.#sum.writeFirst(out, histogram.sum);
    this.#positive = histogram.positiveBuckets.map(() => new DoubleDelta());
    this.#negative = histogram.negativeBuckets.map(() => new DoubleDelta());
    for (const [i, delta] of histogram.positiveBuckets.entries())
      writeVarbitInt(out, this.#positive[i].start(delta));
    for (const [i, delta] of histogram.negativeBuckets.entries())
      writeVarbitInt(out, this.#negative[i].start(delta));
  }

  writeNext(out: BitWriter, t: number, histogram: Histogram): void {
    writeVarbitInt(out, this.#t.next(t));
    const countDod = this.#count.next(histogram.count);
    const zeroCountDod = this.#zeroCount.next(histogram.zeroCount);
    const stale = isStaleHistogram(histogram);
    writeVarbitInt(out, stale ? 0 : countDod);
    writeVarbitInt(out, stale ? 0 : zeroCountDod);
    this.#sum.writeNext(out, histogram.sum);
    if (stale) return;
    for (const [i, delta] of histogram.positiveBuckets.entries())
      writeVarbitInt(out, this.#positive[i].next(delta));
    for (const [i, delta] of histogram.negativeBuckets.entries())
      writeVarbitInt(out, this.#negative[i].next(delta));
  }

  readFirst(from: BitReader, layout: HistogramLayout): HistogramSample<Histogram> {
    this.#t.start(readVarbitInt(from));
    this.#count.start(readVarbitUint(from));
    this.#zeroCount.start(readVarbitUint(from));
    this.#sum.readFirst(from);
    this.#positive = readFirstBuckets(from, countBuckets(layout.positiveSpans));
    this.#negative = readFirstBuckets(from, countBuckets(layout.negativeSpans));
    return this.#sample(layout);
  }

  readNext(from: BitReader, layout: HistogramLayout): HistogramSample<Histogram> {
    this.#t.add(readVarbitInt(from));
    this.#count.add(readVarbitInt(from));
    this.#zeroCount.add(readVarbitInt(from));
    this.#sum.readNext(from);
    if (!isStale(this.#sum.value)) {
      for (const bucket of this.#positive) bucket.add(readVarbitInt(from));
      for (const bucket of this.#negative) bucket.add(readVarbitInt(from));
    }
    return this.#sample(layout);
  }

  #sample(layout: HistogramLayout): HistogramSample<Histogram> {
    const t = this.#t.value;
    const sum = this.#sum.value;
    if (isStale(sum)) return { t, histogram: staleHistogram('integer') };
    const histogram: Histogram = {
      kind: 'integer',
      counterResetHint: 'unknown',
      ...layout,
      count: this.#count.value,
      zeroCount: this.#zeroCount.value,
      sum,
      positiveBuckets: this.#positive.map((bucket) => bucket.value),
      negativeBuckets: this.#negative.map((bucket) => bucket.value),
    };
    return { t, histogram };
  }
}

/** A value known by its change of change. */
class DoubleDelta {
  value = 0;
  #delta = 0;

  start(value: number): number {
    this.value = value;
    this.#delta = 0;
    return value;
  }

  /** Goes to `value`; returns the change of change. */
  next(value: number): number {
    const delta = value - this.value;
    const dod = delta - this.#delta;
    this.value = value;
    this.#delta = delta;
    return dod;
  }

  add(dod: number): void {
    this.#delta += dod;
    this.value += this.#delta;
  }
}

function readFirstBuckets(from: BitReader, count: number): DoubleDelta[] {
  return Array.from({ length: count }, () => {
    const bucket = new DoubleDelta();
    bucket.start(readVarbitInt(from));
    return bucket;
  });
}

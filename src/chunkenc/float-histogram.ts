import { VeronaError } from '../model/errors.ts';
import type { FloatHistogram } from '../model/histogram.ts';
import { countBuckets } from '../model/histogram-spans.ts';
import { isStale } from '../model/sample.ts';
import type { BitReader, BitWriter } from './bits.ts';
import { type HistogramFields, type HistogramSample, staleHistogram } from './histogram-fields.ts';
import type { HistogramLayout } from './histogram-layout.ts';
import { readVarbitInt, writeVarbitInt } from './varbit.ts';
import { XorValue } from './xor-value.ts';

/**
 * Samples of a float histogram chunk. Buckets are absolute, each an XOR-coded value of its own:
 *
 *   sample 0     t    count 8B     zero count 8B     sum 8B     buckets 8B …
 *   sample ≥ 1   ΔΔt  count (xor)  zero count (xor)  sum (xor)  buckets (xor) …     nothing after the sum when it is stale
 */
export class FloatFields implements HistogramFields<FloatHistogram> {
  #t = 0;
  #delta = 0;
  readonly #count = new XorValue();
  readonly #zeroCount = new XorValue();
  readonly #sum = new XorValue();
  #positive: XorValue[] = [];
  #negative: XorValue[] = [];

  writeFirst(out: BitWriter, t: number, histogram: FloatHistogram): void {
    this.#t = t;
    writeVarbitInt(out, t);
    this.#count.writeFirst(out, histogram.count);
    this.#zeroCount.writeFirst(out, histogram.zeroCount);
    this.#sum.writeFirst(out, histogram.sum);
    this.#positive = histogram.positiveBuckets.map((count) => writeFirstBucket(out, count));
    this.#negative = histogram.negativeBuckets.map((count) => writeFirstBucket(out, count));
  }

  writeNext(out: BitWriter, t: number, histogram: FloatHistogram): void {
    const delta = t - this.#t;
    writeVarbitInt(out, delta - this.#delta);
    this.#t = t;
    this.#delta = delta;
    this.#count.writeNext(out, histogram.count);
    this.#zeroCount.writeNext(out, histogram.zeroCount);
    this.#sum.writeNext(out, histogram.sum);
    for (const [i, count] of histogram.positiveBuckets.entries()) this.#positive[i].writeNext(out, count);
    for (const [i, count] of histogram.negativeBuckets.entries()) this.#negative[i].writeNext(out, count);
  }

  readFirst(from: BitReader, layout: HistogramLayout): HistogramSample<FloatHistogram> {
    const positiveCount = countBuckets(layout.positiveSpans);
    const negativeCount = countBuckets(layout.negativeSpans);
    if (64 * (positiveCount + negativeCount) > from.bitsLeft)
      throw new VeronaError(
        'corrupt',
        `${positiveCount + negativeCount} float buckets in ${from.bitsLeft} bits`,
      );
    this.#t = readVarbitInt(from);
    this.#count.readFirst(from);
    this.#zeroCount.readFirst(from);
    this.#sum.readFirst(from);
    this.#positive = readFirstBuckets(from, positiveCount);
    this.#negative = readFirstBuckets(from, negativeCount);
    return this.#sample(layout);
  }

  readNext(from: BitReader, layout: HistogramLayout): HistogramSample<FloatHistogram> {
    this.#delta += readVarbitInt(from);
    this.#t += this.#delta;
    this.#count.readNextBits(from);
    this.#zeroCount.readNextBits(from);
    this.#sum.readNextBits(from);
    if (!isStale(this.#sum.value)) {
      for (const bucket of this.#positive) bucket.readNextBits(from);
      for (const bucket of this.#negative) bucket.readNextBits(from);
    }
    return this.#sample(layout);
  }

  #sample(layout: HistogramLayout): HistogramSample<FloatHistogram> {
    const t = this.#t;
    const sum = this.#sum.value;
    if (isStale(sum)) return { t, histogram: staleHistogram('float') };
    const histogram: FloatHistogram = {
      kind: 'float',
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

function writeFirstBucket(out: BitWriter, count: number): XorValue {
  const bucket = new XorValue();
  bucket.writeFirst(out, count);
  return bucket;
}

function readFirstBuckets(from: BitReader, count: number): XorValue[] {
  return Array.from({ length: count }, () => {
    const bucket = new XorValue();
    bucket.readFirst(from);
    return bucket;
  });
}

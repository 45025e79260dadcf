import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA } from '../../../model/histogram.ts';
import { compactHistogram } from '../../../model/histogram-shape.ts';
import { toDeltas } from '../../../model/histogram-spans.ts';

/**
 * Collects the parts of one classic histogram, in any order, and makes of them a native one with custom bounds (NHCB), as
 * Prometheus' `convert_classic_histograms_to_nhcb`. Parts that contradict one another make none.
 */
export class ClassicHistogram {
  readonly #counts = new Map<number, number>();
  #count: number | undefined;
  #sum = 0;
  #isWrong = false;

  setCount(count: number): void {
    if (count < 0) this.#isWrong = true;
    this.#count = count;
  }

  setSum(sum: number): void {
    this.#sum = sum;
  }

  /** `count` is cumulative. The first one of equal bounds counts. */
  setBucket(bound: number, count: number): void {
    if (Number.isNaN(bound) || count < 0) this.#isWrong = true;
    else if (!this.#counts.has(bound)) this.#counts.set(bound, count);
  }

  convert(isGauge = false): AnyHistogram | undefined {
    if (this.#isWrong) return undefined;
    const bounds = [...this.#counts.keys()].sort((a, b) => a - b);
    const cumulative = bounds.map((bound) => this.#counts.get(bound) as number);
    const count = this.#count ?? cumulative.at(-1) ?? 0;
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) {
      bounds.push(Number.POSITIVE_INFINITY);
      cumulative.push(count);
    }
    if (cumulative.at(-1) !== count || cumulative.some((n, i) => i > 0 && n < cumulative[i - 1]))
      return undefined;
    return this.#histogram(bounds.slice(0, -1), toDeltas(cumulative), count, isGauge);
  }

  #histogram(
    customValues: readonly number[],
    counts: readonly number[],
    count: number,
    isGauge: boolean,
  ): AnyHistogram {
    const base = {
      counterResetHint: isGauge ? 'gauge' : 'unknown',
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      zeroCount: 0,
      count,
      sum: this.#sum,
      positiveSpans: [{ offset: 0, length: counts.length }],
      negativeSpans: [],
      negativeBuckets: [],
      customValues,
    } as const;
    const isInteger = Number.isInteger(count) && counts.every(Number.isInteger);
    return compactHistogram<AnyHistogram>(
      isInteger
        ? { ...base, kind: 'integer', positiveBuckets: toDeltas(counts) }
        : { ...base, kind: 'float', positiveBuckets: counts },
    );
  }
}

import type { AnyHistogram } from '../model/histogram.ts';
import { isStale, STALE_NAN } from '../model/sample.ts';
import type { BitReader, BitWriter } from './bits.ts';
import type { HistogramLayout } from './histogram-layout.ts';

/**
 * How the samples of a histogram chunk are written after the layout; one object per chunk, with the state that the
 * next sample is relative to. Integer and float chunks differ only here.
 */
export interface HistogramFields<H extends AnyHistogram> {
  /** The histogram has the buckets of the layout, or is the bare stale one. */
  writeFirst(out: BitWriter, t: number, histogram: H): void;
  writeNext(out: BitWriter, t: number, histogram: H): void;
  readFirst(from: BitReader, layout: HistogramLayout): HistogramSample<H>;
  readNext(from: BitReader, layout: HistogramLayout): HistogramSample<H>;
}

export interface HistogramSample<H extends AnyHistogram> {
  readonly t: number;
  readonly histogram: H;
}

/** What is left of a histogram that marks its series stale: nothing but the marker as sum. */
export function staleHistogram<K extends AnyHistogram['kind']>(kind: K): AnyHistogram & { kind: K } {
  return {
    kind,
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: STALE_NAN,
    positiveSpans: [],
    negativeSpans: [],
    positiveBuckets: [],
    negativeBuckets: [],
    customValues: [],
  } as unknown as AnyHistogram & { kind: K };
}

export function isStaleHistogram(histogram: AnyHistogram): boolean {
  return isStale(histogram.sum);
}

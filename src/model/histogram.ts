/** `length` consecutive buckets after a gap of `offset` (for the first span: from bucket 0, may be negative). */
export interface Span {
  readonly offset: number;
  readonly length: number;
}

export type CounterResetHint = 'unknown' | 'reset' | 'not_reset' | 'gauge';

/** The schema of histograms with custom bounds (NHCB); exponential ones have -4 … 8. */
export const CUSTOM_BUCKETS_SCHEMA = -53;

interface HistogramBase {
  readonly counterResetHint: CounterResetHint;
  readonly schema: number;
  readonly zeroThreshold: number;
  readonly zeroCount: number;
  readonly count: number;
  /** The staleness marker here makes the whole histogram stale. */
  readonly sum: number;
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
  /** Upper bounds for the custom schema, ascending, without +Inf; empty otherwise. */
  readonly customValues: readonly number[];
}

/** A native histogram with integer counts. Buckets are deltas to the previous bucket, the first one absolute. Counts are exact up to 2^53. */
export interface Histogram extends HistogramBase {
  readonly kind: 'integer';
  readonly positiveBuckets: readonly number[];
  readonly negativeBuckets: readonly number[];
}

/** A native histogram with float counts. Buckets are absolute. */
export interface FloatHistogram extends HistogramBase {
  readonly kind: 'float';
  readonly positiveBuckets: readonly number[];
  readonly negativeBuckets: readonly number[];
}

export type AnyHistogram = Histogram | FloatHistogram;

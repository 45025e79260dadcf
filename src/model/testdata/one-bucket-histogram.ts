import type { Histogram } from '../histogram.ts';

/** A native histogram with all of `count` observations in one bucket, and their sum twice as much. */
export function oneBucketHistogram(count: number, more: Partial<Histogram> = {}): Histogram {
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    count,
    sum: 2 * count,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    positiveBuckets: [count],
    negativeBuckets: [],
    customValues: [],
    ...more,
  };
}

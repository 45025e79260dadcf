import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA, type Span } from '../model/histogram.ts';
import {
  absoluteCounts,
  bucketIndexes,
  countBuckets,
  equalSpans,
  mergeSpans,
  spreadCounts,
  toDeltas,
} from '../model/histogram-spans.ts';
import { isStaleHistogram } from './histogram-fields.ts';
import { ResetHeader } from './reset-header.ts';

/** Whether and how a histogram goes into the chunk whose newest sample is `last`. */
export interface Fit {
  readonly fits: boolean;
  /** What the header of the next chunk says when the histogram begins it. */
  readonly reset: ResetHeader;
  /** The chunk must be written anew over more buckets first. */
  readonly chunkGrows: boolean;
  /** The buckets of the histogram, and of the chunk if it grows. */
  readonly positiveSpans: readonly Span[];
  readonly negativeSpans: readonly Span[];
}

/**
 * Prometheus' rules: a chunk has one schema, zero threshold and set of custom bounds; after a stale sample only stale
 * ones follow; a counter chunk ends when any count went down. Buckets that only one side has are fine: new ones
 * widen the chunk, and ones that vanished are written as 0 if they were 0 before (always, for gauges).
 */
export function fitHistogram(last: AnyHistogram, next: AnyHistogram, chunkIsGauge: boolean): Fit {
  const nextIsGauge = next.counterResetHint === 'gauge';
  if (chunkIsGauge !== nextIsGauge)
    return misfit(next.kind === 'integer' ? ResetHeader.notReset : ResetHeader.unknown);
  if (!nextIsGauge && next.counterResetHint === 'reset') return misfit(ResetHeader.reset);
  if (isStaleHistogram(next)) return fitAsIs(last);
  if (isStaleHistogram(last)) return misfit(ResetHeader.unknown);
  if (!nextIsGauge && next.count < last.count) return misfit(ResetHeader.reset);
  if (next.schema !== last.schema || next.zeroThreshold !== last.zeroThreshold)
    return misfit(ResetHeader.unknown);
  if (next.schema === CUSTOM_BUCKETS_SCHEMA && !equalBounds(next.customValues, last.customValues))
    return misfit(ResetHeader.reset);
  if (!nextIsGauge && next.zeroCount < last.zeroCount) return misfit(ResetHeader.reset);

  const positive = compareBuckets(last, next, 'positive', nextIsGauge);
  const negative = compareBuckets(last, next, 'negative', nextIsGauge);
  if (positive === 'reset' || negative === 'reset') return misfit(ResetHeader.reset);
  const chunkGrows = positive.onlyNext || negative.onlyNext;
  const nextGrows = positive.onlyLast || negative.onlyLast;
  if (!chunkGrows && nextGrows) return fitAsIs(last);
  const spans = (own: readonly Span[], old: readonly Span[], change: Difference): readonly Span[] =>
    nextIsGauge && nextGrows ? mergeSpans(old, own) : change.onlyLast ? mergeSpans(old, own) : own;
  return {
    fits: true,
    reset: ResetHeader.notReset,
    chunkGrows,
    positiveSpans: spans(next.positiveSpans, last.positiveSpans, positive),
    negativeSpans: spans(next.negativeSpans, last.negativeSpans, negative),
  };
}

/** The histogram over other buckets, which contain its own; a stale one stays bare. */
export function layOut<H extends AnyHistogram>(
  histogram: H,
  positiveSpans: readonly Span[],
  negativeSpans: readonly Span[],
): H {
  if (isStaleHistogram(histogram)) return histogram;
  const side = (name: 'positive' | 'negative', own: readonly Span[], to: readonly Span[]) => {
    const buckets = name === 'positive' ? histogram.positiveBuckets : histogram.negativeBuckets;
    if (equalSpans(own, to)) return buckets;
    const counts = spreadCounts(absoluteCounts(histogram, name), own, to);
    return histogram.kind === 'integer' ? toDeltas(counts) : counts;
  };
  return {
    ...histogram,
    positiveSpans,
    negativeSpans,
    positiveBuckets: side('positive', histogram.positiveSpans, positiveSpans),
    negativeBuckets: side('negative', histogram.negativeSpans, negativeSpans),
  };
}

interface Difference {
  readonly onlyLast: boolean;
  readonly onlyNext: boolean;
}

/** Which side has buckets the other lacks; `reset` when a counter's bucket went down or vanished with a count in it. */
function compareBuckets(
  last: AnyHistogram,
  next: AnyHistogram,
  side: 'positive' | 'negative',
  isGauge: boolean,
): Difference | 'reset' {
  const lastSpans = side === 'positive' ? last.positiveSpans : last.negativeSpans;
  const nextSpans = side === 'positive' ? next.positiveSpans : next.negativeSpans;
  const before = absoluteCounts(last, side);
  const after = absoluteCounts(next, side);
  if (equalSpans(lastSpans, nextSpans)) {
    const wentDown = !isGauge && before.some((count, i) => count > after[i]);
    return wentDown ? 'reset' : { onlyLast: false, onlyNext: false };
  }
  const counts = new Map(bucketIndexes(nextSpans).map((index, i) => [index, after[i]]));
  let onlyLast = 0;
  for (const [i, index] of bucketIndexes(lastSpans).entries()) {
    const count = counts.get(index);
    if (count === undefined) onlyLast++;
    if (!isGauge && (count === undefined ? before[i] !== 0 : before[i] > count)) return 'reset';
  }
  const shared = countBuckets(lastSpans) - onlyLast;
  return { onlyLast: onlyLast > 0, onlyNext: countBuckets(nextSpans) > shared };
}

function misfit(reset: ResetHeader): Fit {
  return { fits: false, reset, chunkGrows: false, positiveSpans: [], negativeSpans: [] };
}

function fitAsIs(last: AnyHistogram): Fit {
  const { positiveSpans, negativeSpans } = last;
  return { fits: true, reset: ResetHeader.notReset, chunkGrows: false, positiveSpans, negativeSpans };
}

function equalBounds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((bound, i) => bound === b[i]);
}

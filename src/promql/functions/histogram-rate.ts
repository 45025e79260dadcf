import type { FloatHistogram } from '../../model/histogram.ts';
import {
  addHistograms,
  divideHistogram,
  scaleHistogram,
  subtractHistograms,
} from '../../model/histogram-math.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import { compactHistogram, usesCustomBuckets } from '../../model/histogram-shape.ts';
import { infoText, warningText } from '../annotations.ts';
import { extrapolation, type RateKind, startInside } from './extrapolation.ts';
import { warnMixedSchemas, warnStartOverlap } from './remarks.ts';
import { hasOverlap, startsAnew } from './start-time.ts';
import type { Window } from './window.ts';

/**
 * `rate`, `increase` and `delta` of the histograms of a window, of which there is one at least; one alone has a result
 * when its start timestamp lies in the window.
 */
export function histogramRate(w: Window, kind: RateKind): 0 | 2 {
  const { histogramTimes: times, histogramStarts: starts, h0, h1 } = w;
  const histograms = w.histograms.slice(h0, h1);
  const startedAt = kind.isCounter ? startInside(w, times, starts, h0) : undefined;
  const change = histograms.length > 1 ? histogramChange(w, histograms, kind.isCounter) : undefined;
  if (change === undefined && (histograms.length > 1 || startedAt === undefined)) return 0;
  const total = startedAt === undefined ? change! : withFirst(w, change, histograms[0]);
  if (total === undefined) return 0;
  const samples = {
    firstTime: times[h0],
    lastTime: times[h1 - 1],
    count: histograms.length,
    change: total.count,
    firstValue: kind.isCounter ? histograms[0].count : undefined,
    startedAt,
  };
  const scaled = scaleHistogram(total, extrapolation(w, samples, kind.isRate));
  w.histogram = change === undefined ? scaled : { ...scaled, counterResetHint: 'gauge' };
  return 2;
}

/** The change since the counter began: what the first sample has counts too. Undefined for a mix of schemas. */
function withFirst(
  w: Window,
  change: FloatHistogram | undefined,
  first: FloatHistogram,
): FloatHistogram | undefined {
  if (change === undefined) return first;
  if (usesCustomBuckets(change) !== usesCustomBuckets(first)) {
    warnMixedSchemas(w);
    return undefined;
  }
  return addChange(w, change, first);
}

/** The last histogram less the first, plus what resets took away; a gauge. Undefined for a mix of schemas. */
function histogramChange(
  w: Window,
  histograms: readonly FloatHistogram[],
  isCounter: boolean,
): FloatHistogram | undefined {
  const last = histograms.at(-1)!;
  const isReset = (i: number, previous: FloatHistogram) =>
    startsAnew(w.histogramTimes, w.histogramStarts, w.h0 + i) || detectReset(histograms[i], previous);
  // The first histogram does not count when the second begins anew, so its buckets need not fit either.
  const first = isCounter && isReset(1, histograms[0]) ? emptyLike(histograms[1]) : histograms[0];
  remarkKinds(w, histograms, isCounter);
  const relevant = isCounter ? [first, ...histograms.slice(1)] : [first, last];
  if (relevant.some((histogram) => usesCustomBuckets(histogram) !== usesCustomBuckets(last))) {
    warnMixedSchemas(w);
    return undefined;
  }
  if (isCounter && w.histogramStarts && hasOverlap(w.histogramTimes, w.histogramStarts, w.h0, w.h1))
    warnStartOverlap(w);
  const difference = subtractHistograms(last, first);
  if (difference.boundsReconciled) remarkReconciled(w, 'subtraction');
  let change = difference.histogram;
  let previous = first;
  for (let i = 1; isCounter && i < histograms.length; i++) {
    if (isReset(i, previous)) change = addChange(w, change, previous);
    previous = histograms[i];
  }
  return compactHistogram({ ...change, counterResetHint: 'gauge' });
}

function addChange(w: Window, change: FloatHistogram, more: FloatHistogram): FloatHistogram {
  const sum = addHistograms(change, more);
  if (sum.boundsReconciled) remarkReconciled(w, 'addition');
  return sum.histogram;
}

/** Counter functions want counters, `delta` wants gauges at both ends. */
function remarkKinds(w: Window, histograms: readonly FloatHistogram[], isCounter: boolean): void {
  const isGauge = (histogram: FloatHistogram) => histogram.counterResetHint === 'gauge';
  if (isCounter && histograms.some(isGauge)) warnNotCounter(w);
  if (!isCounter && !(isGauge(histograms[0]) && isGauge(histograms.at(-1)!))) warnNotGauge(w);
}

export function warnNotCounter(w: Window): void {
  w.remarks.warnMetric(warningText.notCounter);
}

export function warnNotGauge(w: Window): void {
  w.remarks.warnMetric(warningText.notGauge);
}

export function remarkReconciled(w: Window, operation: 'addition' | 'subtraction' | 'aggregation'): void {
  w.remarks.info(infoText.mismatchedCustomBuckets(operation));
}

/** No observations, in the layout of another histogram. */
function emptyLike(histogram: FloatHistogram): FloatHistogram {
  return {
    ...histogram,
    counterResetHint: 'unknown',
    zeroThreshold: 0,
    zeroCount: 0,
    count: 0,
    sum: 0,
    positiveSpans: [],
    positiveBuckets: [],
    negativeSpans: [],
    negativeBuckets: [],
  };
}

/** `irate` and `idelta` of the two newest histograms, `intervalMs` apart. */
export function histogramInstantValue(w: Window, isRate: boolean, intervalMs: number): 0 | 2 {
  const last = w.histograms[w.h1 - 1];
  const previous = w.histograms[w.h1 - 2];
  const gauges = [last, previous].filter(({ counterResetHint }) => counterResetHint === 'gauge').length;
  if (isRate && gauges > 0) warnNotCounter(w);
  if (!isRate && gauges < 2) warnNotGauge(w);
  let change = last;
  const isReset = startsAnew(w.histogramTimes, w.histogramStarts, w.h1 - 1) || detectReset(last, previous);
  if (!isRate || !isReset) {
    if (usesCustomBuckets(last) !== usesCustomBuckets(previous)) {
      warnMixedSchemas(w);
      return 0;
    }
    const difference = subtractHistograms(last, previous);
    if (difference.boundsReconciled) remarkReconciled(w, 'subtraction');
    change = difference.histogram;
  }
  const compact = compactHistogram(change);
  w.histogram = {
    ...(isRate ? divideHistogram(compact, intervalMs / 1000) : compact),
    counterResetHint: 'gauge',
  };
  return 2;
}

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
import { extrapolation, type RateKind } from './extrapolation.ts';
import { warnMixedSchemas } from './remarks.ts';
import type { Window } from './window.ts';

/** `rate`, `increase` and `delta` of the histograms of a window, of which there are two at least. */
export function histogramRate(w: Window, kind: RateKind): 0 | 2 {
  const histograms = w.histograms.slice(w.h0, w.h1);
  const change = histogramChange(w, histograms, kind.isCounter);
  if (change === undefined) return 0;
  const firstTime = w.histogramTimes[w.h0];
  const lastTime = w.histogramTimes[w.h1 - 1];
  const zeroBound = kind.isCounter ? histograms[0].count : undefined;
  const factor = extrapolation(
    w,
    firstTime,
    lastTime,
    histograms.length,
    change.count,
    zeroBound,
    kind.isRate,
  );
  w.histogram = { ...scaleHistogram(change, factor), counterResetHint: 'gauge' };
  return 2;
}

/** The last histogram less the first, plus what resets took away; a gauge. Undefined for a mix of schemas. */
function histogramChange(
  w: Window,
  histograms: readonly FloatHistogram[],
  isCounter: boolean,
): FloatHistogram | undefined {
  const last = histograms.at(-1)!;
  // The first histogram does not count when the second begins anew, so its buckets need not fit either.
  const first =
    isCounter && detectReset(histograms[1], histograms[0]) ? emptyLike(histograms[1]) : histograms[0];
  remarkKinds(w, histograms, isCounter);
  const relevant = isCounter ? [first, ...histograms.slice(1)] : [first, last];
  if (relevant.some((histogram) => usesCustomBuckets(histogram) !== usesCustomBuckets(last))) {
    warnMixedSchemas(w);
    return undefined;
  }
  const difference = subtractHistograms(last, first);
  if (difference.boundsReconciled) remarkReconciled(w, 'subtraction');
  let change = difference.histogram;
  let previous = first;
  for (const current of isCounter ? histograms.slice(1) : []) {
    if (detectReset(current, previous)) {
      const sum = addHistograms(change, previous);
      if (sum.boundsReconciled) remarkReconciled(w, 'addition');
      change = sum.histogram;
    }
    previous = current;
  }
  return compactHistogram({ ...change, counterResetHint: 'gauge' });
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
  if (!isRate || !detectReset(last, previous)) {
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

import type { FloatHistogram } from '../../model/histogram.ts';
import {
  addHistograms,
  divideHistogram,
  scaleHistogram,
  subtractHistograms,
} from '../../model/histogram-math.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import { compactHistogram, usesCustomBuckets } from '../../model/histogram-shape.ts';
import type { RateKind } from './extrapolation.ts';
import { remarkReconciled, warnNotCounter, warnNotGauge } from './histogram-rate.ts';
import { warnMixedSchemas } from './remarks.ts';
import type { Window } from './window.ts';
import { firstIndex, lastIndex } from './window-ends.ts';

/** `rate`, `increase` and `delta` of the histograms of an `anchored` or `smoothed` window; see `extendedRate`. */
export function extendedHistogramRate(w: Window, kind: RateKind, smoothed: boolean): 0 | 2 {
  const { histogramTimes: times, histograms } = w;
  const first = firstIndex(times, w.h0, w.h1, w.start);
  const last = lastIndex(times, first, w.h1, w.end, smoothed);
  if (times[last] <= w.start || times[first] > w.end) return 0;
  const used = histograms.slice(first, last + 1);
  remarkKinds(w, used, kind.isCounter);
  if (used.some((histogram) => usesCustomBuckets(histogram) !== usesCustomBuckets(used[0]))) {
    warnMixedSchemas(w);
    return 0;
  }
  const change = histogramChange(w, first, last, kind.isCounter, smoothed);
  const result = kind.isRate ? divideHistogram(change, (w.end - w.start) / 1000) : change;
  w.histogram = compactHistogram({ ...result, counterResetHint: 'gauge' });
  return 2;
}

function remarkKinds(w: Window, used: readonly FloatHistogram[], isCounter: boolean): void {
  const gauges = used.filter(({ counterResetHint }) => counterResetHint === 'gauge').length;
  if (isCounter && gauges > 0) warnNotCounter(w);
  if (!isCounter && gauges < used.length) warnNotGauge(w);
}

function histogramChange(
  w: Window,
  first: number,
  last: number,
  isCounter: boolean,
  smoothed: boolean,
): FloatHistogram {
  const { histogramTimes: times, histograms, start, end } = w;
  const isReset = (i: number) => isCounter && detectReset(histograms[i], histograms[i - 1]);
  const interpolateLeft = smoothed && times[first] < start && first < last;
  const interpolateRight = smoothed && times[last] > end && last > first;
  let left = histograms[first];
  if (interpolateLeft) {
    const share = (start - times[first]) / (times[first + 1] - times[first]);
    left = isReset(first + 1)
      ? scaleHistogram(histograms[first + 1], share)
      : betweenHistograms(left, histograms[first + 1], share);
  }
  let right = histograms[last];
  if (interpolateRight) {
    const share = (end - times[last - 1]) / (times[last] - times[last - 1]);
    if (!isReset(last)) right = betweenHistograms(histograms[last - 1], right, share);
    else if (interpolateLeft && first === last - 1) right = scaleHistogram(right, share);
    else right = add(w, scaleHistogram(right, share), histograms[last - 1]);
  }
  let change = subtract(w, right, left);
  if (!isCounter) return change;
  const from = times[first] <= start ? first + 1 : first;
  const to = times[last] >= end ? last - 1 : last;
  // Resets between the ends; those inside an interpolated gap are dealt with above.
  for (let i = Math.max(from, first + 1); i <= to; i++)
    if (isReset(i) && !(interpolateLeft && i === first + 1)) change = add(w, change, histograms[i - 1]);
  if (
    !interpolateRight &&
    to < last &&
    last > first &&
    isReset(last) &&
    !(interpolateLeft && last === first + 1)
  )
    change = add(w, change, histograms[last - 1]);
  return change;
}

/** The histogram at `share` of the way from one to another. */
export function betweenHistograms(a: FloatHistogram, b: FloatHistogram, share: number): FloatHistogram {
  return addHistograms(scaleHistogram(a, 1 - share), scaleHistogram(b, share)).histogram;
}

function add(w: Window, a: FloatHistogram, b: FloatHistogram): FloatHistogram {
  const sum = addHistograms(a, b);
  if (sum.boundsReconciled) remarkReconciled(w, 'addition');
  return sum.histogram;
}

function subtract(w: Window, a: FloatHistogram, b: FloatHistogram): FloatHistogram {
  const difference = subtractHistograms(a, b);
  if (difference.boundsReconciled) remarkReconciled(w, 'subtraction');
  return difference.histogram;
}

import type { FloatHistogram } from '../../model/histogram.ts';
import {
  addedHint,
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
  if (times[last] <= w.start || (smoothed && times[first] > w.end)) return 0;
  if (!fitTogether(w, histograms.slice(first, last + 1), kind.isCounter)) return 0;
  const change = histogramChange(w, first, last, kind.isCounter, smoothed);
  const result = kind.isRate ? divideHistogram(change, (w.end - w.start) / 1000) : change;
  w.histogram = compactHistogram({ ...result, counterResetHint: 'gauge' });
  return 2;
}

function fitTogether(w: Window, used: readonly FloatHistogram[], isCounter: boolean): boolean {
  for (const histogram of used) {
    if (usesCustomBuckets(histogram) !== usesCustomBuckets(used[0])) {
      warnMixedSchemas(w);
      return false;
    }
    if (isCounter && histogram.counterResetHint === 'gauge') warnNotCounter(w);
  }
  return true;
}

function histogramChange(
  w: Window,
  first: number,
  last: number,
  isCounter: boolean,
  smoothed: boolean,
): FloatHistogram {
  const { histogramTimes: times, histograms, start, end } = w;
  const sample = (i: number) => ({ t: times[i], histogram: histograms[i] });
  const reconciled = (operation: 'subtraction' | 'addition') => remarkReconciled(w, operation);
  const cutsLeft = smoothed && times[first] < start;
  const left = cutsLeft
    ? histogramAt(sample(first), sample(first + 1), start, isCounter, reconciled)
    : histograms[first];
  const cutsRight = smoothed && last > w.h0 && times[last] > end;
  const right = cutsRight
    ? histogramAt(sample(last - 1), sample(last), end, isCounter, reconciled)
    : histograms[last];
  const isGauge = left.counterResetHint === 'gauge' && right.counterResetHint === 'gauge';
  if (!isCounter && !isGauge) warnNotGauge(w);
  const change = subtract(w, right, left);
  const lost = isCounter ? lostByResets(w, first, last, left, right, cutsLeft) : undefined;
  return lost === undefined ? change : add(w, change, lost);
}

/** What the counter had before each of its resets between the ends of the range. */
function lostByResets(
  w: Window,
  first: number,
  last: number,
  left: FloatHistogram,
  right: FloatHistogram,
  cutsLeft: boolean,
): FloatHistogram | undefined {
  const { histograms } = w;
  let from = first + 1;
  let previous = left;
  // A reset in the gap that the range begins in is in the value at its beginning already.
  if (cutsLeft && detectReset(histograms[first + 1], histograms[first])) {
    previous = histograms[first + 1];
    from++;
  }
  if (from > last) return undefined;
  let lost: FloatHistogram | undefined;
  for (let i = from; i <= last; i++) {
    const current = i === last ? right : histograms[i];
    if (detectReset(current, previous)) lost = lost === undefined ? previous : add(w, lost, previous);
    previous = current;
  }
  return lost;
}

interface HistogramAt {
  readonly t: number;
  readonly histogram: FloatHistogram;
}

/** The histogram at `t` on the line through two others with the same kind of buckets; a counter that was reset between them began at zero. */
export function histogramAt(
  a: HistogramAt,
  b: HistogramAt,
  t: number,
  isCounter: boolean,
  reconciled: (operation: 'subtraction' | 'addition') => void,
): FloatHistogram {
  if (t === a.t) return a.histogram;
  if (t === b.t) return b.histogram;
  const share = (t - a.t) / (b.t - a.t);
  if (isCounter && detectReset(b.histogram, a.histogram)) return scaleHistogram(b.histogram, share);
  const difference = subtractHistograms(b.histogram, a.histogram);
  if (difference.boundsReconciled) reconciled('subtraction');
  const sum = addHistograms(scaleHistogram(difference.histogram, share), a.histogram);
  if (sum.boundsReconciled) reconciled('addition');
  const counterResetHint = addedHint(b.histogram.counterResetHint, a.histogram.counterResetHint);
  return { ...sum.histogram, counterResetHint };
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

import { extendedHistogramRate } from './extended-histogram-rate.ts';
import type { RateKind } from './extrapolation.ts';
import { warnMixed } from './remarks.ts';
import type { Window, WindowFunction } from './window.ts';
import { between, firstIndex, lastIndex } from './window-ends.ts';

/**
 * `rate`, `increase` and `delta` of an `anchored` or `smoothed` range: no extrapolation. The value at an end of the
 * window is that of the last sample at or before it (anchored), or lies on the line between the samples around it
 * (smoothed). The window's samples reach beyond its ends for that.
 */
export function extendedRate(kind: RateKind, smoothed: boolean): WindowFunction {
  return (w) => {
    if (w.f1 > w.f0 && w.h1 > w.h0) {
      warnMixed(w);
      return 0;
    }
    if (w.h1 > w.h0) return extendedHistogramRate(w, kind, smoothed);
    const first = firstIndex(w.floatTimes, w.f0, w.f1, w.start);
    const last = lastIndex(w.floatTimes, first, w.f1, w.end, smoothed);
    if (w.floatTimes[last] <= w.start || (smoothed && w.floatTimes[first] > w.end)) return 0;
    if (kind.isCounter) w.remarks.counterName();
    const change = floatChange(w, first, last, kind.isCounter, smoothed);
    w.value = kind.isRate ? change / ((w.end - w.start) / 1000) : change;
    return 1;
  };
}

function floatChange(w: Window, first: number, last: number, isCounter: boolean, smoothed: boolean): number {
  const { floatTimes: times, floats, start, end } = w;
  const at = (i: number, t: number) => {
    // A counter that was reset between two samples is taken to have begun at zero at the first of them.
    const from = isCounter && floats[i + 1] < floats[i] ? 0 : floats[i];
    return between(times[i], from, times[i + 1], floats[i + 1], t);
  };
  const left = smoothed && times[first] < start ? at(first, start) : floats[first];
  const right = smoothed && last > w.f0 && times[last] > end ? at(last - 1, end) : floats[last];
  return isCounter ? right - left + resetCorrection(w, first, last, left, right) : right - left;
}

function resetCorrection(w: Window, first: number, last: number, left: number, right: number): number {
  const from = w.floatTimes[first] <= w.start ? first + 1 : first;
  const to = w.floatTimes[last] >= w.end ? last - 1 : last;
  let correction = 0;
  let previous = left;
  for (let i = from; i <= to; i++) {
    if (w.floats[i] < previous) correction += previous;
    previous = w.floats[i];
  }
  return right < previous ? correction + previous : correction;
}

import { histogramInstantValue } from './histogram-rate.ts';
import { warnMixed } from './remarks.ts';
import { startsAnew } from './start-time.ts';
import type { Window, WindowFunction } from './window.ts';

/** `irate` and `idelta`: the change between the two newest samples of the window, which must be of one kind. */
export function instantRate(isRate: boolean): WindowFunction {
  return (w) => {
    if (w.f1 - w.f0 + (w.h1 - w.h0) < 2) return 0;
    const { last, previous, areFloats, areMixed } = newestTwo(w);
    if (areMixed) {
      warnMixed(w);
      return 0;
    }
    if (!areFloats) return histogramInstantValue(w, isRate, last - previous);
    const current = w.floats[w.f1 - 1];
    const before = w.floats[w.f1 - 2];
    const isReset = current < before || startsAnew(w.floatTimes, w.floatStarts, w.f1 - 1);
    const change = isRate && isReset ? current : current - before;
    w.value = isRate ? change / ((last - previous) / 1000) : change;
    return 1;
  };
}

/** The times of the two newest samples, and of what kinds they are. */
function newestTwo(w: Window): { last: number; previous: number; areFloats: boolean; areMixed: boolean } {
  let f = w.f1;
  let h = w.h1;
  const takeNewest = (): { t: number; isFloat: boolean } => {
    const floatTime = f > w.f0 ? w.floatTimes[f - 1] : -Infinity;
    const histogramTime = h > w.h0 ? w.histogramTimes[h - 1] : -Infinity;
    if (floatTime > histogramTime) f--;
    else h--;
    return { t: Math.max(floatTime, histogramTime), isFloat: floatTime > histogramTime };
  };
  const last = takeNewest();
  const previous = takeNewest();
  return {
    last: last.t,
    previous: previous.t,
    areFloats: last.isFloat,
    areMixed: last.isFloat !== previous.isFloat,
  };
}

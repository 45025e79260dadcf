import { extrapolation, type RateKind } from './extrapolation.ts';
import { histogramRate } from './histogram-rate.ts';
import { warnMixed } from './remarks.ts';
import type { WindowFunction } from './window.ts';

const COUNTER_SUFFIX = /(_total|_sum|_count|_bucket)$/;

/** Whether a metric of this name is a counter by convention. */
export function looksLikeCounter(metricName: string): boolean {
  return COUNTER_SUFFIX.test(metricName);
}

/** `rate`, `increase` and `delta`: the change over the window, extrapolated to its ends. */
export function extrapolatedRate(kind: RateKind): WindowFunction {
  return (w) => {
    const floats = w.f1 - w.f0;
    const histograms = w.h1 - w.h0;
    if (floats > 0 && histograms > 0) {
      warnMixed(w);
      return 0;
    }
    if (histograms > 1) return histogramRate(w, kind);
    if (floats < 2) return 0;
    if (kind.isCounter) w.remarks.counterName();
    const change = kind.isCounter
      ? counterIncrease(w.floats, w.f0, w.f1)
      : w.floats[w.f1 - 1] - w.floats[w.f0];
    const { floatTimes, f0, f1 } = w;
    const zeroBound = kind.isCounter ? w.floats[f0] : undefined;
    w.value =
      change * extrapolation(w, floatTimes[f0], floatTimes[f1 - 1], floats, change, zeroBound, kind.isRate);
    return 1;
  };
}

function counterIncrease(values: Float64Array, from: number, to: number): number {
  let increase = values[to - 1] - values[from];
  let previous = values[from];
  for (let i = from + 1; i < to; i++) {
    if (values[i] < previous) increase += previous;
    previous = values[i];
  }
  return increase;
}

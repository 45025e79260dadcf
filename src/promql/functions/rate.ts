import { extrapolation, type RateKind, startInside } from './extrapolation.ts';
import { histogramRate } from './histogram-rate.ts';
import { warnMixed, warnStartOverlap } from './remarks.ts';
import { hasOverlap, startsAnew } from './start-time.ts';
import type { Window, WindowFunction } from './window.ts';

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
    return histograms > 0 ? histogramRate(w, kind) : floatRate(w, kind);
  };
}

function floatRate(w: Window, kind: RateKind): 0 | 1 {
  const { floatTimes: times, floats: values, floatStarts: starts, f0, f1 } = w;
  const startedAt = kind.isCounter ? startInside(w, times, starts, f0) : undefined;
  if (f1 - f0 < 2 && startedAt === undefined) return 0;
  if (kind.isCounter) w.remarks.counterName();
  if (kind.isCounter && starts && hasOverlap(times, starts, f0, f1)) warnStartOverlap(w);
  const change = kind.isCounter ? counterIncrease(w) : values[f1 - 1] - values[f0];
  const samples = {
    firstTime: times[f0],
    lastTime: times[f1 - 1],
    count: f1 - f0,
    change,
    firstValue: kind.isCounter ? values[f0] : undefined,
    startedAt,
  };
  const total = startedAt === undefined ? change : change + values[f0];
  w.value = total * extrapolation(w, samples, kind.isRate);
  return 1;
}

function counterIncrease({ floats: values, floatTimes, floatStarts, f0, f1 }: Window): number {
  let increase = values[f1 - 1] - values[f0];
  let previous = values[f0];
  for (let i = f0 + 1; i < f1; i++) {
    if (values[i] < previous || startsAnew(floatTimes, floatStarts, i)) increase += previous;
    previous = values[i];
  }
  return increase;
}

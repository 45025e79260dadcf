import { KahanSum } from './kahan.ts';
import type { Window, WindowFunction } from './window.ts';

const sumX = new KahanSum();
const sumY = new KahanSum();
const sumXY = new KahanSum();
const sumX2 = new KahanSum();

/** `deriv`: the slope per second of the least-squares line. */
export const deriv: WindowFunction = (w) => {
  const floats = w.f1 - w.f0;
  if (floats > 0 && w.h1 > w.h0) w.remarks.histogramsIgnored();
  if (floats < 2) return 0;
  w.value = regression(w, w.floatTimes[w.f0]).slope;
  return 1;
};

/** `predict_linear`: the least-squares line at `args[0]` seconds after the evaluation time. */
export const predictLinear: WindowFunction = (w) => {
  const floats = w.f1 - w.f0;
  if (floats > 0 && w.h1 > w.h0) w.remarks.histogramsIgnored();
  if (floats < 2) return 0;
  const { slope, intercept } = regression(w, w.t);
  w.value = slope * w.args[0] + intercept;
  return 1;
};

/** Times relative to `origin` (ms), for precision. A constant series has exactly slope 0. */
function regression(w: Window, origin: number): { slope: number; intercept: number } {
  const { floatTimes, floats, f0, f1 } = w;
  for (const sum of [sumX, sumY, sumXY, sumX2]) sum.reset();
  const first = floats[f0];
  let constant = true;
  for (let i = f0; i < f1; i++) {
    if (constant && i > f0 && floats[i] !== first) constant = false;
    const x = (floatTimes[i] - origin) / 1000;
    sumX.add(x);
    sumY.add(floats[i]);
    sumXY.add(x * floats[i]);
    sumX2.add(x * x);
  }
  if (constant)
    return Number.isFinite(first)
      ? { slope: 0, intercept: first }
      : { slope: Number.NaN, intercept: Number.NaN };
  const n = f1 - f0;
  const covariance = sumXY.value - (sumX.value * sumY.value) / n;
  const variance = sumX2.value - (sumX.value * sumX.value) / n;
  const slope = covariance / variance;
  return { slope, intercept: sumY.value / n - (slope * sumX.value) / n };
}

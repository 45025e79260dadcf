import { warningText } from '../annotations.ts';
import { averageHistograms, sumHistograms } from './histogram-over-time.ts';
import { KahanSum } from './kahan.ts';
import { quantileOf } from './quantile.ts';
import { warnMixed } from './remarks.ts';
import { RunningMean } from './running-mean.ts';
import { SortedFloats } from './sorted-floats.ts';
import type { Window, WindowFunction } from './window.ts';

const kahan = new KahanSum();
const mean = new RunningMean();

/** The `…_over_time` functions and their kin that need no scalar or take it from `args`. */
export const OVER_TIME: Readonly<Record<string, WindowFunction>> = {
  avg_over_time: (w) => {
    if (hasMix(w)) return 0;
    if (w.f1 === w.f0) return averageHistograms(w);
    w.value = average(w.floats, w.f0, w.f1);
    return 1;
  },
  sum_over_time: (w) => {
    if (hasMix(w)) return 0;
    if (w.f1 === w.f0) return sumHistograms(w);
    kahan.reset();
    for (let i = w.f0; i < w.f1; i++) kahan.add(w.floats[i]);
    w.value = Math.abs(kahan.sum) === Infinity ? kahan.sum : kahan.value;
    return 1;
  },
  count_over_time: (w) => {
    w.value = w.f1 - w.f0 + (w.h1 - w.h0);
    return 1;
  },
  present_over_time: (w) => {
    w.value = 1;
    return 1;
  },
  max_over_time: ofFloats((w) => extreme(w, (v, best) => v > best || Number.isNaN(best)).value),
  min_over_time: ofFloats((w) => extreme(w, (v, best) => v < best || Number.isNaN(best)).value),
  ts_of_max_over_time: ofFloats(
    (w) => w.floatTimes[extreme(w, (v, best) => v >= best || Number.isNaN(best)).index] / 1000,
  ),
  ts_of_min_over_time: ofFloats(
    (w) => w.floatTimes[extreme(w, (v, best) => v <= best || Number.isNaN(best)).index] / 1000,
  ),
  stddev_over_time: ofFloats((w) => Math.sqrt(variance(w.floats, w.f0, w.f1))),
  stdvar_over_time: ofFloats((w) => variance(w.floats, w.f0, w.f1)),
  mad_over_time: ofFloats(medianDeviation),
  quantile_over_time: (w) => {
    const [q] = w.args;
    if (w.f1 > w.f0 && !(q >= 0 && q <= 1)) w.remarks.warnArgument(0, warningText.invalidQuantile(q));
    return quantileOfFloats(w);
  },
  last_over_time: (w) => pick(w, newestIsFloat(w), w.f1 - 1, w.h1 - 1),
  first_over_time: (w) => pick(w, oldestIsFloat(w), w.f0, w.h0),
  ts_of_last_over_time: (w) => {
    w.value = (newestIsFloat(w) ? w.floatTimes[w.f1 - 1] : w.histogramTimes[w.h1 - 1]) / 1000;
    return 1;
  },
  ts_of_first_over_time: (w) => {
    w.value = (oldestIsFloat(w) ? w.floatTimes[w.f0] : w.histogramTimes[w.h0]) / 1000;
    return 1;
  },
};

function hasMix(w: Window): boolean {
  if (w.f1 === w.f0 || w.h1 === w.h0) return false;
  warnMixed(w);
  return true;
}

const quantileOfFloats = ofFloats((w) => {
  const sorted = (w.sorted ??= new SortedFloats());
  sorted.moveTo(w.floats, w.f0, w.f1);
  return sorted.quantile(w.args[0]);
});

/** A function of floats only: histograms in between are ignored with a remark, histograms alone give nothing. */
function ofFloats(compute: (w: Window) => number): WindowFunction {
  return (w) => {
    if (w.f1 === w.f0) return 0;
    if (w.h1 > w.h0) w.remarks.histogramsIgnored();
    w.value = compute(w);
    return 1;
  };
}

function newestIsFloat(w: Window): boolean {
  return w.f1 > w.f0 && (w.h1 === w.h0 || w.floatTimes[w.f1 - 1] > w.histogramTimes[w.h1 - 1]);
}

function oldestIsFloat(w: Window): boolean {
  return w.f1 > w.f0 && (w.h1 === w.h0 || w.floatTimes[w.f0] < w.histogramTimes[w.h0]);
}

function pick(w: Window, isFloat: boolean, f: number, h: number): 1 | 2 {
  if (isFloat) {
    w.value = w.floats[f];
    return 1;
  }
  w.histogram = w.histograms[h];
  return 2;
}

/** See `RunningMean`; of at least one value. */
export function average(values: ArrayLike<number>, from: number, to: number): number {
  mean.reset();
  for (let i = from; i < to; i++) mean.add(values[i]);
  return mean.value;
}

function variance(values: Float64Array, from: number, to: number): number {
  let count = 0;
  let mean = 0;
  let meanC = 0;
  let aux = 0;
  let auxC = 0;
  for (let i = from; i < to; i++) {
    count++;
    const delta = values[i] - (mean + meanC);
    kahan.sum = mean;
    kahan.c = meanC;
    kahan.add(delta / count);
    mean = kahan.sum;
    meanC = kahan.c;
    kahan.sum = aux;
    kahan.c = auxC;
    kahan.add(delta * (values[i] - (mean + meanC)));
    aux = kahan.sum;
    auxC = kahan.c;
  }
  return (aux + auxC) / count;
}

function extreme(w: Window, better: (v: number, best: number) => boolean): { value: number; index: number } {
  let index = w.f0;
  for (let i = w.f0 + 1; i < w.f1; i++) if (better(w.floats[i], w.floats[index])) index = i;
  return { value: w.floats[index], index };
}

function medianDeviation(w: Window): number {
  const values = w.floats.slice(w.f0, w.f1);
  if (values.some(Number.isNaN)) return Number.NaN;
  const median = quantileOf(0.5, values);
  return quantileOf(
    0.5,
    w.floats.slice(w.f0, w.f1).map((v) => Math.abs(v - median)),
  );
}

import { VeronaError } from '../../model/errors.ts';
import { infoText, warningText } from '../annotations.ts';
import { formatFixed } from '../parser/go-text.ts';
import { isReset } from './histogram-arithmetic.ts';
import { type HistogramTotal, meanOfHistograms, sumOfHistograms } from './histogram-total.ts';
import { meanOf, plus, type Sum } from './kahan.ts';
import { type PlainHistogram, sameHistogram } from './plain-histogram.ts';
import { delta, idelta, increase, irate, rate } from './rates.ts';
import type { Point } from './rows.ts';
import { beganAnew, type StartedSample } from './start-times.ts';
import type { FloatSample, RangeFunction, Window } from './window.ts';

/** The functions of range vectors by name; `absent_over_time` says only where there is something. */
export const RANGE_FUNCTIONS: Readonly<Record<string, RangeFunction>> = {
  rate,
  increase,
  delta,
  irate,
  idelta,
  absent_over_time: () => 1,
  present_over_time: () => 1,
  count_over_time: ({ floats, histograms }) => floats.length + histograms.length,
  sum_over_time: (w) => total(w, sumOf, sumOfHistograms),
  avg_over_time: (w) => total(w, meanOf, meanOfHistograms),
  min_over_time: (w) => ofFloats(w, (floats) => extreme(floats, (v, best) => v < best).v),
  max_over_time: (w) => ofFloats(w, (floats) => extreme(floats, (v, best) => v > best).v),
  ts_of_min_over_time: (w) => ofFloats(w, (floats) => extreme(floats, (v, best) => v <= best).t / 1000),
  ts_of_max_over_time: (w) => ofFloats(w, (floats) => extreme(floats, (v, best) => v >= best).t / 1000),
  stddev_over_time: (w) => ofFloats(w, (floats) => Math.sqrt(variance(floats))),
  stdvar_over_time: (w) => ofFloats(w, variance),
  mad_over_time: (w) => ofFloats(w, medianDeviation),
  quantile_over_time: quantileOverTime,
  first_over_time: (w) => inOrder(w)[0].point,
  last_over_time: (w) => inOrder(w).at(-1)!.point,
  ts_of_first_over_time: (w) => inOrder(w)[0].t / 1000,
  ts_of_last_over_time: (w) => inOrder(w).at(-1)!.t / 1000,
  resets: (w) => countPairs(w, isRestart),
  changes: (w) => countPairs(w, isChange),
  deriv: (w) => regression(w, w.floats[0]?.t, ({ slope }) => slope),
  predict_linear: (w) => regression(w, w.t, ({ slope, intercept }) => slope * w.scalars[0] + intercept),
  double_exponential_smoothing: smoothing,
};

interface TimedPoint extends StartedSample {
  readonly point: Point;
}

function inOrder({ floats, histograms }: Window): TimedPoint[] {
  return [
    ...floats.map(({ t, v, startT }) => ({ t, startT, point: v as Point })),
    ...histograms.map(({ t, h, startT }) => ({ t, startT, point: h as Point })),
  ].sort((a, b) => a.t - b.t);
}

function total(
  w: Window,
  floats: (values: readonly number[]) => number,
  histograms: (values: readonly PlainHistogram[]) => HistogramTotal,
): Point | undefined {
  const { list, metric, vector, first } = w.remarks;
  if (w.floats.length > 0 && w.histograms.length > 0) {
    list.warn(warningText.mixedFloatsHistograms(metric), first);
    return undefined;
  }
  if (w.floats.length > 0) return floats(w.floats.map(({ v }) => v));
  const { histogram, boundsReconciled } = histograms(w.histograms.map(({ h }) => h));
  if (histogram === undefined) {
    list.warn(warningText.mixedSchemas(metric), first);
    return undefined;
  }
  const hints = new Set(w.histograms.map(({ h }) => h.hint));
  if (hints.has('reset') && hints.has('not_reset'))
    list.warn(warningText.counterResetCollision('aggregation'), vector);
  if (boundsReconciled) list.info(infoText.mismatchedCustomBuckets('aggregation'), vector);
  return histogram;
}

function sumOf(values: readonly number[]): number {
  const { sum, lost } = values.reduce(plus, { sum: 0, lost: 0 });
  return Math.abs(sum) === Infinity ? sum : sum + lost;
}

/** Functions of floats pass over histograms, with a remark if there are floats too. */
function ofFloats(w: Window, f: (floats: readonly FloatSample[]) => number): number | undefined {
  if (w.floats.length === 0) return undefined;
  if (w.histograms.length > 0) ignoredHistograms(w);
  return f(w.floats);
}

function ignoredHistograms({ remarks: { list, metric, first } }: Window): void {
  list.info(infoText.histogramsIgnoredInRange(metric), first);
}

function extreme(floats: readonly FloatSample[], beats: (v: number, best: number) => boolean): FloatSample {
  return floats.reduce((best, sample) => (beats(sample.v, best.v) || Number.isNaN(best.v) ? sample : best));
}

function variance(floats: readonly FloatSample[]): number {
  let mean: Sum = { sum: 0, lost: 0 };
  let squares: Sum = { sum: 0, lost: 0 };
  for (const [i, { v }] of floats.entries()) {
    const difference = v - (mean.sum + mean.lost);
    mean = plus(mean, difference / (i + 1));
    squares = plus(squares, difference * (v - (mean.sum + mean.lost)));
  }
  return (squares.sum + squares.lost) / floats.length;
}

function medianDeviation(floats: readonly FloatSample[]): number {
  const values = floats.map(({ v }) => v);
  if (values.some(Number.isNaN)) return Number.NaN;
  const median = quantileOf(0.5, values);
  return quantileOf(
    0.5,
    values.map((v) => Math.abs(v - median)),
  );
}

function quantileOverTime(w: Window): number | undefined {
  const [q] = w.scalars;
  if (w.floats.length > 0 && !(q >= 0 && q <= 1))
    w.remarks.list.warn(warningText.invalidQuantile(q), w.remarks.first);
  return ofFloats(w, (floats) =>
    quantileOf(
      q,
      floats.map(({ v }) => v),
    ),
  );
}

/** Between the two values nearest to the rank; NaN counts as the smallest. */
export function quantileOf(q: number, values: readonly number[]): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  const sorted = [
    ...values.filter(Number.isNaN),
    ...values.filter((v) => !Number.isNaN(v)).sort((a, b) => a - b),
  ];
  const rank = q * (sorted.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(sorted.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return sorted[lower] * (1 - weight) + sorted[upper] * weight;
}

/** Of `anchored` ranges the last sample at or before the start is the first that counts, and nothing does if none is after. */
function countPairs(
  w: Window,
  counts: (previous: TimedPoint, current: TimedPoint) => boolean,
): number | undefined {
  let samples = inOrder(w);
  if (w.mode === 'anchored') {
    if (!samples.some(({ t }) => t > w.start)) return undefined;
    const anchor = samples.findLastIndex(({ t }) => t <= w.start);
    samples = samples.slice(Math.max(0, anchor));
  }
  return samples.filter((sample, i) => i > 0 && counts(samples[i - 1], sample)).length;
}

function isRestart(before: TimedPoint, now: TimedPoint): boolean {
  const [previous, current] = [before.point, now.point];
  if (typeof previous === typeof current && beganAnew(before, now)) return true;
  if (typeof previous === 'number' && typeof current === 'number') return current < previous;
  if (typeof previous === 'number' || typeof current === 'number') return true;
  return isReset(current, previous);
}

function isChange({ point: previous }: TimedPoint, { point: current }: TimedPoint): boolean {
  if (typeof previous === 'number' && typeof current === 'number')
    return current !== previous && !(Number.isNaN(current) && Number.isNaN(previous));
  if (typeof previous === 'number' || typeof current === 'number') return true;
  return !sameHistogram(current, previous);
}

/** The line of least squares; its value is taken at `origin`. */
function regression(
  w: Window,
  origin: number,
  result: (line: { slope: number; intercept: number }) => number,
): number | undefined {
  const { floats, histograms } = w;
  if (floats.length > 0 && histograms.length > 0) ignoredHistograms(w);
  if (floats.length < 2) return undefined;
  const [{ v: first }] = floats;
  if (floats.every(({ v }, i) => i === 0 || v === first))
    return result(
      Math.abs(first) === Infinity
        ? { slope: Number.NaN, intercept: Number.NaN }
        : { slope: 0, intercept: first },
    );
  const sum = (f: (x: number, y: number) => number) => {
    const { sum, lost } = floats.reduce((total: Sum, { t, v }) => plus(total, f((t - origin) / 1000, v)), {
      sum: 0,
      lost: 0,
    });
    return sum + lost;
  };
  const [x, y, xy, xx] = [sum((a) => a), sum((_, b) => b), sum((a, b) => a * b), sum((a) => a * a)];
  const n = floats.length;
  const slope = (xy - (x * y) / n) / (xx - (x * x) / n);
  return result({ slope, intercept: y / n - (slope * x) / n });
}

function smoothing(w: Window): number | undefined {
  const [sf, tf] = w.scalars;
  if (sf <= 0 || sf >= 1) throw bad('smoothing', 'sf', sf);
  if (tf <= 0 || tf >= 1) throw bad('trend', 'tf', tf);
  const { floats, histograms } = w;
  if (floats.length > 0 && histograms.length > 0) ignoredHistograms(w);
  if (floats.length < 2) return undefined;
  let level = floats[0].v;
  let before = 0;
  let trend = floats[1].v - floats[0].v;
  for (let i = 1; i < floats.length; i++) {
    if (i > 1) trend = tf * (level - before) + (1 - tf) * trend;
    const next = sf * floats[i].v + (1 - sf) * (level + trend);
    before = level;
    level = next;
  }
  return level;
}

function bad(what: string, name: string, value: number): VeronaError {
  return new VeronaError(
    'execution',
    `invalid ${what} factor. Expected: 0 < ${name} < 1, got: ${formatFixed(value, 6)}`,
  );
}

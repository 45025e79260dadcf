import { infoText, warningText } from '../annotations.ts';
import { extendedRate } from './extended-rates.ts';
import { combine, divide, isReset, multiply } from './histogram-arithmetic.ts';
import { compact, isCustom, type PlainHistogram } from './plain-histogram.ts';
import type { Point } from './rows.ts';
import { beganAnew, overlaps, type StartedSample } from './start-times.ts';
import type { FloatSample, RangeFunction, Window } from './window.ts';

interface RateKind {
  readonly isCounter: boolean;
  readonly perSecond: boolean;
}

export const rate: RangeFunction = (w) => change(w, { isCounter: true, perSecond: true });
export const increase: RangeFunction = (w) => change(w, { isCounter: true, perSecond: false });
export const delta: RangeFunction = (w) => change(w, { isCounter: false, perSecond: false });

/** The change over the range, of which the samples cover a part only: stretched to the range's ends where they are near. */
function change(w: Window, { isCounter, perSecond }: RateKind): Point | undefined {
  const { floats, histograms, remarks } = w;
  if (floats.length > 0 && histograms.length > 0) {
    remarks.list.warn(warningText.mixedFloatsHistograms(remarks.metric), remarks.vector);
    return undefined;
  }
  if (w.mode !== 'plain') return extendedRate(w, isCounter, perSecond);
  const samples = floats.length > 0 ? floats : histograms;
  // A counter that began in the range was zero then.
  const [{ startT }] = samples;
  const began = isCounter && startT !== 0 && startT > w.start && startT < samples[0].t ? startT : undefined;
  if (samples.length < 2 && began === undefined) return undefined;
  if (floats.length > 0) {
    if (isCounter) remarkOverlap(w, floats);
    const sum = floatChange(floats, isCounter);
    const zero = isCounter && sum > 0 && floats[0].v >= 0 ? floats[0].v / sum : undefined;
    const total = began === undefined ? sum : sum + floats[0].v;
    return total * stretched(w, samples, { zero, began, perSecond });
  }
  const sum = histograms.length < 2 ? undefined : histogramChange(w, isCounter);
  if (histograms.length > 1 && sum === undefined) return undefined;
  const first = histograms[0].h;
  const zero = isCounter && sum && sum.count > 0 && first.count >= 0 ? first.count / sum.count : undefined;
  const total = began === undefined ? sum : sum === undefined ? first : added(w, sum, first);
  return total && multiply(total, stretched(w, samples, { zero, began, perSecond }));
}

interface Stretch {
  /** For a counter that rises, how far before the first sample it was zero, in lengths of the sampled time. */
  readonly zero: number | undefined;
  /** When the counter began, if that is in the range. */
  readonly began: number | undefined;
  readonly perSecond: boolean;
}

/** How much longer the change went on than the samples show. No counter is stretched to below zero, or to before it began. */
function stretched(
  w: Window,
  samples: readonly StartedSample[],
  { zero, began, perSecond }: Stretch,
): number {
  const [first, last] = [samples[0].t, samples[samples.length - 1].t];
  const average = samples.length < 2 ? 0 : (last - first) / 1000 / (samples.length - 1);
  const sampled = (last - (began ?? first)) / 1000;
  const near = average * 1.1;
  let before = began === undefined ? (first - w.start) / 1000 : 0;
  let after = (w.end - last) / 1000;
  if (before >= near && began === undefined) before = average / 2;
  if (zero !== undefined && sampled * zero < before) before = sampled * zero;
  if (after >= near) after = average / 2;
  const factor = (sampled + before + after) / sampled;
  return perSecond ? factor / w.seconds : factor;
}

function remarkOverlap(w: Window, samples: readonly StartedSample[]): void {
  if (overlaps(samples)) w.remarks.list.count(warningText.startOverlap(w.remarks.metric), w.remarks.vector);
}

function floatChange(floats: readonly FloatSample[], isCounter: boolean): number {
  let sum = floats[floats.length - 1].v - floats[0].v;
  for (let i = 1; isCounter && i < floats.length; i++)
    if (floats[i].v < floats[i - 1].v || beganAnew(floats[i - 1], floats[i])) sum += floats[i - 1].v;
  return sum;
}

function histogramChange(w: Window, isCounter: boolean): PlainHistogram | undefined {
  const list = w.histograms.map(({ h }) => h);
  const last = list[list.length - 1];
  const notCounter = () => w.remarks.list.warn(warningText.notCounter(w.remarks.metric), w.remarks.vector);
  const restarts = (i: number) =>
    beganAnew(w.histograms[i - 1], w.histograms[i]) || isReset(list[i], list[i - 1]);
  if (isCounter && (list[0].hint === 'gauge' || last.hint === 'gauge')) notCounter();
  // What came before a reset right after the first sample does not matter, not even its buckets.
  if (isCounter && restarts(1)) list[0] = empty(list[1]);
  if (isCustom(list[0]) !== isCustom(last)) return mixedSchemas(w);
  for (const h of isCounter ? list.slice(1, -1) : []) {
    if (h.hint === 'gauge') notCounter();
    if (isCustom(h) !== isCustom(last)) return mixedSchemas(w);
  }
  if (isCounter) remarkOverlap(w, w.histograms);
  const difference = combine(last, list[0], -1)!;
  if (difference.boundsReconciled) reconciled(w, 'subtraction');
  let sum = difference.histogram;
  for (let i = 1; isCounter && i < list.length; i++) if (restarts(i)) sum = added(w, sum, list[i - 1]) ?? sum;
  if (!isCounter && !(w.histograms[0].h.hint === 'gauge' && last.hint === 'gauge')) notGauge(w);
  return compact({ ...sum, hint: 'gauge' });
}

function added(w: Window, a: PlainHistogram, b: PlainHistogram): PlainHistogram | undefined {
  const result = combine(a, b, 1);
  if (result === undefined) return mixedSchemas(w);
  if (result.boundsReconciled) reconciled(w, 'addition');
  return result.histogram;
}

function empty({ schema, bounds }: PlainHistogram): PlainHistogram {
  const nothing = new Map<number, number>();
  const numbers = { zeroThreshold: 0, zeroCount: 0, count: 0, sum: 0 };
  return { hint: 'unknown', schema, bounds, ...numbers, positive: nothing, negative: nothing };
}

function mixedSchemas(w: Window): undefined {
  w.remarks.list.warn(warningText.mixedSchemas(w.remarks.metric), w.remarks.vector);
}

function notGauge(w: Window): void {
  w.remarks.list.warn(warningText.notGauge(w.remarks.metric), w.remarks.vector);
}

function reconciled(w: Window, operation: 'addition' | 'subtraction'): void {
  w.remarks.list.info(infoText.mismatchedCustomBuckets(operation), w.remarks.vector);
}

export const irate: RangeFunction = (w) => lastChange(w, true);
export const idelta: RangeFunction = (w) => lastChange(w, false);

/** The change between the two newest samples. */
function lastChange(w: Window, isRate: boolean): Point | undefined {
  const samples = [
    ...w.floats.map(({ t, v, startT }) => ({ t, startT, point: v as Point })),
    ...w.histograms.map(({ t, h, startT }) => ({ t, startT, point: h as Point })),
  ].sort((a, b) => a.t - b.t);
  if (samples.length < 2) return undefined;
  const [before, now] = samples.slice(-2);
  const seconds = (now.t - before.t) / 1000;
  if (typeof now.point === 'number' && typeof before.point === 'number') {
    const isRestart = isRate && (now.point < before.point || beganAnew(before, now));
    const difference = isRestart ? now.point : now.point - before.point;
    return isRate ? difference / seconds : difference;
  }
  if (typeof now.point === 'number' || typeof before.point === 'number') {
    w.remarks.list.warn(warningText.mixedFloatsHistograms(w.remarks.metric), w.remarks.vector);
    return undefined;
  }
  const isRestart = beganAnew(before, now) || isReset(now.point, before.point);
  return lastHistogramChange(w, now.point, before.point, isRate ? { seconds, isRestart } : undefined);
}

function lastHistogramChange(
  w: Window,
  now: PlainHistogram,
  before: PlainHistogram,
  rate: { readonly seconds: number; readonly isRestart: boolean } | undefined,
): Point | undefined {
  const isRate = rate !== undefined;
  const gauges = [now, before].filter(({ hint }) => hint === 'gauge').length;
  if (isRate && gauges > 0) w.remarks.list.warn(warningText.notCounter(w.remarks.metric), w.remarks.vector);
  if (!isRate && gauges < 2) notGauge(w);
  let result = now;
  if (!rate?.isRestart) {
    const difference = combine(now, before, -1);
    if (difference === undefined) return mixedSchemas(w);
    if (difference.boundsReconciled) reconciled(w, 'subtraction');
    result = difference.histogram;
  }
  const gauge: PlainHistogram = { ...compact(result), hint: 'gauge' };
  return rate === undefined ? gauge : divide(gauge, rate.seconds);
}

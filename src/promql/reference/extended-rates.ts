import { infoText, warningText } from '../annotations.ts';
import { combine, divide, isReset, multiply } from './histogram-arithmetic.ts';
import { compact, isCustom, type PlainHistogram } from './plain-histogram.ts';
import type { Point } from './rows.ts';
import type { FloatSample, HistogramSample, Window, WindowRemarks } from './window.ts';

/** `rate`, `increase` and `delta` of `anchored` and `smoothed` ranges: no stretching, but samples around the range. */
export function extendedRate(w: Window, isCounter: boolean, perSecond: boolean): Point | undefined {
  if (w.floats.length > 0) {
    const result = floatRate(w, isCounter);
    return result === undefined || !perSecond ? result : result / w.seconds;
  }
  const result = histogramRate(w, isCounter);
  if (result === undefined) return undefined;
  return compact({ ...(perSecond ? divide(result, w.seconds) : result), hint: 'gauge' });
}

/** The samples that count: the last at or before the start to the first at or after the end (`smoothed`) or the last. */
export function relevant<T extends { readonly t: number }>(
  w: Pick<Window, 'mode' | 'start' | 'end'>,
  samples: readonly T[],
): T[] | undefined {
  const newest = samples.length - 1;
  // The newest sample is not looked at: it is taken when none before it will do.
  let first = 0;
  while (first < newest && samples[first].t <= w.start) first++;
  first = Math.max(0, first - 1);
  let last = newest;
  if (w.mode === 'smoothed') {
    last = 0;
    while (last < newest && samples[last].t < w.end) last++;
  }
  if (samples[last].t <= w.start) return undefined;
  if (w.mode === 'smoothed' && samples[first].t > w.end) return undefined;
  return samples.slice(first, last + 1);
}

function floatRate(w: Window, isCounter: boolean): number | undefined {
  const samples = relevant(w, w.floats);
  if (samples === undefined) return undefined;
  const { left, right } = floatEnds(w, samples, isCounter);
  let result = right - left;
  if (!isCounter) return result;
  const inside = samples.filter(({ t }, i) => {
    const isFirstOutside = i === 0 && t <= w.start;
    const isLastOutside = i === samples.length - 1 && t >= w.end;
    return !isFirstOutside && !isLastOutside;
  });
  const values = [left, ...inside.map(({ v }) => v), right];
  for (let i = 1; i < values.length; i++) if (values[i] < values[i - 1]) result += values[i - 1];
  return result;
}

/** The values at the ends of the range. */
export function floatEnds(
  { mode, start, end, floats }: Pick<Window, 'mode' | 'start' | 'end' | 'floats'>,
  samples: readonly FloatSample[],
  isCounter: boolean,
): { left: number; right: number } {
  const [first, last] = [samples[0], samples[samples.length - 1]];
  let left = first.v;
  if (mode === 'smoothed' && first.t < start) left = between(first, samples[1], start, isCounter);
  let right = last.v;
  const before = floats[floats.indexOf(last) - 1];
  if (mode === 'smoothed' && before !== undefined && last.t > end)
    right = between(before, last, end, isCounter);
  return { left, right };
}

/** On the line through two samples; a counter that restarted between them began at zero. */
function between(a: FloatSample, b: FloatSample, t: number, isCounter: boolean): number {
  const from = isCounter && b.v < a.v ? 0 : a.v;
  return from + ((b.v - from) * (t - a.t)) / (b.t - a.t);
}

function histogramRate(w: Window, isCounter: boolean): PlainHistogram | undefined {
  const samples = relevant(w, w.histograms);
  if (samples === undefined || !fitTogether(w, samples, isCounter)) return undefined;
  const { remarks } = w;
  const [first, last] = [samples[0], samples[samples.length - 1]];
  let left: PlainHistogram | undefined = first.h;
  if (w.mode === 'smoothed' && first.t < w.start)
    left = histogramBetween(first, samples[1], w.start, isCounter, remarks);
  let right: PlainHistogram | undefined = last.h;
  const before = w.histograms[w.histograms.indexOf(last) - 1];
  if (w.mode === 'smoothed' && before !== undefined && last.t > w.end)
    right = histogramBetween(before, last, w.end, isCounter, remarks);
  if (left === undefined || right === undefined) return mixed(remarks);
  if (!isCounter && !(left.hint === 'gauge' && right.hint === 'gauge'))
    remarks.list.warn(warningText.notGauge(remarks.metric), remarks.vector);
  const difference = combined(right, left, -1, remarks);
  if (difference === undefined || !isCounter) return difference;
  const lost = lostByResets(w, samples, left, right);
  if (lost === 'misfit') return undefined;
  return lost === undefined ? difference : combined(difference, lost, 1, remarks);
}

function fitTogether({ remarks }: Window, samples: readonly HistogramSample[], isCounter: boolean): boolean {
  for (const { h } of samples) {
    if (isCustom(h) !== isCustom(samples[0].h)) {
      mixed(remarks);
      return false;
    }
    if (isCounter && h.hint === 'gauge')
      remarks.list.warn(warningText.notCounter(remarks.metric), remarks.vector);
  }
  return true;
}

/** What the counter had counted before each reset between the ends. */
function lostByResets(
  w: Window,
  samples: readonly HistogramSample[],
  left: PlainHistogram,
  right: PlainHistogram,
): PlainHistogram | 'misfit' | undefined {
  const spansReset = w.mode === 'smoothed' && samples[0].t < w.start && isReset(samples[1].h, samples[0].h);
  const from = spansReset ? 2 : 1;
  if (from > samples.length - 1) return undefined;
  const between = samples.slice(from, -1).map(({ h }) => h);
  let previous = spansReset ? samples[1].h : left;
  let lost: PlainHistogram | undefined;
  for (const current of [...between, right]) {
    if (isReset(current, previous)) {
      lost = lost === undefined ? previous : combined(lost, previous, 1, w.remarks);
      if (lost === undefined) return 'misfit';
    }
    previous = current;
  }
  return lost;
}

function combined(
  a: PlainHistogram,
  b: PlainHistogram,
  sign: 1 | -1,
  remarks: WindowRemarks,
): PlainHistogram | undefined {
  const result = combine(a, b, sign);
  if (result === undefined) return mixed(remarks);
  if (result.boundsReconciled)
    remarks.list.info(
      infoText.mismatchedCustomBuckets(sign === 1 ? 'addition' : 'subtraction'),
      remarks.vector,
    );
  return result.histogram;
}

function mixed(remarks: WindowRemarks): undefined {
  remarks.list.warn(warningText.mixedSchemas(remarks.metric), remarks.vector);
}

/** The histogram on the line through two others. Undefined when they do not fit. */
export function histogramBetween(
  a: HistogramSample,
  b: HistogramSample,
  t: number,
  isCounter: boolean,
  remarks: Pick<WindowRemarks, 'list' | 'vector'>,
): PlainHistogram | undefined {
  if (t === a.t) return a.h;
  if (t === b.t) return b.h;
  const share = (t - a.t) / (b.t - a.t);
  if (isCounter && isReset(b.h, a.h)) return multiply(b.h, share);
  const difference = combine(b.h, a.h, -1);
  if (difference === undefined) return undefined;
  const result = combine(multiply(difference.histogram, share), a.h, 1)!;
  if (difference.boundsReconciled)
    remarks.list.info(infoText.mismatchedCustomBuckets('subtraction'), remarks.vector);
  if (result.boundsReconciled)
    remarks.list.info(infoText.mismatchedCustomBuckets('addition'), remarks.vector);
  return result.histogram;
}

/** The instant selector with `smoothed`: the value at `t` itself, or on the line between its neighbours, or the one before. */
export function smoothedAt(
  w: Pick<Window, 'floats' | 'histograms' | 'remarks'>,
  t: number,
): Point | undefined {
  const { floats, histograms, remarks } = w;
  if (floats.length > 0 && histograms.length > 0) {
    remarks.list.warn(warningText.mixedFloatsHistograms(remarks.metric), remarks.vector);
    return undefined;
  }
  if (floats.length > 0) {
    const after = floats.find((sample) => sample.t >= t);
    const before = floats.findLast((sample) => sample.t < t);
    if (after?.t === t) return after.v;
    if (before === undefined) return undefined;
    return after === undefined ? before.v : between(before, after, t, false);
  }
  const after = histograms.find((sample) => sample.t >= t);
  const before = histograms.findLast((sample) => sample.t < t);
  if (after?.t === t) return after.h;
  if (before === undefined) return undefined;
  if (after === undefined) return { ...before.h, hint: 'unknown' };
  if (isCustom(before.h) !== isCustom(after.h)) return mixed(remarks);
  const isCounter = !(before.h.hint === 'gauge' && after.h.hint === 'gauge');
  return histogramBetween(before, after, t, isCounter, remarks);
}

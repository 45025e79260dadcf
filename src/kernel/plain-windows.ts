import { isStaleAt, STALE_NAN_HIGH, STALE_NAN_LOW } from '../model/sample.ts';
import { assertNever } from '../platform/assert.ts';
import type { StepGrid, WindowFunction } from './query-kernel.ts';

/**
 * The window functions of the kernel, written to be read: each window is taken on its own, with Prometheus' arithmetic
 * in Prometheus' order. Oracle of `QueryKernel.windows` and `instant`; results are own memory.
 */
export function plainWindows(
  func: WindowFunction,
  timestamps: Float64Array,
  values: Float64Array,
  grid: StepGrid,
  rangeMs: number,
): Float64Array {
  const row = new PlainRow(grid.steps);
  for (let step = 0; step < grid.steps; step++) {
    const end = grid.start + step * grid.step;
    const from = timestamps.findIndex((t) => t > end - rangeMs);
    const to = timestamps.findLastIndex((t) => t <= end) + 1;
    if (from < 0 || from >= to) continue;
    const window: Window = {
      times: timestamps.subarray(from, to),
      values: values.subarray(from, to),
      begin: end - rangeMs,
      end,
    };
    const result = evaluate(func, window);
    if (typeof result === 'number') row.set(step, result);
    else if (result) row.copy(step, result, 0);
  }
  return row.values;
}

/** Twin of `QueryKernel.instant`. */
export function plainInstant(
  timestamps: Float64Array,
  values: Float64Array,
  grid: StepGrid,
  lookbackMs: number,
): Float64Array {
  const row = new PlainRow(grid.steps);
  for (let step = 0; step < grid.steps; step++) {
    const t = grid.start + step * grid.step;
    const newest = timestamps.findLastIndex((time) => time <= t);
    if (newest >= 0 && timestamps[newest] > t - lookbackMs) row.copy(step, values, newest);
  }
  return row.values;
}

/** A row that begins without values. */
export class PlainRow {
  readonly values: Float64Array;
  readonly #words: Uint32Array;

  constructor(steps: number) {
    this.values = new Float64Array(steps);
    this.#words = new Uint32Array(this.values.buffer);
    for (let step = 0; step < steps; step++) {
      this.#words[2 * step] = STALE_NAN_LOW;
      this.#words[2 * step + 1] = STALE_NAN_HIGH;
    }
  }

  set(step: number, value: number): void {
    this.values[step] = value;
  }

  /** As bits, so that a staleness marker stays one. */
  copy(step: number, from: Float64Array, index: number): void {
    const words = new Uint32Array(from.buffer, from.byteOffset + 8 * index, 2);
    this.#words.set(words, 2 * step);
  }
}

/** Whether step `step` of a row has a value. */
export function isPresent(row: Float64Array, step: number): boolean {
  return !isStaleAt(new Uint32Array(row.buffer, row.byteOffset, 2 * row.length), step);
}

/** Samples with begin < t ≤ end; at least one. */
interface Window {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly begin: number;
  readonly end: number;
}

/** A number, or a sample to be copied bit by bit, or nothing. */
function evaluate(func: WindowFunction, window: Window): number | Float64Array | undefined {
  const { values } = window;
  switch (func) {
    case 'rate':
      return extrapolated(window, true, (window.end - window.begin) / 1000);
    case 'increase':
      return extrapolated(window, true, 1);
    case 'delta':
      return extrapolated(window, false, 1);
    case 'irate':
      return lastTwo(window, true);
    case 'idelta':
      return lastTwo(window, false);
    case 'sum_over_time':
      return sum(values);
    case 'avg_over_time':
      return mean(values);
    case 'min_over_time':
      return extreme(values, (x, best) => x < best);
    case 'max_over_time':
      return extreme(values, (x, best) => x > best);
    case 'count_over_time':
      return values.length;
    case 'last_over_time':
      return values.subarray(values.length - 1);
    case 'first_over_time':
      return values.subarray(0, 1);
    case 'present_over_time':
      return 1;
    case 'stdvar_over_time':
      return variance(values);
    case 'stddev_over_time':
      return Math.sqrt(variance(values));
    case 'changes':
      return countPairs(values, (a, b) => a !== b && !(Number.isNaN(a) && Number.isNaN(b)));
    case 'resets':
      return countPairs(values, (a, b) => b < a);
    case 'deriv':
      return slope(window);
    default:
      return assertNever(func);
  }
}

function extrapolated(
  { times, values, begin, end }: Window,
  isCounter: boolean,
  per: number,
): number | undefined {
  const last = values.length - 1;
  if (last < 1) return undefined;
  let result = values[last] - values[0];
  if (isCounter) for (let i = 1; i <= last; i++) if (values[i] < values[i - 1]) result += values[i - 1];

  let toStart = (times[0] - begin) / 1000;
  let toEnd = (end - times[last]) / 1000;
  const sampled = (times[last] - times[0]) / 1000;
  const average = sampled / last;
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  // A counter was zero at some time: not before that.
  if (isCounter && result > 0 && values[0] >= 0) toStart = Math.min(toStart, sampled * (values[0] / result));
  if (toEnd >= threshold) toEnd = average / 2;
  return result * ((sampled + toStart + toEnd) / sampled / per);
}

function lastTwo({ times, values }: Window, isRate: boolean): number | undefined {
  const last = values.length - 1;
  if (last < 1) return undefined;
  if (!isRate) return values[last] - values[last - 1];
  const change = values[last] < values[last - 1] ? values[last] : values[last] - values[last - 1];
  return change / ((times[last] - times[last - 1]) / 1000);
}

function sum(values: Float64Array): number {
  const total = new Kahan();
  for (const value of values) total.add(value);
  return Math.abs(total.sum) === Number.POSITIVE_INFINITY ? total.sum : total.sum + total.c;
}

/** The sum by the count; once the sum overflows, the mean is carried along instead. */
function mean(values: Float64Array): number {
  const total = new Kahan(values[0]);
  for (let i = 1; i < values.length; i++) {
    if (Math.abs(total.sum + values[i]) === Number.POSITIVE_INFINITY)
      return incrementalMean(values, i, total);
    total.add(values[i]);
  }
  return total.sum / values.length + total.c / values.length;
}

function incrementalMean(values: Float64Array, from: number, total: Kahan): number {
  const carried = new Kahan(total.sum / from);
  carried.c = total.c / from;
  for (let i = from; i < values.length; i++) {
    const count = i + 1;
    const share = (count - 1) / count;
    carried.sum *= share;
    carried.c *= share;
    carried.add(values[i] / count);
  }
  return carried.sum + carried.c;
}

function extreme(values: Float64Array, isBetter: (x: number, best: number) => boolean): Float64Array {
  let best = 0;
  for (let i = 0; i < values.length; i++)
    if (Number.isNaN(values[best]) || isBetter(values[i], values[best])) best = i;
  return values.subarray(best, best + 1);
}

function variance(values: Float64Array): number {
  const mean = new Kahan();
  const squares = new Kahan();
  for (const [i, value] of values.entries()) {
    const delta = value - (mean.sum + mean.c);
    mean.add(delta / (i + 1));
    squares.add(delta * (value - (mean.sum + mean.c)));
  }
  return (squares.sum + squares.c) / values.length;
}

function countPairs(values: Float64Array, counts: (a: number, b: number) => boolean): number {
  let count = 0;
  for (let i = 1; i < values.length; i++) if (counts(values[i - 1], values[i])) count++;
  return count;
}

function slope({ times, values }: Window): number | undefined {
  if (values.length < 2) return undefined;
  if (values.every((value) => value === values[0]))
    return Math.abs(values[0]) === Number.POSITIVE_INFINITY ? Number.NaN : 0;
  const [sumX, sumY, sumXY, sumX2] = [new Kahan(), new Kahan(), new Kahan(), new Kahan()];
  for (const [i, y] of values.entries()) {
    const x = (times[i] - times[0]) / 1e3;
    sumX.add(x);
    sumY.add(y);
    sumXY.add(x * y);
    sumX2.add(x * x);
  }
  const n = values.length;
  const [x, y, xy, x2] = [sumX, sumY, sumXY, sumX2].map((total) => total.sum + total.c);
  return (xy - (x * y) / n) / (x2 - (x * x) / n);
}

/** A sum and what was rounded off it (Kahan, Neumaier). */
export class Kahan {
  sum: number;
  c = 0;

  constructor(sum = 0) {
    this.sum = sum;
  }

  add(value: number): void {
    const t = this.sum + value;
    if (Math.abs(t) === Number.POSITIVE_INFINITY) this.c = 0;
    else this.c += Math.abs(this.sum) >= Math.abs(value) ? this.sum - t + value : value - t + this.sum;
    this.sum = t;
  }
}

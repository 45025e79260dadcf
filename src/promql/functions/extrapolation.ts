import type { Window } from './window.ts';

/** Whether resets count, and whether the increase is divided by the range. */
export interface RateKind {
  readonly isCounter: boolean;
  readonly isRate: boolean;
}

/** What the change over a window is drawn on from. Times in ms. */
export interface Sampled {
  readonly firstTime: number;
  readonly lastTime: number;
  readonly count: number;
  /** Between the first and the last sample. */
  readonly change: number;
  /** Of a counter: its first value, below which its line began at zero. */
  readonly firstValue: number | undefined;
  /** When the counter was zero, where start timestamps tell; then nothing is drawn on to the left. */
  readonly startedAt: number | undefined;
}

/**
 * The factor from the change between the first and the last sample to the change over the whole window: the line
 * is drawn on to the ends of the window, or half an average interval when samples are further away, and not below
 * zero for a counter that starts at `firstValue`.
 */
export function extrapolation(w: Window, samples: Sampled, isRate: boolean): number {
  const { firstTime, lastTime, count, startedAt } = samples;
  const average = count > 1 ? (lastTime - firstTime) / 1000 / (count - 1) : 0;
  const threshold = average * 1.1;
  const sampled = (lastTime - (startedAt ?? firstTime)) / 1000;
  const toStart = startedAt === undefined ? leftGap(w, samples, sampled, average, threshold) : 0;
  let toEnd = (w.end - lastTime) / 1000;
  if (toEnd >= threshold) toEnd = average / 2;
  const factor = (sampled + toStart + toEnd) / sampled;
  return isRate ? factor / ((w.end - w.start) / 1000) : factor;
}

function leftGap(
  w: Window,
  { firstTime, firstValue, change }: Sampled,
  sampled: number,
  average: number,
  threshold: number,
): number {
  let toStart = (firstTime - w.start) / 1000;
  if (toStart >= threshold) toStart = average / 2;
  if (firstValue === undefined || !(change > 0 && firstValue >= 0)) return toStart;
  return Math.min(toStart, sampled * (firstValue / change));
}

/** The start timestamp of the first sample of a window when it lies inside the window and before the sample. */
export function startInside(
  w: Window,
  times: ArrayLike<number>,
  starts: ArrayLike<number> | undefined,
  first: number,
): number | undefined {
  const start = starts?.[first] ?? 0;
  return start !== 0 && start > w.start && start < times[first] ? start : undefined;
}

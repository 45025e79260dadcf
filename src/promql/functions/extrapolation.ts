import type { Window } from './window.ts';

/** Whether resets count, and whether the increase is divided by the range. */
export interface RateKind {
  readonly isCounter: boolean;
  readonly isRate: boolean;
}

/**
 * The factor from the change between the first and the last sample to the change over the whole window: the line
 * is drawn on to the ends of the window, or half an average interval when samples are further away, and not below
 * zero for a counter that starts at `firstValue`.
 */
export function extrapolation(
  w: Window,
  firstTime: number,
  lastTime: number,
  count: number,
  change: number,
  firstValue: number | undefined,
  isRate: boolean,
): number {
  let toStart = (firstTime - w.start) / 1000;
  let toEnd = (w.end - lastTime) / 1000;
  const sampled = (lastTime - firstTime) / 1000;
  const average = sampled / (count - 1);
  const threshold = average * 1.1;
  if (toStart >= threshold) toStart = average / 2;
  if (firstValue !== undefined && change > 0 && firstValue >= 0)
    toStart = Math.min(toStart, sampled * (firstValue / change));
  if (toEnd >= threshold) toEnd = average / 2;
  const factor = (sampled + toStart + toEnd) / sampled;
  return isRate ? factor / ((w.end - w.start) / 1000) : factor;
}

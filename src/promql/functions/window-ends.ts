/** The last sample at or before `start`, or else the first there is. */
export function firstIndex(times: ArrayLike<number>, from: number, to: number, start: number): number {
  let first = from;
  while (first + 1 < to && times[first + 1] <= start) first++;
  return first;
}

/** The last sample; for a smoothed range the first at or after `end`, if there is one. */
export function lastIndex(
  times: ArrayLike<number>,
  first: number,
  to: number,
  end: number,
  smoothed: boolean,
): number {
  if (!smoothed) return to - 1;
  let last = first;
  while (last < to - 1 && times[last] < end) last++;
  return last;
}

/** The value at `t` on the line through two points. */
export function between(t0: number, v0: number, t1: number, v1: number, t: number): number {
  return v0 + ((v1 - v0) * (t - t0)) / (t1 - t0);
}

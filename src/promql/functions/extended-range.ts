import { between, firstIndex, lastIndex } from './window-ends.ts';

export interface Points {
  /** ms, ascending. */
  readonly times: Float64Array;
  readonly floats: Float64Array;
}

/**
 * What an `anchored` or `smoothed` range shows of itself: the samples inside, and a point at each of its ends with the
 * value that rates take there. `points` reach beyond the ends. No points when none is after the start.
 */
export function extendedRange(points: Points, start: number, end: number, smoothed: boolean): Points {
  const { times, floats } = points;
  const count = times.length;
  const first = firstIndex(times, 0, count, start);
  const last = lastIndex(times, first, count, end, smoothed);
  if (count === 0 || times[last] <= start) return { times: new Float64Array(), floats: new Float64Array() };
  const at = (i: number, t: number) => between(times[i], floats[i], times[i + 1], floats[i + 1], t);
  const left = smoothed && times[first] < start ? at(first, start) : floats[first];
  const right = smoothed && last > 0 && times[last] > end ? at(last - 1, end) : floats[last];
  const from = times[first] <= start ? first + 1 : first;
  const to = Math.max(from, times[last] >= end ? last : last + 1);
  return {
    times: Float64Array.of(start, ...times.subarray(from, to), end),
    floats: Float64Array.of(left, ...floats.subarray(from, to), right),
  };
}

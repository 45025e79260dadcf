/**
 * Whether the counter began anew between two samples by what their start timestamps say. A start at or after its own
 * sample says nothing. A start at the sample before is a delta series if that one has a sensible start of its own, and
 * otherwise a counter whose start was unknown at first. ms; 0 is unknown.
 */
export function isStartReset(
  previousStart: number,
  previousTime: number,
  start: number,
  time: number,
): boolean {
  if (start === 0 || start >= time || start < previousTime) return false;
  if (start > previousTime) return true;
  return previousStart !== 0 && previousStart < previousTime;
}

/** Whether a sample covers time that the one before it covers too, and is not of the same counter. */
export function overlapsStart(previousStart: number, previousTime: number, start: number): boolean {
  return start !== 0 && start < previousTime && start !== previousStart;
}

/** Whether any sample of [from, to) overlaps the one before it. */
export function hasOverlap(
  times: ArrayLike<number>,
  starts: ArrayLike<number>,
  from: number,
  to: number,
): boolean {
  for (let i = from + 1; i < to; i++) if (overlapsStart(starts[i - 1], times[i - 1], starts[i])) return true;
  return false;
}

/** Whether sample `i` begins anew after sample `i - 1`; never without start timestamps. */
export function startsAnew(
  times: ArrayLike<number>,
  starts: ArrayLike<number> | undefined,
  i: number,
): boolean {
  return starts !== undefined && isStartReset(starts[i - 1], times[i - 1], starts[i], times[i]);
}

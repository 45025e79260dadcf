/** The times an expression is evaluated at: `start + i * step` for i in [0, count). ms. */
export interface Grid {
  readonly start: number;
  readonly step: number;
  readonly count: number;
  /** The first time is the last moment too: not merely a range with room for one step. */
  readonly isInstant: boolean;
}

export function timeAt(grid: Grid, i: number): number {
  return grid.start + i * grid.step;
}

export function lastTime(grid: Grid): number {
  return timeAt(grid, grid.count - 1);
}

/** A grid of one time. */
export function instantGrid(t: number): Grid {
  return { start: t, step: 1, count: 1, isInstant: true };
}

/** The grid from `start` to `end`, both inclusive, every `step` ms; empty when the end is before the start. */
export function rangeGrid(start: number, end: number, step: number): Grid {
  const count = end < start ? 0 : Math.floor((end - start) / step) + 1;
  return { start, step, count, isInstant: start === end };
}

/**
 * The grid on which a subquery `[range:step]` is evaluated for all windows of `outer` shifted back by `offset`:
 * multiples of the step after the left end of the first window, which itself is excluded.
 */
export function subqueryGrid(outer: Grid, range: number, step: number, offset: number): Grid {
  const left = outer.start - offset - range;
  let start = step * Math.trunc(left / step);
  if (start <= left) start += step;
  return rangeGrid(start, lastTime(outer) - offset, step);
}

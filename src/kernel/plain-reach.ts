/**
 * The numbers of those of `times` from which every one of `base` is further than `reach` times the spacing around them: the plain
 * twin of `ChunkKernel.outOfReach`. The spacing is the least of: to the one before and to the one after in its own series,
 * between the two of the base before it, between the two at or after it, and `spacingMax`.
 */
export function plainOutOfReach(
  base: Float64Array,
  times: Float64Array,
  reach: number,
  spacingMax: number,
): number[] {
  const chosen: number[] = [];
  for (const [i, t] of times.entries()) {
    const next = base.findIndex((at) => at >= t);
    const after = next < 0 ? base.length : next;
    const own = Math.min(gap(times, i - 1), gap(times, i));
    const distance = reach * Math.min(own, gap(base, after - 2), gap(base, after), spacingMax);
    if (base.every((at) => Math.abs(at - t) > distance)) chosen.push(i);
  }
  return chosen;
}

/** From time i to the one after it; infinite when one of them is not there. */
function gap(times: Float64Array, i: number): number {
  return i < 0 || i + 1 >= times.length ? Number.POSITIVE_INFINITY : times[i + 1] - times[i];
}

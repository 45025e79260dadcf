import type { Lane } from './replica-lane.ts';

/** The least penalty while the distance of samples is not known yet: Thanos' constant, ms. */
export const PENALTY_START_MS = 5000;

/**
 * Two replicas of one series as one, as Thanos' penalty algorithm does: the replica that was taken last is taken on; the
 * other one only after a gap of about two of its intervals, so that samples of both do not interleave.
 */
export function penaltyMerge(a: Lane, b: Lane): Lane {
  const timestamps = new Float64Array(a.timestamps.length + b.timestamps.length);
  const values = new Float64Array(timestamps.length);
  const origins = new Int32Array(timestamps.length);
  let used = 0;
  let i = 0;
  let k = 0;
  let penaltyA = 0;
  let penaltyB = 0;
  let last = Number.NEGATIVE_INFINITY;
  for (;;) {
    while (i < a.timestamps.length && a.timestamps[i] < last + 1 + penaltyA) i++;
    while (k < b.timestamps.length && b.timestamps[k] < last + 1 + penaltyB) k++;
    const hasA = i < a.timestamps.length;
    const hasB = k < b.timestamps.length;
    if (!hasA && !hasB) break;
    const takesA = hasA && (!hasB || a.timestamps[i] <= b.timestamps[k]);
    const t = takesA ? a.timestamps[i] : b.timestamps[k];
    // A typed array to a typed array: NaN keeps its bits.
    if (takesA) values[used] = a.values[i];
    else values[used] = b.values[k];
    origins[used] = takesA ? a.origins[i] : b.origins[k];
    timestamps[used++] = t;
    const penalty =
      last === Number.NEGATIVE_INFINITY
        ? startPenalty(takesA ? a.timestamps : b.timestamps, takesA ? i : k)
        : 2 * (t - last);
    if (hasA && hasB) {
      penaltyA = takesA ? 0 : penalty;
      penaltyB = takesA ? penalty : 0;
    } else {
      penaltyA = 0;
      penaltyB = 0;
    }
    last = t;
  }
  return {
    timestamps: timestamps.subarray(0, used),
    values: values.subarray(0, used),
    origins: origins.subarray(0, used),
  };
}

/** From the distance to the next sample of the same replica, so that the result does not depend on where one begins. */
function startPenalty(timestamps: Float64Array, i: number): number {
  const next = i + 1 < timestamps.length ? 2 * (timestamps[i + 1] - timestamps[i]) : 0;
  return Math.max(PENALTY_START_MS, next);
}

import type { Lane } from './replica-lane.ts';

/** All samples of a lane and those of `late` between them; for equal times the lane's stays. */
export function addLate(lane: Lane, late: Lane): Lane {
  const countMax = lane.timestamps.length + late.timestamps.length;
  const timestamps = new Float64Array(countMax);
  const values = new Float64Array(countMax);
  const origins = new Int32Array(countMax);
  let used = 0;
  for (let i = 0, k = 0; i < lane.timestamps.length || k < late.timestamps.length; used++) {
    const own = i < lane.timestamps.length ? lane.timestamps[i] : Number.POSITIVE_INFINITY;
    const other = k < late.timestamps.length ? late.timestamps[k] : Number.POSITIVE_INFINITY;
    // A typed array to a typed array: NaN keeps its bits.
    if (own <= other) values[used] = lane.values[i];
    else values[used] = late.values[k];
    origins[used] = own <= other ? lane.origins[i] : late.origins[k];
    timestamps[used] = Math.min(own, other);
    if (own <= other) i++;
    if (other <= own) k++;
  }
  return {
    timestamps: timestamps.subarray(0, used),
    values: values.subarray(0, used),
    origins: origins.subarray(0, used),
  };
}

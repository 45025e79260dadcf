import type { FloatColumns } from '../../chunkenc/xor.ts';

/** Runs of samples, each ascending, as one; for equal times the later run wins. Bits of values are kept. */
export function mergeByTime(runs: readonly FloatColumns[]): FloatColumns {
  let merged = [...runs];
  // Neighbours in pairs, so that each sample is moved once per doubling.
  while (merged.length > 1)
    merged = Array.from({ length: Math.ceil(merged.length / 2) }, (_, i) =>
      2 * i + 1 < merged.length ? mergeTwo(merged[2 * i], merged[2 * i + 1]) : merged[2 * i],
    );
  return merged[0];
}

function mergeTwo(a: FloatColumns, b: FloatColumns): FloatColumns {
  const count = a.timestamps.length + b.timestamps.length;
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  let i = 0;
  let k = 0;
  let used = 0;
  while (i < a.timestamps.length || k < b.timestamps.length) {
    const takesB =
      k < b.timestamps.length && (i >= a.timestamps.length || b.timestamps[k] <= a.timestamps[i]);
    if (takesB && b.timestamps[k] === a.timestamps[i]) i++;
    timestamps[used] = takesB ? b.timestamps[k] : a.timestamps[i];
    // A typed array to a typed array: NaN keeps its bits.
    values[used++] = takesB ? b.values[k++] : a.values[i++];
  }
  return { timestamps: timestamps.subarray(0, used), values: values.subarray(0, used) };
}

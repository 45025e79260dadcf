import { Aggregate, type AggregateParts } from '../../chunkenc/aggregate-chunk.ts';
import type { FloatColumns } from '../../chunkenc/xor.ts';
import { VeronaError } from '../../model/errors.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { firstTime, resolutionOf } from './resolution-of.ts';
import { ONE_HOUR_MS } from './window.ts';

/** Raw samples of a window; more than one a millisecond there cannot be. */
const WINDOW_SAMPLES_MAX = ONE_HOUR_MS;

/**
 * A sample of 1 for every raw one that an aggregate chunk was made of, spread evenly over its window and up to the end of it: what
 * counts samples counts the raw ones, a window whole or not at all. Times ascend. Throws `corrupt`.
 */
export function spreadCounts(parts: AggregateParts): FloatColumns {
  const { timestamps, values } = floatsOf(parts, Aggregate.count);
  const out: number[] = [];
  const resolutionMs = resolutionOf(parts, timestamps);
  let before = firstTime(parts) - 1;
  for (const [i, t] of timestamps.entries()) {
    const start = Math.max(before + 1, Math.floor(t / resolutionMs) * resolutionMs);
    const count = Math.min(checkedCount(values[i]), t - start + 1);
    const distance = (t - start + 1) / count;
    for (let k = count - 1; k >= 0; k--) out.push(t - Math.floor(k * distance));
    before = t;
  }
  return { timestamps: Float64Array.from(out), values: new Float64Array(out.length).fill(1) };
}

function checkedCount(count: number): number {
  if (Number.isInteger(count) && count > 0 && count <= WINDOW_SAMPLES_MAX) return count;
  throw new VeronaError('corrupt', `an aggregate chunk has a window of ${count} samples`);
}

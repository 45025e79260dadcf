import { Aggregate, type AggregateParts } from '../../chunkenc/aggregate-chunk.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { histogramsOf } from './downsample-histograms.ts';
import { FIVE_MINUTES_MS, ONE_HOUR_MS } from './window.ts';

/**
 * How long the windows of an aggregate chunk are that end at these times, ms: it does not say so itself. The last window ends at the
 * last sample, all others where windows do. A single one is of an hour when it began before five minutes could have.
 */
export function resolutionOf(parts: AggregateParts, ends: Float64Array): number {
  const [end] = ends;
  const isOfHours =
    ends.length > 1
      ? ends.subarray(0, -1).every((t) => (t + 1) % ONE_HOUR_MS === 0)
      : Number.isFinite(firstTime(parts)) &&
        firstTime(parts) < Math.floor(end / FIVE_MINUTES_MS) * FIVE_MINUTES_MS;
  return isOfHours ? ONE_HOUR_MS : FIVE_MINUTES_MS;
}

/** When the first raw sample of an aggregate chunk was; long ago when it is not said. */
export function firstTime(parts: AggregateParts): number {
  const [ofFloats] = floatsOf(parts, Aggregate.counter).timestamps;
  return ofFloats ?? histogramsOf(parts, Aggregate.counter)[0]?.t ?? Number.NEGATIVE_INFINITY;
}

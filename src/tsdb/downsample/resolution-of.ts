import { FIVE_MINUTES_MS, ONE_HOUR_MS } from './window.ts';

/**
 * How long the windows are that end at these times, ms: an aggregate chunk does not say it. The last window ends at the last
 * sample, all others where windows do; of a single one nobody can tell, and it is taken for five minutes.
 */
export function resolutionOf(ends: Float64Array): number {
  const areHours = ends.subarray(0, -1).every((t) => (t + 1) % ONE_HOUR_MS === 0);
  return areHours && ends.length > 1 ? ONE_HOUR_MS : FIVE_MINUTES_MS;
}

import type { FloatHistogram } from '../../model/histogram.ts';
import { between } from './extended-rate.ts';
import type { SeriesSamples } from './window.ts';
export function interpolate(
  samples: SeriesSamples,
  t: number,
  lookback: number,
): number | FloatHistogram | undefined {
  const { floatTimes, floats, floatCount } = samples;
  let after = 0;
  while (after < floatCount && floatTimes[after] < t) after++;
  if (after < floatCount && floatTimes[after] === t) return floats[after];
  const hasBefore = after > 0 && floatTimes[after - 1] > t - lookback;
  if (!hasBefore) return undefined;
  const hasAfter = after < floatCount && floatTimes[after] <= t + lookback;
  if (!hasAfter) return floats[after - 1];
  return between(floatTimes[after - 1], floats[after - 1], floatTimes[after], floats[after], t);
}

import type { FloatHistogram } from '../../model/histogram.ts';
import { scaleHistogram } from '../../model/histogram-math.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import { usesCustomBuckets } from '../../model/histogram-shape.ts';
import { betweenHistograms } from './extended-histogram-rate.ts';
import type { SeriesSamples } from './window.ts';
import { between } from './window-ends.ts';

/**
 * The value of a smoothed selector at `t`: on the line between the samples around it, each at most `lookback` away
 * (the earlier one exclusive). Without a later one the earlier one's. Undefined when nothing is before, when the two
 * are of different kinds (`mixed`), or have different kinds of buckets (`mixedSchemas`).
 */
export function interpolate(
  samples: SeriesSamples,
  t: number,
  lookback: number,
): number | FloatHistogram | 'mixedSchemas' | 'mixed' | undefined {
  const before = newestAtOrBefore(samples, t, t - lookback);
  if (before === undefined) return undefined;
  const after = oldestAfter(samples, t, t + lookback);
  if (after === undefined || before.t === t) return before.value;
  if (typeof before.value === 'number' && typeof after.value === 'number')
    return between(before.t, before.value, after.t, after.value, t);
  if (typeof before.value === 'number' || typeof after.value === 'number') return 'mixed';
  if (usesCustomBuckets(before.value) !== usesCustomBuckets(after.value)) return 'mixedSchemas';
  // A counter that was reset in between starts again from zero.
  const isCounter = before.value.counterResetHint !== 'gauge' && after.value.counterResetHint !== 'gauge';
  if (isCounter && detectReset(after.value, before.value))
    return scaleHistogram(after.value, (t - before.t) / (after.t - before.t));
  return betweenHistograms(before.value, after.value, (t - before.t) / (after.t - before.t));
}

interface Found {
  readonly t: number;
  readonly value: number | FloatHistogram;
}

function newestAtOrBefore(samples: SeriesSamples, t: number, oldest: number): Found | undefined {
  const { floatTimes, floats, floatCount, histogramTimes, histograms } = samples;
  let f = floatCount;
  while (f > 0 && floatTimes[f - 1] > t) f--;
  let h = histogramTimes.length;
  while (h > 0 && histogramTimes[h - 1] > t) h--;
  const floatTime = f > 0 ? floatTimes[f - 1] : -Infinity;
  const histogramTime = h > 0 ? histogramTimes[h - 1] : -Infinity;
  if (Math.max(floatTime, histogramTime) <= oldest) return undefined;
  return floatTime > histogramTime
    ? { t: floatTime, value: floats[f - 1] }
    : { t: histogramTime, value: histograms[h - 1] };
}

function oldestAfter(samples: SeriesSamples, t: number, newest: number): Found | undefined {
  const { floatTimes, floats, floatCount, histogramTimes, histograms } = samples;
  let f = 0;
  while (f < floatCount && floatTimes[f] <= t) f++;
  let h = 0;
  while (h < histogramTimes.length && histogramTimes[h] <= t) h++;
  const floatTime = f < floatCount ? floatTimes[f] : Infinity;
  const histogramTime = h < histogramTimes.length ? histogramTimes[h] : Infinity;
  if (Math.min(floatTime, histogramTime) > newest) return undefined;
  return floatTime < histogramTime
    ? { t: floatTime, value: floats[f] }
    : { t: histogramTime, value: histograms[h] };
}

import type { FloatHistogram } from '../../model/histogram.ts';
import { usesCustomBuckets } from '../../model/histogram-shape.ts';
import { histogramAt } from './extended-histogram-rate.ts';
import type { SeriesSamples } from './window.ts';
import { between } from './window-ends.ts';

/** Why there is no value although there are samples. */
export type NoValue = 'mixed' | 'mixedSchemas';

/**
 * The value of a smoothed selector at `t`: of the sample then, or on the line between the samples around it, each at most
 * `lookback` away (the earlier one exclusive), or without a later one the earlier one's. Undefined when nothing is at or
 * before. There is none where floats and histograms are near (`mixed`), or two kinds of buckets (`mixedSchemas`).
 */
export function interpolate(
  samples: SeriesSamples,
  t: number,
  lookback: number,
  reconciled: (operation: 'subtraction' | 'addition') => void,
): number | FloatHistogram | NoValue | undefined {
  const { floatTimes, floats, floatCount, histogramTimes, histograms } = samples;
  const [f0, f1] = near(floatTimes, floatCount, t, lookback);
  const [h0, h1] = near(histogramTimes, histogramTimes.length, t, lookback);
  if (f1 > f0 && h1 > h0) return 'mixed';
  if (f1 > f0) {
    const after = firstAtOrAfter(floatTimes, f0, f1, t);
    if (after < f1 && floatTimes[after] === t) return floats[after];
    if (after === f0) return undefined;
    if (after === f1) return floats[after - 1];
    return between(floatTimes[after - 1], floats[after - 1], floatTimes[after], floats[after], t);
  }
  const after = firstAtOrAfter(histogramTimes, h0, h1, t);
  if (after < h1 && histogramTimes[after] === t) return histograms[after];
  if (after === h0) return undefined;
  const a = histograms[after - 1];
  // What the hint says of the sample before no longer holds of a value carried forward.
  if (after === h1) return { ...a, counterResetHint: 'unknown' };
  const b = histograms[after];
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) return 'mixedSchemas';
  const isCounter = !(a.counterResetHint === 'gauge' && b.counterResetHint === 'gauge');
  const [from, to] = [histogramTimes[after - 1], histogramTimes[after]];
  return histogramAt({ t: from, histogram: a }, { t: to, histogram: b }, t, isCounter, reconciled);
}

/** The samples in `(t - lookback, t + lookback]`. */
function near(times: ArrayLike<number>, count: number, t: number, lookback: number): [number, number] {
  let from = 0;
  while (from < count && times[from] <= t - lookback) from++;
  let to = from;
  while (to < count && times[to] <= t + lookback) to++;
  return [from, to];
}

function firstAtOrAfter(times: ArrayLike<number>, from: number, to: number, t: number): number {
  let at = from;
  while (at < to && times[at] < t) at++;
  return at;
}

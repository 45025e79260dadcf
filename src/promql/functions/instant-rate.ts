import { histogramInstantValue } from './histogram-rate.ts';
import type { WindowFunction } from './window.ts';

/** `irate` and `idelta`: the change between the two newest samples of the window. */
export function instantRate(isRate: boolean): WindowFunction {
  return (w) => {
    const { f0, f1, h0, h1, floatTimes, floats, histogramTimes } = w;
    const lastFloat = f1 > f0 ? floatTimes[f1 - 1] : -Infinity;
    const lastHistogram = h1 > h0 ? histogramTimes[h1 - 1] : -Infinity;
    if (f1 - f0 + (h1 - h0) < 2) return 0;
    const second = Math.max(
      f1 - f0 > (lastFloat > lastHistogram ? 1 : 0)
        ? floatTimes[lastFloat > lastHistogram ? f1 - 2 : f1 - 1]
        : -Infinity,
      h1 - h0 > (lastFloat > lastHistogram ? 0 : 1)
        ? histogramTimes[lastFloat > lastHistogram ? h1 - 1 : h1 - 2]
        : -Infinity,
    );
    const newestIsFloat = lastFloat > lastHistogram;
    const secondIsFloat =
      f1 - f0 > (newestIsFloat ? 1 : 0) && floatTimes[newestIsFloat ? f1 - 2 : f1 - 1] === second;
    if (newestIsFloat !== secondIsFloat) {
      w.remarks.warnMetric('PromQL warning: encountered a mix of histograms and floats for metric name');
      return 0;
    }
    const interval = Math.max(lastFloat, lastHistogram) - second;
    if (interval === 0) return 0;
    if (!newestIsFloat) return histogramInstantValue(w, isRate, interval);
    const last = floats[f1 - 1];
    const previous = floats[f1 - 2];
    const change = isRate && last < previous ? last : last - previous;
    w.value = isRate ? change / (interval / 1000) : change;
    return 1;
  };
}

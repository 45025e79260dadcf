import { HistogramTotals } from './histogram-totals.ts';
import { warnMixedSchemas } from './remarks.ts';
import type { Window } from './window.ts';

/** The mean of the histograms of a window. */
export function averageHistograms(w: Window): 0 | 2 {
  return total(w, 'avg');
}

/** The sum of the histograms of a window. */
export function sumHistograms(w: Window): 0 | 2 {
  return total(w, 'sum');
}

function total(w: Window, kind: 'sum' | 'avg'): 0 | 2 {
  const totals = new HistogramTotals(kind);
  for (let i = w.h0; i < w.h1; i++)
    if (!totals.add(0, w.histograms[i])) {
      warnMixedSchemas(w);
      return 0;
    }
  w.histogram = totals.finish(0, { warn: w.remarks.warn, info: w.remarks.info });
  return 2;
}

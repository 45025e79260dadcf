import type { Window } from './window.ts';

/** A range holds floats and histograms, which the function cannot take together. */
export function warnMixed(w: Window): void {
  w.remarks.warnMetric('PromQL warning: encountered a mix of histograms and floats for metric name');
}

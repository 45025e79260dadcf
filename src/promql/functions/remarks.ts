import type { Window } from './window.ts';

/** A range holds floats and histograms, which the function cannot take together. */
export function warnMixed(w: Window): void {
  w.remarks.warnMetric('PromQL warning: encountered a mix of histograms and floats for metric name');
}

/** A range holds histograms with exponential and with custom buckets. */
export function warnMixedSchemas(w: Window): void {
  w.remarks.warnMetric(
    'PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas for metric name',
  );
}

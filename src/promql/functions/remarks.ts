import { warningText } from '../annotations.ts';
import type { Window } from './window.ts';

/** A range holds floats and histograms, which the function cannot take together. */
export function warnMixed(w: Window): void {
  w.remarks.warnMetric(warningText.mixedFloatsHistograms);
}

/** A range holds histograms with exponential and with custom buckets. */
export function warnMixedSchemas(w: Window): void {
  w.remarks.warnMetric(warningText.mixedSchemas);
}

/** A counter's sample covers time that the one before covers, by their start timestamps. */
export function warnStartOverlap(w: Window): void {
  w.remarks.countMetric(warningText.startOverlap);
}

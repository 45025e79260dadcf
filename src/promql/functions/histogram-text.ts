import type { FloatHistogram } from '../../model/histogram.ts';
export function histogramText(h: FloatHistogram): string {
  return JSON.stringify(h);
}

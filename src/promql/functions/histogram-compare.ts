import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
export function equalHistograms(_a: FloatHistogram, _b: FloatHistogram): boolean {
  throw new VeronaError('execution', 'native histograms');
}
export function isHistogramReset(_a: FloatHistogram, _b: FloatHistogram): boolean {
  throw new VeronaError('execution', 'native histograms');
}

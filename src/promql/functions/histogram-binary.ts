import type { FloatHistogram } from '../../model/histogram.ts';
import type { BinaryOperator } from '../parser/ast.ts';
import type { HistogramRemarks } from './histogram-totals.ts';
export function combineHistograms(
  _op: BinaryOperator,
  _a: number | FloatHistogram,
  _b: number | FloatHistogram,
  _r: HistogramRemarks,
): number | FloatHistogram | boolean | 'dropped' | undefined {
  return undefined;
}
export function negateHistogram(h: FloatHistogram): FloatHistogram {
  return h;
}

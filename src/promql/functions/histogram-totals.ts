import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
export interface HistogramRemarks {
  warn(message: string): void;
  info(message: string): void;
}
export class HistogramTotals {
  constructor(_kind: 'sum' | 'avg') {}
  add(_cell: number, _h: FloatHistogram): void {
    throw new VeronaError('execution', 'native histograms');
  }
  finish(_cell: number, _r: HistogramRemarks): FloatHistogram | undefined {
    return undefined;
  }
}

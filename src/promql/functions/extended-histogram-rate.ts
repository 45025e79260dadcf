import { VeronaError } from '../../model/errors.ts';
import type { RateKind } from './rate.ts';
import type { Window } from './window.ts';
export function extendedHistogramRate(_w: Window, _k: RateKind, _s: boolean): 0 | 2 {
  throw new VeronaError('execution', 'native histograms');
}

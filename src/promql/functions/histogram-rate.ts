import { VeronaError } from '../../model/errors.ts';
import type { RateKind } from './rate.ts';
import type { Window } from './window.ts';
export function histogramRate(_w: Window, _k: RateKind): 0 | 2 {
  throw new VeronaError('execution', 'native histograms');
}
export function histogramInstantValue(_w: Window, _isRate: boolean, _interval: number): 0 | 2 {
  throw new VeronaError('execution', 'native histograms');
}

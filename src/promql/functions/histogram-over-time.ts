import { VeronaError } from '../../model/errors.ts';
import type { Window } from './window.ts';
export function averageHistograms(_w: Window): 0 | 2 {
  throw new VeronaError('execution', 'native histograms');
}
export function sumHistograms(_w: Window): 0 | 2 {
  throw new VeronaError('execution', 'native histograms');
}

import { VeronaError } from '../../model/errors.ts';
import { formatFixed } from '../parser/go-text.ts';
import type { WindowFunction } from './window.ts';

/** `double_exponential_smoothing`: Holt's linear method with the factors `args[0]` (level) and `args[1]` (trend), both in (0, 1). */
export const doubleExponentialSmoothing: WindowFunction = (w) => {
  const [level, trend] = w.args;
  if (level <= 0 || level >= 1) throw invalid('smoothing', 'sf', level);
  if (trend <= 0 || trend >= 1) throw invalid('trend', 'tf', trend);
  if (w.f1 - w.f0 < 2) {
    if (w.f1 - w.f0 === 1 && w.h1 > w.h0) w.remarks.histogramsIgnored();
    return 0;
  }
  if (w.h1 > w.h0) w.remarks.histogramsIgnored();
  let before = 0;
  let smoothed = w.floats[w.f0];
  let slope = w.floats[w.f0 + 1] - w.floats[w.f0];
  for (let i = w.f0 + 1; i < w.f1; i++) {
    if (i > w.f0 + 1) slope = trend * (smoothed - before) + (1 - trend) * slope;
    before = smoothed;
    smoothed = level * w.floats[i] + (1 - level) * (smoothed + slope);
  }
  w.value = smoothed;
  return 1;
};

function invalid(factor: string, letters: string, value: number): VeronaError {
  return new VeronaError(
    'execution',
    `invalid ${factor} factor. Expected: 0 < ${letters} < 1, got: ${formatFixed(value, 6)}`,
  );
}

import { VeronaError } from '../../model/errors.ts';
import { changes, resets } from './counter-changes.ts';
import { extendedRate } from './extended-rate.ts';
import type { RateKind } from './extrapolation.ts';
import { instantRate } from './instant-rate.ts';
import { OVER_TIME } from './over-time.ts';
import { extrapolatedRate } from './rate.ts';
import { deriv, predictLinear } from './regression.ts';
import { doubleExponentialSmoothing } from './smoothing.ts';
import type { WindowFunction } from './window.ts';

const RATES: Readonly<Record<string, RateKind>> = {
  rate: { isCounter: true, isRate: true },
  increase: { isCounter: true, isRate: false },
  delta: { isCounter: false, isRate: false },
};

const PLAIN: Readonly<Record<string, WindowFunction>> = {
  ...OVER_TIME,
  rate: extrapolatedRate(RATES.rate),
  increase: extrapolatedRate(RATES.increase),
  delta: extrapolatedRate(RATES.delta),
  irate: instantRate(true),
  idelta: instantRate(false),
  changes: changes(false),
  resets: resets(false),
  deriv,
  predict_linear: predictLinear,
  double_exponential_smoothing: doubleExponentialSmoothing,
};

const ANCHORED: Readonly<Record<string, WindowFunction>> = {
  changes: changes(true),
  delta: extendedRate(RATES.delta, false),
  increase: extendedRate(RATES.increase, false),
  rate: extendedRate(RATES.rate, false),
  resets: resets(true),
};

const SMOOTHED: Readonly<Record<string, WindowFunction>> = {
  delta: extendedRate(RATES.delta, true),
  increase: extendedRate(RATES.increase, true),
  rate: extendedRate(RATES.rate, true),
};

/** Whether a function of a range vector has this name. */
export function isWindowFunctionName(name: string): boolean {
  return Object.hasOwn(PLAIN, name);
}

/** The function of a range vector in a range mode. Throws `execution` when it has none in that mode. */
export function windowFunction(name: string, mode: 'plain' | 'anchored' | 'smoothed'): WindowFunction {
  const table = mode === 'plain' ? PLAIN : mode === 'anchored' ? ANCHORED : SMOOTHED;
  const found = table[name === 'absent_over_time' ? 'present_over_time' : name];
  if (found === undefined)
    throw new VeronaError(
      'execution',
      `${mode} modifier can only be used with: ${Object.keys(table).join(', ')} - not with ${name}`,
    );
  return found;
}

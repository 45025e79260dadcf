import { expect, test } from 'vitest';
import { formatFloat, formatSeconds } from './number-text.ts';

test.each([
  [0, '0'],
  [-0, '-0'],
  [1, '1'],
  [-1.5, '-1.5'],
  [0.1, '0.1'],
  [1e-6, '0.000001'],
  [9.9e-7, '9.9e-07'],
  [1e-10, '1e-10'],
  [5e-324, '5e-324'],
  [1e20, '100000000000000000000'],
  [1e21, '1e+21'],
  [1.25e300, '1.25e+300'],
  [Number.NaN, 'NaN'],
  [Number.POSITIVE_INFINITY, '+Inf'],
  [Number.NEGATIVE_INFINITY, '-Inf'],
])('%d is written %s', (value, text) => {
  expect(formatFloat(value)).toBe(text);
});

test.each([
  [1_435_781_430_781, '1435781430.781'],
  [1_435_781_430_000, '1435781430'],
  [1_500, '1.500'],
  [7, '0.007'],
  [-1, '-0.001'],
  [0, '0'],
])('%d ms are %s seconds', (ms, text) => {
  expect(formatSeconds(ms)).toBe(text);
});

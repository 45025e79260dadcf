import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatOpenMetricsFloat, parseGoFloatText } from './go-float.ts';

test('a number reads as JavaScript reads it, in every form', () => {
  fc.assert(
    fc.property(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.integer({ min: 0, max: 20 }),
      (value, digits) => {
        for (const text of [
          String(value),
          value.toExponential(),
          value.toExponential(digits),
          `+${Math.abs(value)}`,
        ])
          expect(parseGoFloatText(text)).toBe(Number.isFinite(Number(text)) ? Number(text) : undefined);
      },
    ),
    { numRuns: 2000 },
  );
});

test.each([
  ['0', 0],
  ['-0', -0],
  ['.5', 0.5],
  ['5.', 5],
  ['1e+09', 1e9],
  ['1E-2', 0.01],
  ['0000000000000000000012', 12],
  ['123456789012345678', 123456789012345680],
  ['1e-400', 0],
  ['Inf', Number.POSITIVE_INFINITY],
  ['-infinity', Number.NEGATIVE_INFINITY],
  ['nAn', Number.NaN],
])('%s is a number', (text, value) => expect(parseGoFloatText(text)).toBe(value));

test.each([
  '',
  '+',
  '.',
  'e5',
  '1e',
  '1e+',
  '1e400',
  '+nan',
  '0x10',
  '0b1',
  '1_0',
  '1p3',
  ' 1',
  '1 ',
  '--1',
  'constructor',
  '1.2.3',
])('%j is none', (text) => expect(parseGoFloatText(text)).toBeUndefined());

test.each([
  [1, '1.0'],
  [0, '0.0'],
  [0.5, '0.5'],
  [100000, '100000.0'],
  [1e6, '1e+06'],
  [1234567, '1.234567e+06'],
  [0.0001, '0.0001'],
  [0.00001, '1e-05'],
  [1e-100, '1e-100'],
  [Number.POSITIVE_INFINITY, '+Inf'],
])('%d is written %s', (value, text) => expect(formatOpenMetricsFloat(value)).toBe(text));

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

test.each([
  ['0', 0],
  ['15s', 15_000],
  ['1h30m', 5_400_000],
  ['1d', 86_400_000],
  ['250ms', 250],
  ['1y', 31_536_000_000],
])('the duration %s is %d ms', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each(['', '1', '1x', '-1s', '1m1h', ' 1s', '1.5h'])('%j is no duration', (text) => {
  expect(parseDuration(text)).toBeUndefined();
});

test('a formatted duration parses back to itself', () => {
  fc.assert(
    fc.property(fc.nat(2 ** 31), (ms) => {
      expect(parseDuration(formatDuration(ms))).toBe(ms);
    }),
  );
});

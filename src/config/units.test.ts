import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatSize, parseSize } from './units.ts';

test.each([
  ['128MiB', 134_217_728],
  ['1KB', 1024],
  ['5', 5],
  ['1.5GiB', 1_610_612_736],
])('the size %s is %d bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test('a formatted size parses back to itself', () => {
  fc.assert(
    fc.property(fc.nat(), (bytes) => {
      expect(parseSize(formatSize(bytes))).toBe(bytes);
    }),
  );
});

test('text that is no size is refused', () => {
  expect(parseSize('lots')).toBeUndefined();
  expect(parseSize('1XB')).toBeUndefined();
});

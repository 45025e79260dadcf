import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatSize, parseOrdinal, parseSize } from './units.ts';

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

test('an instance is told by its number or by the host name of a StatefulSet', () => {
  const texts = ['0', '12', 'gateway-3', 'store-gateway-0', 'gateway-3.gateway.metrics.svc', 'GW-10'];
  expect(texts.map(parseOrdinal)).toEqual([0, 12, 3, 0, 3, 10]);
  for (const text of ['', '-1', '1.5', '10.0.0.1', 'gateway', 'gateway-', 'gateway3', '-3', '9'.repeat(20)])
    expect(parseOrdinal(text)).toBeUndefined();
});

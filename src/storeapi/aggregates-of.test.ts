import { expect, test } from 'vitest';
import { aggregatesOf, coarsestFor } from './aggregates-of.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

test('stores are not asked for samples that lie too far apart for a range', () => {
  expect(coarsestFor('sum', 0, HOUR)).toBe(HOUR);
  expect(coarsestFor('rate', 2 * HOUR, HOUR)).toBe(HOUR);
  expect(coarsestFor('rate', 2 * HOUR - 1, HOUR)).toBeLessThan(HOUR);
  expect(coarsestFor('rate', 5 * MINUTE, HOUR)).toBeLessThan(5 * MINUTE);
  expect(coarsestFor('max_over_time', HOUR, HOUR)).toBe(HOUR);
  expect(coarsestFor('max_over_time', 30 * MINUTE, HOUR)).toBe(30 * MINUTE);
  expect(coarsestFor('rate', 5 * MINUTE, 0)).toBe(0);
});

test('values are counted by value, samples by number', () => {
  expect(aggregatesOf('count_values')).toEqual([1, 2]);
  expect(aggregatesOf('count_over_time')).toEqual([1]);
});

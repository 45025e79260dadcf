import { expect, test } from 'vitest';
import { xxhash64 } from '../../encoding/xxhash64.ts';
import { classicFraction, classicQuantile, coalesce, makeMonotonic } from './classic-histogram.ts';
import { DATES } from './dates.ts';
import { KahanSum } from './kahan.ts';
import { CLAMPING, MATH } from './math.ts';
import { compareNatural } from './natural-order.ts';
import { average } from './over-time.ts';
import { parseFloatText } from './parse-float.ts';
import { quantileOf } from './quantile.ts';

test.each([
  ['', 0xef46db3751d8e999n],
  ['a', 0xd24ec4f1a98c6e5bn],
  ['abc', 0x44bc2cf5ad770999n],
])('the XXH64 of %j is that of the reference', (text, hash) => {
  expect(xxhash64(new TextEncoder().encode(text))).toBe(hash);
});

test('a compensated sum keeps what a plain one loses', () => {
  const sum = new KahanSum();
  for (const value of [1, 1e100, 1, -1e100]) sum.add(value);
  expect(sum.value).toBe(2);
});

test('a mean does not overflow', () => {
  expect(average([1e308, 1e308, 1e308], 0, 3)).toBeCloseTo(1e308, -300);
});

test.each([
  [0, [3, 1, 2], 1],
  [0.5, [3, 1, 2], 2],
  [0.25, [1, 2], 1.25],
  [-1, [1], -Infinity],
  [2, [1], Infinity],
  [0, [1, Number.NaN], Number.NaN],
  [Number.NaN, [1], Number.NaN],
])('the %d-quantile of %j is %d', (q, values, expected) => {
  expect(quantileOf(q, Float64Array.from(values))).toBe(expected);
});

test('quantiles of short and long ranges agree', () => {
  const values = Float64Array.from({ length: 200 }, (_, i) => (i * 7919) % 201);
  const sorted = [...values].sort((a, b) => a - b);
  expect(quantileOf(1 / 199, values)).toBe(sorted[1]);
});

test.each([
  ['a2', 'a10', -1],
  ['a10', 'a2', 1],
  ['b', 'a1', 1],
  ['a', 'a', 0],
  ['a01', 'a1', 1],
])('%s and %s in natural order', (a, b, sign) => {
  expect(Math.sign(compareNatural(a, b))).toBe(sign);
});

test.each([
  ['0.5', 0.5],
  ['+Inf', Infinity],
  ['-inf', -Infinity],
  ['1e3', 1000],
  ['', undefined],
  ['1x', undefined],
])('the bound %j is %s', (text, value) => {
  expect(parseFloatText(text)).toBe(value);
});

test('a falling bucket is raised and reported', () => {
  const buckets = coalesce([1, 2, 2, Infinity], [5, 1, 2, 6]);
  expect(makeMonotonic(buckets)).toEqual({ minBucket: 2, maxBucket: 2, maxDifference: 2 });
  expect(buckets).toEqual({ bounds: [1, 2, Infinity], counts: [5, 5, 6] });
});

test('float noise in buckets is no correction', () => {
  const buckets = { bounds: [1, Infinity], counts: [1, 1 - 1e-14] };
  expect(makeMonotonic(buckets)).toBeUndefined();
});

test('quantile and fraction of a classic histogram are inverse inside a bucket', () => {
  const buckets = { bounds: [1, 2, Infinity], counts: [10, 30, 40] };
  const value = classicQuantile(0.5, buckets);
  expect(value).toBe(1.5);
  expect(classicFraction(-Infinity, value, buckets)).toBe(0.5);
});

test('without a +Inf bucket there is no quantile', () => {
  expect(classicQuantile(0.5, { bounds: [1, 2], counts: [1, 2] })).toBeNaN();
});

test('dates are parts of UTC', () => {
  const leapDay = Date.UTC(2024, 1, 29, 13, 45) / 1000;
  const parts = Object.fromEntries(Object.entries(DATES).map(([name, part]) => [name, part(leapDay)]));
  expect(parts).toEqual({
    minute: 45,
    hour: 13,
    day_of_week: 4,
    day_of_month: 29,
    day_of_year: 60,
    days_in_month: 29,
    month: 2,
    year: 2024,
  });
});

test('rounding goes up at the half, clamping gives nothing between crossed bounds', () => {
  expect(CLAMPING.round(-2.5, [])).toBe(-2);
  expect(CLAMPING.round(0.15, [0.1])).toBeCloseTo(0.2, 12);
  expect(CLAMPING.clamp(1, [3, 2])).toBeUndefined();
  expect(CLAMPING.clamp_min(Number.NaN, [0])).toBeNaN();
  expect(MATH.sgn(-3)).toBe(-1);
});

import { expect, test } from 'vitest';
import { DEFAULT_LIMITS, LIMIT_FIELDS, TenantLimits } from './limits.ts';

test('every limit has a key, a name, a sentence and a default of its own', () => {
  for (const field of LIMIT_FIELDS) {
    expect(field.name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase())).toBe(field.key);
    expect(field.description).toMatch(/^[A-Z].*\.$/);
    expect(DEFAULT_LIMITS[field.key]).toBe(field.default);
  }
  expect(new Set(LIMIT_FIELDS.map((field) => field.name)).size).toBe(LIMIT_FIELDS.length);
});

test('an override changes one limit of one tenant and leaves the rest as set for all', () => {
  const limits = new TenantLimits(
    { max_series: 10, ingestion_rate: 5 },
    { 'team-a': { max_series: 20 }, constructor: { max_series: 1 } },
  );
  expect(limits.of('team-b')).toEqual({ ...DEFAULT_LIMITS, maxSeries: 10, ingestionRate: 5 });
  expect(limits.of('team-a')).toEqual({ ...DEFAULT_LIMITS, maxSeries: 20, ingestionRate: 5 });
  expect(limits.of('constructor').maxSeries).toBe(1);
  expect(limits.of('toString').maxSeries).toBe(10);
});

test('an override of 0 is an override', () => {
  const limits = new TenantLimits({}, { free: { max_series: 0 } });
  expect(limits.of('free').maxSeries).toBe(0);
});

test('replacing limits forgets the overrides before', () => {
  const limits = new TenantLimits({}, { a: { max_series: 1 } });
  limits.replace({ max_series: 2 }, { b: { max_series: 3 } });
  expect([limits.of('a').maxSeries, limits.of('b').maxSeries]).toEqual([2, 3]);
});

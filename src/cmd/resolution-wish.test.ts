import { expect, test } from 'vitest';
import type { QueryJob } from '../query/jobs.ts';
import { RAW_FIRST, resolutionWish } from './resolution-wish.ts';

test('queries read as coarse as they say, raw data first when they do not, and what has no place for it raw data only', () => {
  const wishOf = (job: object) => resolutionWish(job as QueryJob);
  expect(wishOf({ kind: 'range' })).toBe(RAW_FIRST);
  expect(wishOf({ kind: 'instant', resolutionMaxMs: 300_000 })).toEqual({ maxMs: 300_000 });
  expect(wishOf({ kind: 'range', resolutionBestMs: 720_000 })).toEqual({
    maxMs: Number.POSITIVE_INFINITY,
    bestMs: 720_000,
  });
  expect(wishOf({ kind: 'series' })).toBe(RAW_FIRST);
  expect(wishOf({ kind: 'remoteRead' })).toEqual({ maxMs: 0 });
  expect(wishOf({ kind: 'federate' })).toEqual({ maxMs: 0 });
});

test('a querier elsewhere is not warned, since it may take that for missing data', () => {
  const job = { kind: 'storeSeries', request: { max_resolution_window: 300_000 } } as unknown as QueryJob;
  expect(resolutionWish(job)).toEqual({ maxMs: 300_000, isQuiet: true });
});

import { expect, test } from 'vitest';
import { TenantLimits } from '../tenancy/limits.ts';
import { jobTimeout } from './query-limits.ts';

test.each([
  [undefined, 0, undefined],
  [5_000, 0, 5_000],
  [undefined, 10_000, 10_000],
  [5_000, 10_000, 5_000],
  [120_000, 10_000, 10_000],
])('a request for %s ms of a tenant with a limit of %s ms gets %s ms', (asked, queryTimeout, granted) => {
  const limits = { ...new TenantLimits().of('a'), queryTimeout };
  expect(jobTimeout(asked, limits)).toBe(granted);
});

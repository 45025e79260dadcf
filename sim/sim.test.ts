import { expect, test } from 'vitest';
import { REGRESSION_SEEDS } from './regressions.ts';
import { simulate } from './simulation.ts';

const FEW = [3, 4];

test.each(FEW)('the system keeps its promises through the faults of seed %i', async (seed) => {
  const { failures } = await simulate(seed);
  expect(failures).toEqual([]);
});

test.each(REGRESSION_SEEDS)('what seed %i once found stays mended', async (seed) => {
  const { failures } = await simulate(seed);
  expect(failures).toEqual([]);
});

test('the same seed gives the same run', async () => {
  const [first, second] = [await simulate(5), await simulate(5)];
  expect(second.digest).toBe(first.digest);
});

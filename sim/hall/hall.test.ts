import { expect, test } from 'vitest';
import { simulateHall } from './simulation.ts';

/** Seeds that once found something, kept. What each was is in the commits about compactor, blocks and store gateway. */
const REGRESSION_SEEDS = [6, 41, 101, 125, 5063, 10_323, 10_516, 20_475];

/** In which disks fill up in every part of a job. */
const FULL_DISKS_SEED = 24;

test.each([1, FULL_DISKS_SEED, ...REGRESSION_SEEDS])(
  'the hall keeps its promises through the history of seed %i',
  async (seed) => {
    const { failures } = await simulateHall(seed);
    expect(failures).toEqual([]);
  },
);

test('the same seed gives the same history', async () => {
  const [first, second] = [await simulateHall(3), await simulateHall(3)];
  expect(second.digest).toBe(first.digest);
  expect(second.counts.blocks).toBeGreaterThan(0);
});

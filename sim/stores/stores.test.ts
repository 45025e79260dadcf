import { expect, test } from 'vitest';
import { FAULTS } from './faulty-store.ts';
import { simulateStores } from './simulate-stores.ts';

const SEEDS = 100;

test('stores that die, stall, lie or send what does not decode leave no wrong answer and no silence', async () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { failures, faults, outcome, story } = await simulateStores(seed);
    expect(failures, `seed ${seed}: ${story}`).toEqual([]);
    for (const fault of faults) seen.add(fault);
    seen.add(outcome);
  }
  expect([...FAULTS, 'complete', 'partial', 'refused', 'hung up'].filter((one) => !seen.has(one))).toEqual(
    [],
  );
}, 60_000);

test('the same seed gives the same run', async () => {
  for (const seed of [7, 8, 9]) expect(await simulateStores(seed)).toEqual(await simulateStores(seed));
});

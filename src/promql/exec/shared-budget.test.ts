import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import { Engine } from '../engine.ts';
import { makeBudgetCounter, SharedBudget } from './shared-budget.ts';

const ctx = { signal: new AbortController().signal };
const range = { startMs: 0, endMs: 3_600_000, stepMs: 1000 };

async function stored(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let s = 0; s < 100; s++) appender.append(Labels.from({ __name__: 'up', instance: `${s}` }), 0, s);
  await appender.commit();
  return storage;
}

test('queries together hold no more than the budget, and the error names the setting', async () => {
  const counter = makeBudgetCounter();
  const budget = new SharedBudget(counter, 2_000_000);
  const engine = new Engine({ budget, lookbackDeltaMs: 3_600_000 });
  // 100 series × 3,601 steps are held to be sorted.
  const sorted = () => stored().then((storage) => engine.range(ctx, storage, 'up + up', range));
  await expect(sorted()).rejects.toThrow('query.max_bytes_of_all');
  expect(counter[0]).toBe(0);
});

test('what other queries hold counts, and what a query held is free after it', async () => {
  const counter = makeBudgetCounter();
  const budget = new SharedBudget(counter, 40_000_000);
  const others = budget.forQuery();
  const query = budget.forQuery();
  others.set(2_000_000);
  expect(() => query.set(600_000)).toThrow('all queries together');
  query.close();
  others.close();
  expect(counter[0]).toBe(0);
  query.set(600_000);
  expect(counter[0]).toBe(600_000);
});

test('small changes are not told, and no limit is no limit', () => {
  const counter = makeBudgetCounter();
  const account = new SharedBudget(counter, 0).forQuery();
  account.set(1000);
  expect(counter[0]).toBe(0);
  account.set(2 ** 30);
  expect(counter[0]).toBe(2 ** 30);
});

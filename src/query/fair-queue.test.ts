import { expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

test('tenants take turns, each in its own order', () => {
  const queue = new FairQueue<string>(10);
  for (const item of ['a1', 'a2', 'a3']) queue.push('a', item);
  queue.push('b', 'b1');
  expect(Array.from({ length: 5 }, () => queue.shift())).toEqual(['a1', 'b1', 'a2', 'a3', undefined]);
});

test('a full queue refuses, and an item can leave it', () => {
  const queue = new FairQueue<number>(2);
  expect([queue.push('a', 1), queue.push('b', 2), queue.push('c', 3)]).toEqual([true, true, false]);
  expect(queue.remove('a', 1)).toBe(true);
  expect(queue.remove('a', 1)).toBe(false);
  expect(queue.length).toBe(1);
  expect(queue.shift()).toBe(2);
});

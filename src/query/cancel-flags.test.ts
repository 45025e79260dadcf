import { expect, test } from 'vitest';
import { CancelFlags, cancelQuery, isCanceled } from './cancel-flags.ts';

test('only the query that is canceled sees it', () => {
  const flags = new CancelFlags(2);
  const [a, b] = [flags.take(), flags.take()];
  cancelQuery(a);
  expect([isCanceled(a), isCanceled(b)]).toEqual([true, false]);
});

test('a word that is used again says the end to whoever knew it before, and canceling that one late changes nothing', () => {
  const flags = new CancelFlags(1);
  const before = flags.take();
  flags.release(before);
  const after = flags.take();
  expect([isCanceled(before), isCanceled(after)]).toEqual([true, false]);
  cancelQuery(before);
  expect(isCanceled(after)).toBe(false);
  expect(() => flags.take()).toThrow('more queries run');
});

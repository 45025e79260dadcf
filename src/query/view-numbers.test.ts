import { expect, test } from 'vitest';
import { ViewNumbers } from './view-numbers.ts';

test('a view is told once, and again after others made a thread forget it', () => {
  const numbers = new ViewNumbers();
  const view = {};
  expect(numbers.of(view)).toEqual({ number: 1, isNew: true, dropped: undefined });
  expect(numbers.of(view)).toEqual({ number: 1, isNew: false, dropped: undefined });
  for (let i = 0; i < 255; i++) expect(numbers.of({}).dropped).toBeUndefined();
  expect(numbers.of({})).toEqual({ number: 257, isNew: true, dropped: 1 });
  expect(numbers.of(view)).toEqual({ number: 258, isNew: true, dropped: 2 });
});

import { expect, test } from 'vitest';
import type { Exemplar } from '../../model/exemplar.ts';
import { Labels } from '../../model/labels.ts';
import { ExemplarRing } from './exemplar-ring.ts';

function exemplar(t: number, value = 1, traceId = 'x'): Exemplar {
  return { labels: Labels.from({ trace_id: traceId }), value, t, hasTimestamp: true };
}

test('exemplars of a series are taken in order of time, the newest one again is a duplicate', () => {
  const ring = new ExemplarRing(10);
  expect(ring.add(1, exemplar(10))).toBe('ok');
  expect(ring.add(1, exemplar(10))).toBe('duplicate');
  expect(ring.add(1, exemplar(9))).toBe('out_of_order');
  expect(ring.add(1, exemplar(10, 2))).toBe('ok');
  expect(ring.add(2, exemplar(9))).toBe('ok');
  expect(ring.of(1, 0, 100).map(({ value }) => value)).toEqual([1, 2]);
});

test('a full ring forgets the oldest, and collected series do not come back', () => {
  const ring = new ExemplarRing(3);
  for (let t = 1; t <= 3; t++) ring.add(t, exemplar(t));
  ring.removeSlot(2);
  ring.add(2, exemplar(4));
  expect([...ring.slots()]).toEqual([3, 2]);
  ring.add(5, exemplar(5));
  ring.add(6, exemplar(6));
  expect([...ring.slots()]).toEqual([2, 5, 6]);
  expect(ring.of(2, 0, 100).map(({ t }) => t)).toEqual([4]);
});

test('labels of more than 128 characters are refused, counted by characters', () => {
  const ring = new ExemplarRing(3);
  expect(ring.add(1, exemplar(1, 1, '𝄞'.repeat(120)))).toBe('ok');
  expect(ring.add(1, exemplar(2, 1, 'x'.repeat(121)))).toBe('invalid_exemplar');
});

test('a ring that is made smaller or larger keeps the newest', () => {
  const ring = new ExemplarRing(4);
  for (let t = 0; t < 6; t++) ring.add(1 + (t % 2), exemplar(t));
  const times = () => [1, 2].map((slot) => ring.of(slot, 0, 100).map(({ t }) => t));
  expect(times()).toEqual([
    [2, 4],
    [3, 5],
  ]);
  ring.resize(3);
  expect(times()).toEqual([[4], [3, 5]]);
  ring.resize(5);
  for (let t = 6; t < 10; t++) ring.add(1, exemplar(t));
  expect(times()).toEqual([[6, 7, 8, 9], [5]]);
  ring.resize(0);
  expect(times()).toEqual([[], []]);
});

import { expect, test } from 'vitest';
import type { Samples } from './fill-gaps.ts';
import { accumulated, mergeByPenalty } from './penalty.ts';

function samples(...pairs: [number, number][]): Samples {
  return { timestamps: Float64Array.from(pairs, ([t]) => t), values: Float64Array.from(pairs, ([, v]) => v) };
}

function merged(counter: boolean, ...replicas: Samples[]): [number, number][] {
  const { timestamps, values } = mergeByPenalty(replicas, counter);
  return Array.from(timestamps, (t, i) => [t, values[i]]);
}

test('the first replica stays in use while it has samples in time', () => {
  const a = samples([10_000, 10], [20_000, 11], [30_000, 12], [50_000, 13], [60_000, 14]);
  const b = samples([10_001, 20], [20_001, 21], [30_001, 22], [50_001, 23], [60_001, 24]);
  expect(merged(false, a, b)).toEqual([
    [10_000, 10],
    [20_000, 11],
    [30_000, 12],
    [50_000, 13],
    [60_000, 14],
  ]);
});

test('a gap of more than two intervals switches to the other replica, which is kept afterwards', () => {
  const a = samples([10_000, 10], [20_000, 11], [30_000, 12], [90_000, 13], [100_000, 14]);
  const b = samples(...Array.from({ length: 10 }, (_, i): [number, number] => [10_001 + i * 10_000, 20 + i]));
  expect(merged(false, a, b)).toEqual([
    [10_000, 10],
    [20_000, 11],
    [30_000, 12],
    [50_001, 24],
    [60_001, 25],
    [70_001, 26],
    [80_001, 27],
    [90_001, 28],
    [100_001, 29],
  ]);
});

test('a counter is lifted when the replica it switches to is behind', () => {
  const a = samples([10_000, 100], [20_000, 200], [30_000, 300]);
  const b = samples([10_001, 50], [60_001, 250], [70_001, 350]);
  expect(merged(true, a, b)).toEqual([
    [10_000, 100],
    [20_000, 200],
    [30_000, 300],
    [60_001, 300],
    [70_001, 400],
  ]);
  expect(merged(false, a, b).slice(3)).toEqual([
    [60_001, 250],
    [70_001, 350],
  ]);
});

test('an empty replica changes nothing', () => {
  const a = samples([1000, 1], [2000, 2]);
  expect(merged(true, a, samples())).toEqual(merged(true, a));
  expect(merged(true, samples(), a)).toEqual(merged(true, a));
});

test('a counter that restarts goes on counting, and what is no number is left out', () => {
  const { timestamps, values } = accumulated(
    samples([1, 20], [2, 30], [3, Number.NaN], [4, 0], [5, 5], [6, 2], [7, 9]),
  );
  expect([...timestamps]).toEqual([1, 2, 4, 5, 6, 7]);
  expect([...values]).toEqual([20, 30, 30, 35, 37, 44]);
});

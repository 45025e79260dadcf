import { Aggregate } from '../../chunkenc/aggregate-chunk.ts';

/** What is read of an aggregate chunk: one of the five, or the average, sum divided by count. */
export type AggregateChoice = Aggregate | 'average';

const COUNTER = new Set(['rate', 'irate', 'increase', 'xrate', 'xincrease', 'resets']);

/** The aggregate that a function, or the aggregation closest to the selector, wants: Thanos' choice by name. */
export function aggregateOf(func: string): AggregateChoice {
  if (COUNTER.has(func)) return Aggregate.counter;
  if (func === 'min' || func.startsWith('min_')) return Aggregate.min;
  if (func === 'max' || func.startsWith('max_')) return Aggregate.max;
  if (func === 'count' || func.startsWith('count_')) return Aggregate.count;
  return func.startsWith('sum_') ? Aggregate.sum : 'average';
}

const EXACT = new Set([
  'resets',
  'changes',
  'count_over_time',
  'absent_over_time',
  'idelta',
  'mad_over_time',
]);

/** Functions that no aggregate can answer right: raw data are read for them as long as there are any. */
export function needsRaw(func: string): boolean {
  return EXACT.has(func) || func.startsWith('quantile') || func.startsWith('std');
}

import { Aggregate } from '../../chunkenc/aggregate-chunk.ts';

/**
 * What is read of an aggregate chunk: one of the five, the average (sum divided by count), averages that weigh the same also
 * beside chunks that are finer, or a sample of 1 for each raw one.
 */
export type AggregateChoice = Aggregate | 'average' | 'even' | 'each';

/** Functions of a range to which many samples in a part of it are that part many times. */
const EVEN = new Set([
  'avg_over_time',
  'deriv',
  'predict_linear',
  'double_exponential_smoothing',
  'holt_winters',
]);

const COUNTER = new Set(['rate', 'irate', 'increase', 'xrate', 'xincrease', 'resets']);

/**
 * The aggregate that a function, or the aggregation closest to the selector, wants: Thanos' choice by name, but for
 * `count_values`, which wants values, and `count_over_time`, which would count windows.
 */
export function aggregateOf(func: string): AggregateChoice {
  if (COUNTER.has(func)) return Aggregate.counter;
  if (func === 'min' || func.startsWith('min_')) return Aggregate.min;
  if (func === 'max' || func.startsWith('max_')) return Aggregate.max;
  if (func === 'count') return Aggregate.count;
  if (func === 'count_over_time') return 'each';
  if (EVEN.has(func)) return 'even';
  return func.startsWith('sum_') ? Aggregate.sum : 'average';
}

const EXACT = new Set(['resets', 'changes', 'absent_over_time', 'idelta', 'mad_over_time']);

/** Functions that no aggregate can answer right: their answers over aggregates are not exact. */
export function isInexact(func: string): boolean {
  return EXACT.has(func) || func.startsWith('quantile') || func.startsWith('std');
}

/** Functions for which raw data are read as long as there are any; also because Thanos would count windows. */
export function needsRaw(func: string): boolean {
  return isInexact(func) || func === 'count_over_time';
}

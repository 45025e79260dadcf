import { VeronaError } from '../../model/errors.ts';
import { infoText, warningText } from '../annotations.ts';
import { formatGeneral } from '../parser/go-text.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { GroupIds } from './aggregate.ts';
import { type Batch, dropEmptyRows, newBatch, Presence, pickRows } from './batch.ts';
import { LabelColumn } from './label-column.ts';
import { labelHashRatio } from './label-hash.ts';
import { collect, collectScalar, Deferred, type Operator } from './operator.ts';
import { boundsOf } from './parameter-bounds.ts';
import type { QueryContext } from './query-context.ts';

/** `topk`, `bottomk`, `limitk`, `limit_ratio`: aggregations that keep some of the rows as they are. */
export function ranking(
  context: QueryContext,
  plan: AggregatePlan,
  child: Operator,
  param: Operator,
): Operator {
  return new Deferred(child.grid, async () => {
    const params = await collectScalar(param);
    const rows = await collect(child, context);
    if (!checkParams(context, plan, params)) return newBatch(LabelColumn.from([]), child.grid.count);
    const groups = new GroupIds(plan.grouping, plan.without);
    const members: number[][] = [];
    for (let row = 0; row < rows.count; row++) (members[groups.idOf(rows, row)] ??= []).push(row);
    const kept = new Uint8Array(rows.presence.length);
    const order =
      plan.op === 'limit_ratio'
        ? takeRatio(rows, params, kept)
        : takeK(context, plan, rows, members, params, kept);
    for (let cell = 0; cell < kept.length; cell++) if (kept[cell] === 0) rows.presence[cell] = Presence.none;
    return dropEmptyRows(rows.steps === 1 ? pickRows(rows, order) : rows);
  });
}

/** Marks the cells that stay; returns rows in the order of an instant query's answer. */
function takeK(
  context: QueryContext,
  plan: AggregatePlan,
  rows: Batch,
  members: readonly number[][],
  params: Float64Array,
  kept: Uint8Array,
): number[] {
  const order: number[] = [];
  for (let step = 0; step < rows.steps; step++) {
    const k = Math.trunc(params[step]);
    if (k < 1) continue;
    if ((step & 63) === 0) context.check();
    for (const group of members) {
      const candidates = group.filter((row) => isCandidate(context, plan, rows, row * rows.steps + step));
      const best =
        plan.op === 'limitk' ? candidates.slice(0, k) : select(rows, candidates, step, k, plan.op === 'topk');
      for (const row of best) {
        kept[row * rows.steps + step] = 1;
        order.push(row);
      }
    }
  }
  return order;
}

/** What is wrong or to be said about the parameters of all steps together. False: there is nothing to be had. */
function checkParams(context: QueryContext, plan: AggregatePlan, params: Float64Array): boolean {
  const { min, max, hasNaN } = boundsOf(params);
  if (plan.op === 'limit_ratio') {
    if (min === 0 && max === 0) return false;
    if (hasNaN) throw new VeronaError('execution', 'Ratio value is NaN');
    if (max > 1) context.warn(warningText.invalidRatio(max, 1), plan.param!.span);
    if (min < -1) context.warn(warningText.invalidRatio(min, -1), plan.param!.span);
    return true;
  }
  if (max < 1) return false;
  if (hasNaN) throw new VeronaError('execution', 'Parameter value is NaN');
  if (min <= -(2 ** 63))
    throw new VeronaError('execution', `Scalar value ${formatGeneral(min)} underflows int64`);
  if (max >= 2 ** 63)
    throw new VeronaError('execution', `Scalar value ${formatGeneral(max)} overflows int64`);
  return true;
}

function isCandidate(context: QueryContext, plan: AggregatePlan, rows: Batch, cell: number): boolean {
  if (rows.presence[cell] === Presence.histogram && plan.op !== 'limitk') {
    context.info(infoText.histogramIgnoredInAggregation(plan.op), plan.span);
    return false;
  }
  return rows.presence[cell] !== Presence.none;
}

/** Go sorts up to this many elements by insertion, which keeps equal ones in the order they are in. */
const INSERTION_SORTED_MAX = 12;

/**
 * The k rows with the largest (or smallest) values, best first; NaN only when nothing else is left. They are held in the
 * heap that Prometheus holds them in, the worst on top, because it decides which of several equal ones stay.
 */
function select(
  rows: Batch,
  candidates: readonly number[],
  step: number,
  k: number,
  largest: boolean,
): readonly number[] {
  const { values, steps } = rows;
  const valueAt = (row: number) => values[row * steps + step];
  const isBelow = (a: number, b: number): boolean => {
    const x = valueAt(a);
    return Number.isNaN(x) || (largest ? x < valueAt(b) : x > valueAt(b));
  };
  const heap: number[] = [];
  for (const row of candidates) {
    if (heap.length < k) {
      heap.push(row);
      siftUp(heap, isBelow);
      continue;
    }
    const worst = valueAt(heap[0]);
    const value = valueAt(row);
    const isBetter = Number.isNaN(worst) ? !Number.isNaN(value) : largest ? worst < value : worst > value;
    if (!isBetter) continue;
    heap[0] = row;
    siftDown(heap, isBelow);
  }
  return bestFirst(heap, isBelow);
}

function siftUp(heap: number[], isBelow: (a: number, b: number) => boolean): void {
  for (let at = heap.length - 1; at > 0; ) {
    const parent = (at - 1) >> 1;
    if (!isBelow(heap[at], heap[parent])) return;
    [heap[at], heap[parent]] = [heap[parent], heap[at]];
    at = parent;
  }
}

function siftDown(heap: number[], isBelow: (a: number, b: number) => boolean): void {
  for (let at = 0, child = 1; child < heap.length; child = 2 * at + 1) {
    if (child + 1 < heap.length && isBelow(heap[child + 1], heap[child])) child++;
    if (!isBelow(heap[child], heap[at])) return;
    [heap[at], heap[child]] = [heap[child], heap[at]];
    at = child;
  }
}

function bestFirst(heap: number[], isBelow: (a: number, b: number) => boolean): number[] {
  if (heap.length > INSERTION_SORTED_MAX)
    return heap.sort((a, b) => Number(isBelow(a, b)) - Number(isBelow(b, a)));
  for (let i = 1; i < heap.length; i++)
    for (let at = i; at > 0 && isBelow(heap[at - 1], heap[at]); at--)
      [heap[at], heap[at - 1]] = [heap[at - 1], heap[at]];
  return heap;
}

/** Rows whose hash lies in the wanted part of all hashes: the same rows at every step, and r and r-1 complement each other. */
function takeRatio(rows: Batch, params: Float64Array, kept: Uint8Array): number[] {
  const ratios = Array.from(params, (param) => Math.max(-1, Math.min(1, param)));
  for (let row = 0; row < rows.count; row++) {
    const hash = labelHashRatio(rows.labels.at(row));
    for (let step = 0; step < rows.steps; step++) {
      const ratio = ratios[step];
      const cell = row * rows.steps + step;
      if (rows.presence[cell] !== Presence.none && (ratio >= 0 ? hash < ratio : hash >= 1 + ratio))
        kept[cell] = 1;
    }
  }
  return Array.from({ length: rows.count }, (_, row) => row);
}

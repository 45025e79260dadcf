import { VeronaError } from '../../model/errors.ts';
import { formatG } from '../../model/histogram-text.ts';
import { infoText, warningText } from '../annotations.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { GroupIds } from './aggregate.ts';
import { type Batch, dropEmptyRows, Presence, pickRows } from './batch.ts';
import { labelHashRatio } from './label-hash.ts';
import { collect, collectScalar, Deferred, type Operator } from './operator.ts';
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
    const groups = new GroupIds(plan.grouping, plan.without);
    const members: number[][] = [];
    for (let row = 0; row < rows.count; row++) (members[groups.idOf(rows, row)] ??= []).push(row);
    const kept = new Uint8Array(rows.presence.length);
    const order =
      plan.op === 'limit_ratio'
        ? takeRatio(context, plan, rows, params, kept)
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
    const k = kOf(params[step]);
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

function kOf(value: number): number {
  if (Number.isNaN(value)) throw new VeronaError('execution', 'Parameter value is NaN');
  if (value >= 2 ** 63) throw new VeronaError('execution', `Scalar value ${formatG(value)} overflows int64`);
  if (value <= -(2 ** 63))
    throw new VeronaError('execution', `Scalar value ${formatG(value)} underflows int64`);
  return Math.trunc(value);
}

function isCandidate(context: QueryContext, plan: AggregatePlan, rows: Batch, cell: number): boolean {
  if (rows.presence[cell] === Presence.histogram && plan.op !== 'limitk') {
    context.info(infoText.histogramIgnoredInAggregation(plan.op), plan.child.span);
    return false;
  }
  return rows.presence[cell] !== Presence.none;
}

/** Up to this k the best rows are kept in a sorted list while all are looked at once; beyond it all are sorted. */
const K_SMALL = 64;

/** The k rows with the largest (or smallest) values, best first; NaN only when nothing else is left. */
function select(
  rows: Batch,
  candidates: readonly number[],
  step: number,
  k: number,
  largest: boolean,
): readonly number[] {
  const { values, steps } = rows;
  const isBetter = (a: number, b: number): boolean => {
    const x = values[a * steps + step];
    const y = values[b * steps + step];
    return largest
      ? x > y || (Number.isNaN(y) && !Number.isNaN(x))
      : x < y || (Number.isNaN(y) && !Number.isNaN(x));
  };
  if (k > K_SMALL)
    return candidates.toSorted((a, b) => Number(isBetter(b, a)) - Number(isBetter(a, b))).slice(0, k);
  const best: number[] = [];
  for (const row of candidates) {
    if (best.length === k && !isBetter(row, best[k - 1])) continue;
    let at = best.length < k ? best.length : k - 1;
    for (; at > 0 && isBetter(row, best[at - 1]); at--) best[at] = best[at - 1];
    best[at] = row;
  }
  return best;
}

/** Rows whose hash lies in the wanted part of all hashes: the same rows at every step, and r and r-1 complement each other. */
function takeRatio(
  context: QueryContext,
  plan: AggregatePlan,
  rows: Batch,
  params: Float64Array,
  kept: Uint8Array,
): number[] {
  const ratios = Array.from(params, (param) => ratioOf(context, plan, param));
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

function ratioOf(context: QueryContext, plan: AggregatePlan, value: number): number {
  if (Number.isNaN(value)) throw new VeronaError('execution', 'Ratio value is NaN');
  const capped = Math.max(-1, Math.min(1, value));
  if (capped !== value) context.warn(warningText.invalidRatio(value, capped), plan.param!.span);
  return capped;
}

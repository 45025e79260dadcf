import type { Labels } from '../../model/labels.ts';
import { type PlanNode, planType } from '../plan/node.ts';
import type { Columns, QueryValue } from '../query-result.ts';
import { type Batch, dropEmptyRows, Presence, pickRows } from './batch.ts';
import { OperatorBuilder } from './build-operators.ts';
import type { Grid } from './grid.ts';
import { dropMarkedNames, mergeRows } from './merge-rows.ts';
import { collect, collectScalar } from './operator.ts';
import { rowsAreDistinct } from './plan-facts.ts';
import type { QueryContext } from './query-context.ts';
import { readRawSeries } from './raw-series.ts';

/** The value of a query at the one time of the grid. */
export async function evaluateInstant(
  context: QueryContext,
  plan: PlanNode,
  grid: Grid,
): Promise<QueryValue> {
  const t = grid.start;
  switch (planType(plan)) {
    case 'string':
      return { type: 'string', t, v: plan.kind === 'string' ? plan.value : '' };
    case 'scalar': {
      const values = await collectScalar(new OperatorBuilder(context).build(plan, grid));
      return { type: 'scalar', t, v: values[0] };
    }
    case 'matrix':
      return { type: 'series', series: await readRawSeries(context, plan, grid) };
    case 'vector': {
      const rows = await evaluate(context, plan, grid);
      return { type: 'vector', columns: columnsOf(isOrdered(plan) ? rows : sorted(rows, context), grid) };
    }
  }
}

/** The value of a query at all steps of the grid. */
export async function evaluateRange(context: QueryContext, plan: PlanNode, grid: Grid): Promise<QueryValue> {
  return { type: 'matrix', columns: columnsOf(sorted(await evaluate(context, plan, grid), context), grid) };
}

/** All rows, distinct and without names that were to go. */
async function evaluate(context: QueryContext, plan: PlanNode, grid: Grid): Promise<Batch> {
  const rows = await collect(new OperatorBuilder(context).build(plan, grid), context);
  const isDistinct = !context.delayedNameRemoval && rowsAreDistinct(plan);
  return dropEmptyRows(isDistinct ? rows : mergeRows(dropMarkedNames(rows, context), context));
}

/** Whether the order of the rows is part of the answer. */
function isOrdered(plan: PlanNode): boolean {
  if (plan.kind === 'call') return plan.name.startsWith('sort');
  if (plan.kind === 'aggregate') return plan.op === 'topk' || plan.op === 'bottomk';
  return plan.kind === 'step-invariant' && isOrdered(plan.child);
}

function sorted(batch: Batch, context: QueryContext): Batch {
  if (batch.count <= 1) return batch;
  const rows = batch.labels.order(context);
  return rows.every((row, i) => row === i) ? batch : pickRows(batch, rows);
}

function columnsOf(batch: Batch, grid: Grid): Columns {
  const { values, presence, histograms } = batch;
  const hasHistograms = histograms !== undefined && presence.includes(Presence.histogram);
  let labels: Labels[] | undefined;
  return {
    grid,
    get labels() {
      return (labels ??= batch.labels.toArray());
    },
    rowLabels: batch.labels,
    values,
    presence,
    histograms: hasHistograms ? histograms : undefined,
  };
}

import { WINDOW_FOLDS } from '../functions/window-folds.ts';
import type { CallPlan, PlanNode, SubqueryPlan } from '../plan/node.ts';
import { planChildren, planType } from '../plan/node.ts';
import { isRowByRow, isVectorWithScalar, vectorSide } from '../plan/row-by-row.ts';
import { setTimeRanges } from '../plan/time-range.ts';
import type { Batch } from './batch.ts';
import type { OperatorBuilder } from './build-operators.ts';
import { foldSubquery } from './fold-subquery.ts';
import { type Grid, subqueryGrid, timeAt } from './grid.ts';
import { Deferred, type Operator } from './operator.ts';
import { namesStayDistinct, rowsAreDistinct } from './plan-facts.ts';
import type { QueryContext } from './query-context.ts';
import { RowBuilder } from './row-builder.ts';

/** Shorter subqueries are evaluated whole. */
const STEPS_MIN = 1024;
/** The first steps tell how many rows there are. */
const PROBED_STEPS = 16;
/** A float is taken into as many windows as it is in. */
const FOLDED_WINDOWS_MAX = 16;
/** Of what is evaluated at once, how much of it the next windows need again: a third of the work more. */
const WINDOWS_AT_ONCE = 4;

/** A range function over a subquery, `whole` when it is evaluated at once. */
interface Call {
  readonly node: CallPlan;
  readonly ranged: SubqueryPlan;
  /** Of the subquery. */
  readonly inner: Grid;
  readonly whole: Operator;
  readonly builderOf: (context: QueryContext) => OperatorBuilder;
}

/**
 * A range function over a subquery whose expression makes its rows out of all series – sums by pod of a month – holds them at
 * all steps. When that is too much it is evaluated in stretches of time: the windows of a few steps of the outer grid, which
 * overlap; or, for one window, a stretch of the inner grid, of which the function keeps a few numbers. The answer is the same.
 * Expressions that make each row of one series hold few of them anyway.
 */
export function stretchedSubquery(
  context: QueryContext,
  node: CallPlan,
  ranged: SubqueryPlan,
  whole: Operator,
  builderOf: Call['builderOf'],
): Operator {
  const { grid } = whole;
  if (ranged.at !== undefined || !mayStretch(context, ranged.child)) return whole;
  const inner = subqueryGrid(grid, ranged.range, ranged.step, ranged.offset);
  const call: Call = { node, ranged, inner, whole, builderOf };
  const isLong = inner.count >= stepsMin(context);
  if (!isLong || !(canFold(call) || stepsAtOnce(context, call) < grid.count)) return whole;
  let chosen: Promise<Operator> | undefined;
  return { grid, next: async () => (await (chosen ??= choose(context, call))).next() };
}

function mayStretch(context: QueryContext, child: PlanNode): boolean {
  const isPlain =
    context.analysis === undefined && context.stepCounts === undefined && !context.delayedNameRemoval;
  return isPlain && !streams(child) && rowsAreDistinct(child) && isOfOwn(child);
}

/** Whether rows come a few at a time. */
function streams(node: PlanNode): boolean {
  switch (node.kind) {
    case 'select':
    case 'windows':
      return true;
    case 'subquery':
    case 'negate':
    case 'split':
      return streams(node.child);
    case 'binary':
      return isVectorWithScalar(node) && streams(vectorSide(node));
    case 'call':
      return (
        isRowByRow(node.name) &&
        namesStayDistinct(node) &&
        node.args.every((arg) => planType(arg) === 'scalar' || streams(arg))
      );
    default:
      return false;
  }
}

/** Whether nothing else reads a part of it, and all of it is evaluated here. */
function isOfOwn(node: PlanNode): boolean {
  const { kind } = node;
  return kind !== 'shared' && kind !== 'remote' && kind !== 'union' && planChildren(node).every(isOfOwn);
}

function canFold({ node, whole }: Call): boolean {
  return whole.grid.count <= FOLDED_WINDOWS_MAX && Object.hasOwn(WINDOW_FOLDS, node.name);
}

/** Fewer only where less than that may be held. */
function stepsMin({ subqueryCells }: QueryContext): number {
  return Math.min(STEPS_MIN, subqueryCells);
}

/** How many steps of the outer grid are evaluated together. */
function stepsAtOnce(context: QueryContext, { ranged, whole }: Call): number {
  const innerSteps = Math.max(stepsMin(context), WINDOWS_AT_ONCE * Math.ceil(ranged.range / ranged.step));
  return Math.max(1, Math.floor((innerSteps * ranged.step - ranged.range) / whole.grid.step));
}

async function choose(context: QueryContext, call: Call): Promise<Operator> {
  const { inner, node, whole } = call;
  const rows = await countRows(context, call);
  if (rows * inner.count <= context.subqueryCells) return whole;
  if (canFold(call)) {
    const steps = Math.max(probedSteps(context), Math.floor(context.subqueryCells / rows));
    const evaluate = (from: number, take: (batch: Batch, part: Grid) => void) =>
      evaluateStretch(context, call, from, steps, take);
    const folded = await foldSubquery(context, WINDOW_FOLDS[node.name], call, steps, evaluate);
    return folded === undefined ? whole : new Deferred(whole.grid, () => folded);
  }
  return new Deferred(whole.grid, () => evaluateOuterStretches(context, call));
}

async function countRows(context: QueryContext, call: Call): Promise<number> {
  let rows = 0;
  await evaluateStretch(context, call, 0, probedSteps(context), (batch) => {
    rows += batch.count;
  });
  return rows;
}

function probedSteps({ subqueryCells }: QueryContext): number {
  return Math.min(PROBED_STEPS, subqueryCells);
}

/** Evaluates some steps of the subquery. */
function evaluateStretch(
  context: QueryContext,
  { inner, ranged, builderOf }: Call,
  from: number,
  steps: number,
  take: (batch: Batch, part: Grid) => void,
): Promise<void> {
  const grid: Grid = {
    ...inner,
    start: timeAt(inner, from),
    count: Math.min(steps, inner.count - from),
    isInstant: false,
  };
  return context.inPart(async (part) => {
    const plan = setTimeRanges(ranged.child, grid, part.lookbackMs);
    const rows = builderOf(part).build(plan, grid);
    for (let batch = await rows.next(); batch !== undefined; batch = await rows.next()) {
      take(batch, grid);
      await part.breathe();
    }
  });
}

/** All steps of the outer grid, some at a time. */
async function evaluateOuterStretches(context: QueryContext, call: Call): Promise<Batch> {
  const { grid } = call.whole;
  const all = new RowBuilder(grid.count);
  const steps = stepsAtOnce(context, call);
  for (let from = 0; from < grid.count; from += steps) {
    const part: Grid = { ...grid, start: timeAt(grid, from), count: Math.min(steps, grid.count - from) };
    await context.inPart(async (own) => {
      const node = setTimeRanges(call.node, part, own.lookbackMs) as CallPlan;
      const ranged = node.args.find((arg) => arg.kind === 'subquery') as SubqueryPlan;
      const rows = call.builderOf(own).windowCall(node, ranged, part);
      for (let batch = await rows.next(); batch !== undefined; batch = await rows.next())
        copyRows(context, batch, all, from);
    });
  }
  return all.finish();
}

function copyRows(context: QueryContext, batch: Batch, all: RowBuilder, from: number): void {
  for (let row = 0; row < batch.count; row++) {
    const known = all.count;
    const to = all.rowOf(batch.labels.at(row));
    if (to === known) context.hold(all.steps);
    context.workedOn(batch.steps);
    for (let i = 0; i < batch.steps; i++) all.copy(to, from + i, batch, row * batch.steps + i);
  }
}

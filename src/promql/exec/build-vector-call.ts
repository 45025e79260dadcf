import { assert } from '../../platform/assert.ts';
import { warningText } from '../annotations.ts';
import { DATES } from '../functions/dates.ts';
import { CLAMPING, MATH } from '../functions/math.ts';
import { type CallPlan, type PlanNode, planType, type SelectPlan } from '../plan/node.ts';
import type { OperatorBuilder } from './build-operators.ts';
import { CellMap } from './cell-map.ts';
import { type Grid, timeAt } from './grid.ts';
import { histogramCall } from './histogram-functions.ts';
import { infoCall } from './info.ts';
import { labelJoin, labelReplace } from './label-functions.ts';
import { collectScalar, type Operator } from './operator.ts';
import { absentLabels, stringOf } from './plan-facts.ts';
import { absentRow, scalarFromVector, scalarOf, scalarRow } from './scalars.ts';
import { sortByLabels, sortByValue } from './sorting.ts';

/** The operator of a call without a range vector. */
export function buildVectorCall(builder: OperatorBuilder, node: CallPlan, grid: Grid): Operator {
  const { context } = builder;
  const { name, args } = node;
  const child = (i: number) => builder.build(args[i], grid);
  if (name.startsWith('sort') && grid.count > 0 && !grid.isInstant)
    context.warn(warningText.sortInRangeQuery(), node.span);
  const strings = (from: number) => args.slice(from).map(stringOf);
  switch (name) {
    case 'time':
      return scalarRow(grid, (i) => timeAt(grid, i) / 1000);
    case 'pi':
      return scalarRow(grid, () => Math.PI);
    case 'start':
    case 'end':
    case 'step':
    case 'range':
      return scalarRow(grid, () => queryTime(builder, name) / 1000);
    case 'max_of':
    case 'min_of':
      return scalarOf(grid, [child(0), child(1)], name === 'max_of' ? Math.max : Math.min);
    case 'vector':
      return child(0);
    case 'scalar':
      return scalarFromVector(context, child(0));
    case 'absent':
      return absentRow(context, child(0), absentLabels(args[0]));
    case 'timestamp':
      return builder.dropNames(timestamps(builder, args[0], grid), args[0], false);
    case 'start_timestamp':
      return builder.dropNames(startTimestamps(builder, args[0], grid), args[0], false);
    case 'info':
      return infoCall(context, child(0), infoSelectOf(args[1]), grid);
    case 'label_replace':
      return labelReplace(context, child(0), strings(1));
    case 'label_join':
      return labelJoin(context, child(0), strings(1));
    case 'sort':
    case 'sort_desc':
      return sortByValue(context, child(0), name === 'sort_desc', node.span);
    case 'sort_by_label':
    case 'sort_by_label_desc':
      return sortByLabels(context, child(0), strings(1), name === 'sort_by_label_desc', node.span);
  }
  const mapped = mapCells(builder, node, grid) ?? histogramCall(builder, node, grid);
  assert(mapped !== undefined, `every function has an operator, ${name} among them`);
  return mapped;
}

function infoSelectOf(node: PlanNode): SelectPlan {
  const direct = node.kind === 'step-invariant' ? node.child : node;
  assert(direct.kind === 'select', 'info series come from a selector');
  return direct;
}

/** What is below the nodes that say how often and where a plan is evaluated, but not what it is. */
function unwrapped(node: PlanNode): PlanNode {
  const wraps = node.kind === 'step-invariant' || node.kind === 'shared' || node.kind === 'split';
  return wraps ? unwrapped(node.child) : node;
}

function queryTime({ context }: OperatorBuilder, name: 'start' | 'end' | 'step' | 'range'): number {
  const { start, end } = context;
  // A range that is one moment has no step, as an instant has none.
  const step = start === end ? 0 : context.step;
  return name === 'range' ? end - start : { start, end, step }[name];
}

/** A direct selector already gives the times of its samples; any other vector has the evaluation time. */
function timestamps(builder: OperatorBuilder, arg: PlanNode, grid: Grid): Operator {
  const operator = builder.build(arg, grid);
  if (unwrapped(arg).kind === 'select') return operator;
  return new CellMap(builder.context, operator, () => {
    const at = (_: unknown, step: number) => timeAt(grid, step) / 1000;
    return { float: at, histogram: at };
  });
}

/** Only samples have a start timestamp: of anything computed, and with the feature off, there is none. */
function startTimestamps(builder: OperatorBuilder, arg: PlanNode, grid: Grid): Operator {
  const operator = builder.build(arg, grid);
  const direct = unwrapped(arg);
  if (direct.kind === 'select' && direct.value === 'start_timestamp') return operator;
  return new CellMap(builder.context, operator, () => ({ float: () => undefined }));
}

function mapCells(builder: OperatorBuilder, node: CallPlan, grid: Grid): Operator | undefined {
  const { name, args } = node;
  const date = DATES[name];
  if (date !== undefined && args.length === 0) return scalarRow(grid, (i) => date(timeAt(grid, i) / 1000));
  const simple = MATH[name] ?? date;
  const clamping = CLAMPING[name];
  if (simple === undefined && clamping === undefined) return undefined;
  const vector = args.find((arg) => planType(arg) === 'vector')!;
  const scalars = args.filter((arg) => arg !== vector).map((arg) => builder.build(arg, grid));
  const cells = new CellMap(builder.context, builder.build(vector, grid), async () => {
    if (simple !== undefined) return { float: simple };
    const columns = await Promise.all(scalars.map(collectScalar));
    return {
      float: (v, step) =>
        clamping(
          v,
          columns.map((column) => column[step]),
        ),
    };
  });
  return builder.dropNames(cells, vector, false);
}

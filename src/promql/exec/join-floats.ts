import type { BinaryOperator } from '../parser/ast.ts';
import type { BinaryPlan } from '../plan/node.ts';
import { type Batch, Presence } from './batch.ts';
import { GroupTable } from './group-table.ts';
import type { LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';
import type { JoinSides, MatchGroups } from './match-groups.ts';
import type { QueryContext } from './query-context.ts';
import { floatOperation, keepsName } from './scalar-binary.ts';

/**
 * A join where nothing can go wrong: floats only, no labels or values to fill in, one row of the "one" side per match
 * group and, one to one, one of the other side too, and results that stay distinct. It works in place on the cells of
 * the "many" side. Undefined when the join is not of this kind.
 */
export function joinFloats(
  context: QueryContext,
  plan: BinaryPlan,
  sides: JoinSides,
  groups: MatchGroups,
): Batch | undefined {
  if (!isPlain(context, plan, sides)) return undefined;
  const oneRows = rowOfEachGroup(groups.one, groups.count);
  const oneToOne = plan.matching!.cardinality === 'one-to-one';
  if (oneRows === undefined || (oneToOne && rowOfEachGroup(groups.many, groups.count) === undefined))
    return undefined;
  const labels = resultLabels(plan, sides.many.labels);
  if (!oneToOne && !areDistinct(context, labels)) return undefined;
  const combine = cellsOf(plan);
  for (let row = 0; row < sides.many.count; row++) {
    context.workedOn(sides.many.steps);
    combine(sides, row, oneRows[groups.many[row]]);
  }
  return { ...sides.many, labels };
}

function isPlain(context: QueryContext, plan: BinaryPlan, { many, one }: JoinSides): boolean {
  const { include, fillLeft, fillRight } = plan.matching!;
  return (
    include.length === 0 &&
    fillLeft === undefined &&
    fillRight === undefined &&
    many.histograms === undefined &&
    one.histograms === undefined &&
    floatOperation(plan.op) !== undefined &&
    !context.delayedNameRemoval
  );
}

/** The only row of every group, -1 where there is none; undefined when a group has several. */
function rowOfEachGroup(groups: Int32Array, count: number): Int32Array | undefined {
  const rows = new Int32Array(count).fill(-1);
  for (let row = 0; row < groups.length; row++) {
    if (rows[groups[row]] !== -1) return undefined;
    rows[groups[row]] = row;
  }
  return rows;
}

function resultLabels({ op, returnBool, matching }: BinaryPlan, many: LabelColumn): LabelColumn {
  const { cardinality, on, labels } = matching!;
  const column = returnBool || !keepsName(op) ? many.withoutMetadata() : many;
  if (cardinality !== 'one-to-one') return column;
  // Without `on`, the metric name stays where the operator keeps it.
  return column.project(on ? new LabelGrouping(labels, false) : LabelGrouping.allBut(labels));
}

function areDistinct(context: QueryContext, labels: LabelColumn): boolean {
  const table = GroupTable.ofWholeRows();
  for (let row = 0; row < labels.count; row++) {
    context.workedOn(0);
    if (table.idOf(labels, row) !== row) return false;
  }
  return true;
}

type CombineRow = (sides: JoinSides, manyRow: number, oneRow: number) => void;

function cellsOf(plan: BinaryPlan): CombineRow {
  const swapped = plan.matching!.cardinality === 'one-to-many';
  const compares = keepsName(plan.op);
  if (!compares) return (sides, manyRow, oneRow) => arithmetic(plan.op, swapped, sides, manyRow, oneRow);
  const isTrue = floatOperation(plan.op);
  return (sides, manyRow, oneRow) => compare(isTrue, plan.returnBool, swapped, sides, manyRow, oneRow);
}

/** The four operators of most queries have loops of their own; a call per cell costs more than the operation. */
function arithmetic(
  op: BinaryOperator,
  swapped: boolean,
  { many, one }: JoinSides,
  row: number,
  oneRow: number,
) {
  const { steps, values: a, presence } = many;
  const from = row * steps;
  if (oneRow === -1) {
    presence.fill(Presence.none, from, from + steps);
    return;
  }
  const b = one.values;
  const shift = oneRow * steps - from;
  const end = from + steps;
  if (op === '/' && !swapped) for (let i = from; i < end; i++) a[i] /= b[i + shift];
  else if (op === '/') for (let i = from; i < end; i++) a[i] = b[i + shift] / a[i];
  else if (op === '*') for (let i = from; i < end; i++) a[i] *= b[i + shift];
  else if (op === '+') for (let i = from; i < end; i++) a[i] += b[i + shift];
  else if (op === '-' && !swapped) for (let i = from; i < end; i++) a[i] -= b[i + shift];
  else if (op === '-') for (let i = from; i < end; i++) a[i] = b[i + shift] - a[i];
  else {
    const compute = floatOperation(op);
    for (let i = from; i < end; i++)
      a[i] = swapped ? compute(b[i + shift], a[i]) : compute(a[i], b[i + shift]);
  }
  // Both are there or nothing is: none is 0, a float is 1.
  for (let i = from; i < end; i++) presence[i] &= one.presence[i + shift];
}

/** A comparison keeps the value of the left side, or gives 1 or 0 with `bool`. */
function compare(
  isTrue: (a: number, b: number) => number,
  returnBool: boolean,
  swapped: boolean,
  { many, one }: JoinSides,
  row: number,
  oneRow: number,
) {
  const { steps, values, presence } = many;
  for (let i = row * steps, j = oneRow * steps, end = i + steps; i < end; i++, j++) {
    if (presence[i] === Presence.none) continue;
    if (oneRow === -1 || one.presence[j] === Presence.none) {
      presence[i] = Presence.none;
      continue;
    }
    const left = swapped ? one.values[j] : values[i];
    const right = swapped ? values[i] : one.values[j];
    const holds = isTrue(left, right);
    values[i] = returnBool ? holds : left;
    if (!returnBool && holds !== 1) presence[i] = Presence.none;
  }
}

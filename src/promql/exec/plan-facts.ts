import { Labels, METRIC_NAME } from '../../model/labels.ts';
import { assert } from '../../platform/assert.ts';
import { isSetOperator } from '../parser/ast.ts';
import { type PlanNode, planType, type SelectorSource } from '../plan/node.ts';
import { isRowByRow, isVectorWithScalar, vectorSide } from '../plan/row-by-row.ts';

export function stringOf(node: PlanNode): string {
  assert(node.kind === 'string', 'a string argument is a literal');
  return node.value;
}

/** Whether the rows of a node stay distinct without their metadata labels. */
export function namesStayDistinct(node: PlanNode): boolean {
  switch (node.kind) {
    case 'select':
    case 'windows':
      return hasOneName(node.source);
    case 'subquery':
    case 'negate':
    case 'step-invariant':
    case 'shared':
    case 'split':
      return namesStayDistinct(node.child);
    case 'call':
      return isRowByRow(node.name) && namesStayDistinct(node.args.find((arg) => planType(arg) !== 'scalar')!);
    case 'binary':
      return isVectorWithScalar(node) && namesStayDistinct(vectorSide(node));
    case 'aggregate':
      return (
        (!node.grouping.includes(METRIC_NAME) || node.without) &&
        !['topk', 'bottomk', 'limitk', 'limit_ratio', 'count_values'].includes(node.op)
      );
    default:
      return false;
  }
}

/** Whether the operator of a node never gives two rows with the same labels, names having gone at once. */
export function rowsAreDistinct(node: PlanNode): boolean {
  switch (node.kind) {
    case 'select':
    case 'windows':
      return true;
    case 'subquery':
    case 'negate':
    case 'step-invariant':
    case 'shared':
    case 'split':
      return rowsAreDistinct(node.child);
    case 'call':
      // Without their names rows that become equal are made one, see `DropNames`.
      return (
        isRowByRow(node.name) && node.args.every((arg) => planType(arg) === 'scalar' || rowsAreDistinct(arg))
      );
    case 'aggregate':
      return RANKINGS.has(node.op) ? rowsAreDistinct(node.child) : node.op !== 'count_values';
    case 'binary':
      return isVectorWithScalar(node) ? rowsAreDistinct(vectorSide(node)) : !isSetOperator(node.op);
    default:
      return false;
  }
}

const RANKINGS: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);

function hasOneName({ matchers }: SelectorSource): boolean {
  return matchers.some(({ name, type }) => name === METRIC_NAME && type === '=');
}

export function oneNameOf(node: PlanNode): string | undefined {
  if (node.kind !== 'windows') return undefined;
  return node.source.matchers.find(({ name, type }) => name === METRIC_NAME && type === '=')?.value;
}

/**
 * The labels that an absent series would have: those a selector pins to a value. As in Prometheus only the first `=` of a
 * label pins, and any other matcher of it that comes later undoes that.
 */
export function absentLabels(node: PlanNode): Labels {
  const pinned = new Map<string, string>();
  const known = new Set<string>();
  for (const { name, type, value } of sourceBelow(node)?.matchers ?? []) {
    if (name === METRIC_NAME) continue;
    if (type !== '=' || known.has(name)) pinned.delete(name);
    else {
      pinned.set(name, value);
      known.add(name);
    }
  }
  return Labels.from(pinned);
}

function sourceBelow(node: PlanNode): SelectorSource | undefined {
  if (node.kind === 'select' || node.kind === 'windows') return node.source;
  const wraps = node.kind === 'step-invariant' || node.kind === 'shared' || node.kind === 'split';
  return wraps ? sourceBelow(node.child) : undefined;
}

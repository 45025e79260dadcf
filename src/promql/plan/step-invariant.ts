import { mapChildren, type PlanNode } from './node.ts';

/** Functions whose value depends on the evaluation time even when their arguments do not. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'time',
  'timestamp',
  'year',
]);

/**
 * Marks the largest parts of a plan that have the same value at every step – everything below them is fixed by
 * `@` or constant – to be evaluated once. Literals stay as they are.
 */
export function markStepInvariant(node: PlanNode): PlanNode {
  return isInvariant(node) ? wrap(node) : descend(node);
}

function descend(node: PlanNode): PlanNode {
  return mapChildren(node, (child) => markStepInvariant(child));
}

/** Range vectors are consumed window by window, so the call around them is marked instead; below a subquery is a grid of its own. */
function wrap(node: PlanNode): PlanNode {
  if (node.kind === 'number' || node.kind === 'string' || node.kind === 'windows') return node;
  if (node.kind === 'subquery') return descend(node);
  return { kind: 'step-invariant', child: descendIntoSubqueries(node), span: node.span };
}

function descendIntoSubqueries(node: PlanNode): PlanNode {
  return node.kind === 'subquery' ? descend(node) : mapChildren(node, descendIntoSubqueries);
}

function isInvariant(node: PlanNode): boolean {
  switch (node.kind) {
    case 'number':
    case 'string':
      return true;
    case 'select':
    case 'windows':
      return node.source.at !== undefined;
    case 'subquery':
      return node.at !== undefined;
    case 'call':
      return !TIME_DEPENDENT.has(node.name) && node.args.every(isInvariant);
    case 'aggregate':
      return isInvariant(node.child) && (node.param === undefined || isInvariant(node.param));
    case 'binary':
      return isInvariant(node.left) && isInvariant(node.right);
    case 'negate':
      return isInvariant(node.child);
    case 'step-invariant':
    case 'shared':
    case 'split':
      return true;
    case 'remote':
    case 'union':
      return false;
  }
}

import { chainSource } from './chain-source.ts';
import { type PlanNode, planChildren } from './node.ts';

/** The labels of the rows of a node that somebody looks at; absent: all, or nobody knows. */
export type LookedAtLabels = ReadonlyMap<PlanNode, readonly string[]>;

/**
 * What of the label sets of selectors is ever read: rows that are added up are told apart by the labels of the group, and
 * their other labels stay bytes that nobody decodes. Names of metrics, which remarks may tell, are not counted.
 */
export function lookedAtLabels(plan: PlanNode): LookedAtLabels {
  const found = new Map<PlanNode, readonly string[]>();
  const visit = (node: PlanNode): void => {
    if (node.kind === 'aggregate' && !node.without && AGGREGATED.has(node.op)) {
      const rows = node.child.kind === 'split' ? node.child.child : node.child;
      if (rows.kind === 'select' || chainSource(rows) !== undefined)
        found.set(selectorOf(rows), node.grouping);
    }
    planChildren(node).forEach(visit);
  };
  visit(plan);
  return found;
}

/** Aggregations that give a row per group, with the labels of the group. */
const AGGREGATED: ReadonlySet<string> = new Set([
  ...['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar', 'quantile'],
]);

/** The only selector below a chain of operations on one row each. */
function selectorOf(node: PlanNode): PlanNode {
  if (node.kind === 'select' || node.kind === 'windows') return node;
  const below = planChildren(node).find(({ kind }) => kind !== 'number');
  return below === undefined ? node : selectorOf(below);
}

import type { LookedAtLabels } from './looked-at-labels.ts';
import { mapChildren, type PlanNode } from './node.ts';
import { printPlan } from './print-plan.ts';

/**
 * Lets equal parts of a plan run once. Only parts whose rows are held anyway are shared – aggregations, and operands
 * of a join –, since sharing anything else would hold what otherwise streams through. Runs after the time ranges are
 * set: parts that read other times differ.
 */
export function shareCommonParts(plan: PlanNode): PlanNode {
  // The last of several equal parts is the one that runs: remarks are made where Prometheus would make them last.
  const seen = new Map<string, { count: number; last: PlanNode; id: number }>();
  visitCandidates(plan, (node) => {
    const key = printPlan(node, NO_LABELS);
    const known = seen.get(key);
    if (known === undefined) seen.set(key, { count: 1, last: node, id: seen.size });
    else {
      known.count++;
      known.last = node;
    }
  });
  const replace = (node: PlanNode, isCandidate: boolean): PlanNode => {
    const known = isCandidate ? seen.get(printPlan(node, NO_LABELS)) : undefined;
    if (known !== undefined && known.count > 1)
      return { kind: 'shared', id: known.id, child: known.last, span: known.last.span };
    return mapChildren(node, (child) => replace(child, isShareable(node, child)));
  };
  return [...seen.values()].some(({ count }) => count > 1) ? replace(plan, false) : plan;
}

/** Which labels are looked at is not a part of what makes two parts equal. */
const NO_LABELS: LookedAtLabels = new Map();

function visitCandidates(node: PlanNode, visit: (node: PlanNode) => void): void {
  mapChildren(node, (child) => {
    if (isShareable(node, child)) visit(child);
    visitCandidates(child, visit);
    return child;
  });
}

function isShareable(parent: PlanNode, child: PlanNode): boolean {
  if (child.kind === 'aggregate') return true;
  return (
    parent.kind === 'binary' &&
    parent.matching !== undefined &&
    ['select', 'call', 'binary'].includes(child.kind)
  );
}

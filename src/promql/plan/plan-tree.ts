import { lookedAtLabels } from './looked-at-labels.ts';
import { type PlanNode, planChildren } from './node.ts';
import { describeNode } from './print-plan.ts';

/** A plan, or a part of one, and what it is made of. */
export interface PlanTree {
  readonly name: string;
  readonly children: readonly PlanTree[];
}

export function planTree(plan: PlanNode): PlanTree {
  const labels = lookedAtLabels(plan);
  const treeOf = (node: PlanNode): PlanTree => ({
    name: describeNode(node, labels),
    children: planChildren(node).map(treeOf),
  });
  return treeOf(plan);
}

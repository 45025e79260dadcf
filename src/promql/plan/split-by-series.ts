import { chainSource } from './chain-source.ts';
import { mapChildren, type PlanNode, planType } from './node.ts';

/**
 * Marks the parts of a plan whose rows come of one series each – a selector of one metric, and functions and operators
 * that look at one row – so that threads may share the series. What takes rows of many series together stays around it:
 * an aggregation adds up what each thread has come to.
 */
export function splitBySeries(node: PlanNode): PlanNode {
  return chainSource(node) === undefined
    ? mapChildren(node, splitChild)
    : { kind: 'split', child: node, span: node.span };
}

/** Range vectors are read by the call around them. */
function splitChild(node: PlanNode): PlanNode {
  const type = planType(node);
  return type === 'vector' || type === 'matrix' ? splitBySeries(node) : node;
}

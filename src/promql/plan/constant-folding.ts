import { floatOperation } from '../exec/scalar-binary.ts';
import { mapChildren, type PlanNode } from './node.ts';

/** Replaces arithmetic on literals by its result, from the leaves up. */
export function foldConstants(node: PlanNode): PlanNode {
  const folded = mapChildren(node, foldConstants);
  if (folded.kind === 'negate' && folded.child.kind === 'number')
    return { kind: 'number', value: -folded.child.value, span: folded.span };
  if (folded.kind !== 'binary' || folded.left.kind !== 'number' || folded.right.kind !== 'number')
    return folded;
  const value = floatOperation(folded.op)(folded.left.value, folded.right.value);
  return { kind: 'number', value, span: folded.span };
}

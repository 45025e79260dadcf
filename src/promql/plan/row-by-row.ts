import { CLAMPING, MATH } from '../functions/math.ts';
import { isWindowFunctionName } from '../functions/window-functions.ts';
import { isSetOperator } from '../parser/ast.ts';
import { type BinaryPlan, type PlanNode, planType } from './node.ts';

/** Whether a call makes one row of each row of its vector, and its labels of that row's alone by leaving out the metric name. */
export function isRowByRow(name: string): boolean {
  return (
    name === 'timestamp' ||
    Object.hasOwn(MATH, name) ||
    Object.hasOwn(CLAMPING, name) ||
    isWindowFunctionName(name)
  );
}

export function isVectorWithScalar(node: BinaryPlan): boolean {
  return (
    (planType(node.left) === 'scalar') !== (planType(node.right) === 'scalar') && !isSetOperator(node.op)
  );
}

/** The side of such a binary operation that is a vector. */
export function vectorSide({ left, right }: BinaryPlan): PlanNode {
  return planType(left) === 'scalar' ? right : left;
}

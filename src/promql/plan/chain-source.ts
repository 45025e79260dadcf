import { METRIC_NAME } from '../../model/labels.ts';
import { type PlanNode, planType, type SelectorSource } from './node.ts';
import { isRowByRow, isVectorWithScalar, vectorSide } from './row-by-row.ts';

/** The selector of a part that may be split; undefined when it may not. */
export function chainSource(node: PlanNode): SelectorSource | undefined {
  switch (node.kind) {
    case 'select':
      return splittable(node.source);
    case 'negate':
      return planType(node.child) === 'vector' ? chainSource(node.child) : undefined;
    case 'binary':
      return isVectorWithScalar(node) && isLiteral(node.left === vectorSide(node) ? node.right : node.left)
        ? chainSource(vectorSide(node))
        : undefined;
    case 'call':
      return chainOfCall(node.name, node.args);
    default:
      return undefined;
  }
}

function chainOfCall(name: string, args: readonly PlanNode[]): SelectorSource | undefined {
  const vectors = args.filter((arg) => !isLiteral(arg));
  if (!isRowByRow(name) || vectors.length !== 1) return undefined;
  const [vector] = vectors;
  return vector.kind === 'windows' ? splittable(vector.source) : chainSource(vector);
}

function isLiteral(node: PlanNode): boolean {
  return node.kind === 'number';
}

/** Series of one name stay distinct without it. Start timestamps and histograms are not for other threads. */
function splittable(source: SelectorSource): SelectorSource | undefined {
  const oneName = source.matchers.some(({ name, type }) => name === METRIC_NAME && type === '=');
  return oneName && !source.startTimes && !source.statisticsOnly ? source : undefined;
}

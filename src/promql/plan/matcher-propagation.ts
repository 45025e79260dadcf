import { METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { VectorMatching } from '../parser/ast.ts';
import { type BinaryPlan, mapChildren, type PlanNode, planType, type SelectorSource } from './node.ts';

/** Functions whose rows do not have the labels of their argument's rows, or that say something of what is missing. */
const OPAQUE: ReadonlySet<string> = new Set([
  'absent',
  'absent_over_time',
  'histogram_fraction',
  'histogram_quantile',
  'histogram_quantiles',
  'info',
  'label_join',
  'label_replace',
  'scalar',
  'vector',
]);

/**
 * What one side of a join demands of a label that both sides must agree on, the other side may demand as well:
 * `a{job="x"} / b` reads only `b{job="x"}`. Not where samples without a partner count (`or`, `unless`, `fill`), and not
 * where a row that has no partner may still be one too many: several of the "one" side with the same matched labels.
 */
export function propagateMatchers(node: PlanNode): PlanNode {
  const rewritten = mapChildren(node, propagateMatchers);
  if (rewritten.kind !== 'binary' || !isIntersection(rewritten)) return rewritten;
  const matching = rewritten.matching!;
  const left = sourceBelow(rewritten.left);
  const right = sourceBelow(rewritten.right);
  if (left === undefined || right === undefined) return rewritten;
  const swapped = matching.cardinality === 'one-to-many';
  return {
    ...rewritten,
    left: mayLoseRows(left, matching, swapped)
      ? withMatchers(rewritten.left, shared(right, matching))
      : rewritten.left,
    right: mayLoseRows(right, matching, !swapped)
      ? withMatchers(rewritten.right, shared(left, matching))
      : rewritten.right,
  };
}

/** Whether no error depends on the rows of a side that match nothing. */
function mayLoseRows(source: SelectorSource, matching: VectorMatching, isOne: boolean): boolean {
  const hasOneName = source.matchers.some(({ name, type }) => name === METRIC_NAME && type === '=');
  if (!hasOneName) return false;
  const isSet = matching.cardinality === 'many-to-many';
  return isSet || !isOne || (!matching.on && matching.labels.length === 0);
}

function isIntersection({ matching, op }: BinaryPlan): boolean {
  if (matching === undefined || op === 'or' || op === 'unless') return false;
  return matching.fillLeft === undefined && matching.fillRight === undefined;
}

function shared({ matchers }: SelectorSource, matching: VectorMatching): readonly Matcher[] {
  return matchers.filter(
    ({ name }) => name !== METRIC_NAME && matching.labels.includes(name) === matching.on,
  );
}

/** The one selector whose labels the rows of a node have; undefined when there is none. */
function sourceBelow(node: PlanNode): SelectorSource | undefined {
  if (node.kind === 'select' || node.kind === 'windows') return node.source;
  const child = passThrough(node);
  return child && sourceBelow(child);
}

function passThrough(node: PlanNode): PlanNode | undefined {
  if (node.kind === 'negate') return node.child;
  if (node.kind !== 'call' || OPAQUE.has(node.name)) return undefined;
  const vectors = node.args.filter((arg) => planType(arg) === 'vector' || planType(arg) === 'matrix');
  return vectors.length === 1 ? vectors[0] : undefined;
}

function withMatchers(node: PlanNode, more: readonly Matcher[]): PlanNode {
  if (node.kind === 'select' || node.kind === 'windows') {
    const known = new Set(node.source.matchers.map(String));
    const added = more.filter((matcher) => !known.has(String(matcher)));
    if (added.length === 0) return node;
    return { ...node, source: { ...node.source, matchers: [...node.source.matchers, ...added] } };
  }
  const target = passThrough(node);
  return mapChildren(node, (child) => (child === target ? withMatchers(child, more) : child));
}

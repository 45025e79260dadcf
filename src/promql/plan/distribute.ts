import type { RemoteEngines } from '../exec/remote-engines.ts';
import type { AggregateOperator, VectorMatching } from '../parser/ast.ts';
import { chainSource } from './chain-source.ts';
import { type AggregatePlan, mapChildren, type PlanNode, type UnionPlan } from './node.ts';
import { promqlText } from './promql-text.ts';

/**
 * Aggregations evaluated where the series are. What is aggregated must be made of each series alone (`chainSource`). Then for
 * processes whose series no other source has, also not as replicas (`RemoteEngines.share`):
 *
 *   sum, min, max, group, topk, bottomk   op(union(remote op, op of the rest))
 *   count                                 sum(union(remote count, count of the rest))
 *   avg                                   the sum so made, divided by the count so made
 *
 * Others – quantile, variances, limitk, count_values – need every series in one place and are left as they are, as are
 * aggregations by metadata labels. Times must be whole seconds: those of a subquery are when its step is.
 *
 * The answer is that of the plain plan but for rounding, with these exceptions: an average whose sum overflows is infinite;
 * which of equal values topk shows is open, as in Prometheus; a peer joins replicas by its own algorithm.
 */
export function distribute(node: PlanNode, engines: RemoteEngines): PlanNode {
  if (node.kind === 'subquery' && node.step % 1000 !== 0) return node;
  if (node.kind === 'aggregate') {
    const made = distributeAggregate(node, engines);
    if (made !== undefined) return made;
  }
  return mapChildren(node, (child) => distribute(child, engines));
}

const METADATA_LABELS: ReadonlySet<string> = new Set(['__name__', '__type__', '__unit__']);

function distributeAggregate(node: AggregatePlan, engines: RemoteEngines): PlanNode | undefined {
  if (node.grouping.some((name) => METADATA_LABELS.has(name))) return undefined;
  switch (node.op) {
    case 'sum':
    case 'min':
    case 'max':
    case 'group':
      return total(node, node.op, partial(node, node.op, engines));
    case 'topk':
    case 'bottomk':
      return node.param?.kind === 'number'
        ? total(node, node.op, partial(node, node.op, engines))
        : undefined;
    case 'count':
      return total(node, 'sum', partial(node, 'count', engines));
    case 'avg':
      return average(node, engines);
    default:
      return undefined;
  }
}

function total(
  node: AggregatePlan,
  op: AggregateOperator,
  parts: UnionPlan | undefined,
): AggregatePlan | undefined {
  return parts && { ...node, op, child: parts };
}

function average(node: AggregatePlan, engines: RemoteEngines): PlanNode | undefined {
  const left = total(node, 'sum', partial(node, 'sum', engines));
  const right = total(node, 'sum', partial(node, 'count', engines));
  if (!left || !right) return undefined;
  return { kind: 'binary', op: '/', left, right, matching: ONE_TO_ONE, returnBool: false, span: node.span };
}

/** Both sides have the same groups. */
const ONE_TO_ONE: VectorMatching = {
  cardinality: 'one-to-one',
  on: false,
  labels: [],
  include: [],
  fillLeft: undefined,
  fillRight: undefined,
};

/** What each process comes to, and the rest here. */
function partial(node: AggregatePlan, op: AggregateOperator, engines: RemoteEngines): UnionPlan | undefined {
  const source = chainSource(node.child);
  const inner = source && promqlText(node.child);
  if (inner === undefined) return undefined;
  const share = engines.share(source!.matchers, source!.mint, source!.maxt);
  if (share === undefined) return undefined;
  const { span } = node;
  const query = `${op} ${node.without ? 'without' : 'by'} (${node.grouping.map(labelText).join(', ')}) (${paramText(node)}${inner})`;
  const remote: PlanNode = { kind: 'remote', query, targets: share.targets, span };
  const rest: PlanNode = { ...node, op, child: withoutSources(node.child, share.targets) };
  return { kind: 'union', parts: share.hasRest ? [rest, remote] : [remote], span };
}

function paramText({ param }: AggregatePlan): string {
  return param === undefined ? '' : `${promqlText(param)}, `;
}

function labelText(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
}

function withoutSources(node: PlanNode, without: readonly string[]): PlanNode {
  if (node.kind === 'select' || node.kind === 'windows')
    return { ...node, source: { ...node.source, without } };
  return mapChildren(node, (child) => withoutSources(child, without));
}

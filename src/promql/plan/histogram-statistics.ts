import { mapChildren, type PlanNode } from './node.ts';

const STATISTICS: ReadonlySet<string> = new Set(['histogram_avg', 'histogram_count', 'histogram_sum']);
const WHOLE: ReadonlySet<string> = new Set([
  'histogram_fraction',
  'histogram_quantile',
  'histogram_quantiles',
]);

/**
 * Marks selectors of whose histograms only count and sum reach the answer. Prometheus reads these without buckets and
 * then finds counter resets while reading, which can be seen in warnings; a subquery keeps it from doing so.
 */
export function markHistogramStatistics(node: PlanNode, wanted = false): PlanNode {
  switch (node.kind) {
    case 'select':
    case 'windows':
      return wanted ? { ...node, source: { ...node.source, statisticsOnly: true } } : node;
    case 'subquery':
      return mapChildren(node, (child) => markHistogramStatistics(child, false));
    case 'binary': {
      const keeps = wanted && node.op !== '</' && node.op !== '>/';
      return mapChildren(node, (child) => markHistogramStatistics(child, keeps));
    }
    case 'call': {
      const next = STATISTICS.has(node.name) || (wanted && !WHOLE.has(node.name));
      return mapChildren(node, (child) => markHistogramStatistics(child, next));
    }
    default:
      return mapChildren(node, (child) => markHistogramStatistics(child, wanted));
  }
}

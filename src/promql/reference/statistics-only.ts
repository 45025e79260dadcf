import { childrenOf, type Expr, type VectorSelector } from '../parser/ast.ts';

/** The selectors whose histograms Prometheus reads without buckets, since only count and sum reach the answer. */
export function statisticsSelectors(expr: Expr): ReadonlySet<VectorSelector> {
  const found = new Set<VectorSelector>();
  const visit = (node: Expr, path: readonly Expr[]) => {
    if (node.kind === 'vector' && isStatisticsOnly(path)) found.add(node);
    for (const child of childrenOf(node)) visit(child, [node, ...path]);
  };
  visit(expr, []);
  return found;
}

/** `path`: the nearest first. */
function isStatisticsOnly(path: readonly Expr[]): boolean {
  let wanted = false;
  for (const node of path) {
    if (node.kind === 'subquery') return false;
    if (node.kind === 'binary' && (node.op === '</' || node.op === '>/')) return false;
    if (node.kind !== 'call') continue;
    const { name } = node.func;
    if (['histogram_count', 'histogram_sum', 'histogram_avg'].includes(name)) wanted = true;
    if (['histogram_quantile', 'histogram_quantiles', 'histogram_fraction'].includes(name)) return false;
  }
  return wanted;
}

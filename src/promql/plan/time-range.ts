import { type Grid, instantGrid, lastTime, subqueryGrid } from '../exec/grid.ts';
import { mapChildren, type PlanNode, type SelectorSource, type SelectPlan } from './node.ts';

/** Gives every selector the bounds of the samples it reads when the plan is evaluated on `grid`. ms. */
export function setTimeRanges(node: PlanNode, grid: Grid, lookback: number): PlanNode {
  switch (node.kind) {
    case 'select':
      return {
        ...node,
        source: { ...bounded(node.source, grid, lookback, lookback), newestOnly: isOfOneTime(node, grid) },
      };
    case 'windows':
      return { ...node, source: bounded(node.source, grid, node.range, lookback) };
    case 'subquery': {
      const outer = node.at === undefined ? grid : instantGrid(node.at);
      const inner = subqueryGrid(outer, node.range, node.step, node.offset);
      return { ...node, child: setTimeRanges(node.child, inner, lookback) };
    }
    case 'step-invariant':
      return { ...node, child: setTimeRanges(node.child, instantGrid(grid.start), lookback) };
    default:
      return mapChildren(node, (child) => setTimeRanges(child, grid, lookback));
  }
}

function isOfOneTime({ source, value }: SelectPlan, grid: Grid): boolean {
  return grid.count === 1 && source.mode === 'plain' && value !== 'start_timestamp' && !source.startTimes;
}

/** Windows are open on the left. `anchored` and `smoothed` also look beyond the window's ends. */
function bounded(source: SelectorSource, grid: Grid, range: number, lookback: number): SelectorSource {
  const offset = source.readOffset ?? source.offset;
  const first = (source.at ?? grid.start) - offset;
  const last = (source.at ?? lastTime(grid)) - offset;
  const left = source.mode === 'plain' ? range : range + lookback;
  const right = source.mode === 'smoothed' ? lookback : 0;
  return { ...source, mint: first - left + 1, maxt: last + right };
}

/** The bounds of everything that selectors of these kinds read; undefined when there is none. */
export function timeRangeOf(
  node: PlanNode,
  kinds: readonly PlanNode['kind'][] = ['select', 'windows'],
): { mint: number; maxt: number } | undefined {
  const bounds = { mint: Infinity, maxt: -Infinity };
  const visit = (part: PlanNode): PlanNode => {
    if ((part.kind === 'select' || part.kind === 'windows') && kinds.includes(part.kind)) {
      bounds.mint = Math.min(bounds.mint, part.source.mint);
      bounds.maxt = Math.max(bounds.maxt, part.source.maxt);
    }
    return mapChildren(part, visit);
  };
  visit(node);
  return bounds.mint <= bounds.maxt ? bounds : undefined;
}

import type { Grid } from '../exec/grid.ts';
import type { Expr } from '../parser/ast.ts';
import { buildPlan, type PlanContext } from './build-plan.ts';
import { markHistogramStatistics } from './histogram-statistics.ts';
import type { PlanNode } from './node.ts';
import { markStepInvariant } from './step-invariant.ts';
import { setTimeRanges } from './time-range.ts';

/** The plan of a query, rewritten: every rewrite is a file of its own, and the order here is the order they run in. */
export function makePlan(expr: Expr, context: PlanContext, grid: Grid, lookback: number): PlanNode {
  const plain = buildPlan(expr, context);
  const marked = markHistogramStatistics(plain);
  const invariant = markStepInvariant(marked);
  return setTimeRanges(invariant, grid, lookback);
}

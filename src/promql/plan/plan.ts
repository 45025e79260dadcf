import type { Grid } from '../exec/grid.ts';
import type { Expr } from '../parser/ast.ts';
import { buildPlan, type PlanContext } from './build-plan.ts';
import { shareCommonParts } from './common-subexpressions.ts';
import { foldConstants } from './constant-folding.ts';
import { markHistogramStatistics } from './histogram-statistics.ts';
import { propagateMatchers } from './matcher-propagation.ts';
import type { PlanNode } from './node.ts';
import { markStepInvariant } from './step-invariant.ts';
import { setTimeRanges } from './time-range.ts';

/** The plan of a query, rewritten: every rewrite is a file of its own, in the order they run in. */
export function makePlan(expr: Expr, context: PlanContext, grid: Grid, lookback: number): PlanNode {
  let plan = buildPlan(expr, context);
  plan = foldConstants(plan);
  plan = propagateMatchers(plan);
  plan = markHistogramStatistics(plan);
  plan = markStepInvariant(plan);
  plan = setTimeRanges(plan, grid, lookback);
  return shareCommonParts(plan);
}

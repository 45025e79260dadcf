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

/** Rewrites that a plan can do without: with and without each the answer is the same. */
export const OPTIONAL_REWRITES = [
  'constant-folding',
  'matcher-propagation',
  'step-invariant',
  'common-subexpressions',
] as const;

export type OptionalRewrite = (typeof OPTIONAL_REWRITES)[number];

/** The plan of a query, rewritten: every rewrite is a file of its own, in the order they run in. */
export function makePlan(
  expr: Expr,
  context: PlanContext,
  grid: Grid,
  lookback: number,
  without: readonly OptionalRewrite[] = [],
): PlanNode {
  const use = (name: OptionalRewrite, rewrite: (plan: PlanNode) => PlanNode) => {
    if (!without.includes(name)) plan = rewrite(plan);
  };
  let plan = buildPlan(expr, context);
  use('constant-folding', foldConstants);
  use('matcher-propagation', propagateMatchers);
  plan = markHistogramStatistics(plan);
  use('step-invariant', markStepInvariant);
  plan = setTimeRanges(plan, grid, lookback);
  use('common-subexpressions', shareCommonParts);
  return plan;
}

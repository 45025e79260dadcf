import type { AggregatePlan } from '../plan/node.ts';
import type { Accumulator } from './accumulator.ts';
import {
  CountAccumulator,
  ExtremeAccumulator,
  QuantileAccumulator,
  VarianceAccumulator,
} from './float-accumulators.ts';
import type { QueryContext } from './query-context.ts';
import { AverageAccumulator, SumAccumulator } from './total-accumulators.ts';

/** `params` are the values of the parameter (φ of `quantile`), one per step. */
export function accumulatorFor(
  plan: AggregatePlan,
  steps: number,
  context: QueryContext,
  params: Float64Array | undefined,
): Accumulator {
  switch (plan.op) {
    case 'sum':
      return new SumAccumulator(plan, steps, context);
    case 'avg':
      return new AverageAccumulator(plan, steps, context);
    case 'min':
    case 'max':
      return new ExtremeAccumulator(plan, steps, context);
    case 'count':
    case 'group':
      return new CountAccumulator(plan.op, steps);
    case 'stddev':
    case 'stdvar':
      return new VarianceAccumulator(plan, steps, context);
    default:
      return new QuantileAccumulator(plan, steps, context, params!);
  }
}

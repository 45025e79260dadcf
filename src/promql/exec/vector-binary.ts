import type { FloatHistogram } from '../../model/histogram.ts';
import { isComparison } from '../parser/ast.ts';
import type { BinaryPlan } from '../plan/node.ts';
import { type Batch, Presence } from './batch.ts';
import { type CellFunction, CellMap } from './cell-map.ts';
import { CellOperation } from './cell-operation.ts';
import { LastRemarks } from './last-remarks.ts';
import { collectScalar, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { floatOperation } from './scalar-binary.ts';

/** An operator between a vector and a scalar. A comparison gives the vector's value, whichever side it is on. */
export function vectorWithScalar(
  context: QueryContext,
  plan: BinaryPlan,
  vector: Operator,
  scalar: Operator,
  scalarIsLeft: boolean,
): Operator {
  return new CellMap(context, vector, async () => {
    const scalars = await collectScalar(scalar);
    return new ScalarCells(context, plan, scalars, scalarIsLeft);
  });
}

class ScalarCells implements CellFunction {
  readonly #context: QueryContext;
  readonly #plan: BinaryPlan;
  readonly #operation: CellOperation;
  readonly #remarks = new LastRemarks();
  readonly #returnBool: boolean;
  readonly #compares: boolean;
  readonly #scalars: Float64Array;
  readonly #scalarIsLeft: boolean;
  readonly #arithmetic: ((a: number, b: number) => number) | undefined;

  constructor(context: QueryContext, plan: BinaryPlan, scalars: Float64Array, scalarIsLeft: boolean) {
    this.#context = context;
    this.#plan = plan;
    this.#operation = new CellOperation(plan.op, this.#remarks);
    this.#returnBool = plan.returnBool;
    this.#compares = isComparison(plan.op);
    this.#scalars = scalars;
    this.#scalarIsLeft = scalarIsLeft;
    this.#arithmetic = this.#compares ? undefined : floatOperation(plan.op);
  }

  float(value: number, step: number): number | undefined {
    const scalar = this.#scalars[step];
    if (this.#arithmetic !== undefined)
      return this.#scalarIsLeft ? this.#arithmetic(scalar, value) : this.#arithmetic(value, scalar);
    this.#remarks.step = step;
    const outcome = this.#scalarIsLeft
      ? this.#operation.apply(scalar, undefined, value, undefined)
      : this.#operation.apply(value, undefined, scalar, undefined);
    if (outcome === 'dropped') return undefined;
    if (this.#returnBool) return outcome === 'kept' ? 1 : 0;
    return outcome === 'kept' ? value : undefined;
  }

  histogram(
    histogram: FloatHistogram,
    step: number,
    _row: number,
    _batch: Batch,
  ): number | FloatHistogram | undefined {
    const scalar = this.#scalars[step];
    const operation = this.#operation;
    this.#remarks.step = step;
    const outcome = this.#scalarIsLeft
      ? operation.apply(scalar, undefined, 0, histogram)
      : operation.apply(0, histogram, scalar, undefined);
    if (outcome === 'dropped') return undefined;
    if (this.#returnBool) return outcome === 'kept' ? 1 : 0;
    if (outcome !== 'kept') return undefined;
    return operation.kind === Presence.float ? operation.value : operation.histogram;
  }

  finish(): void {
    this.#remarks.make(this.#context, this.#plan.span);
  }
}

import type { FloatHistogram } from '../../model/histogram.ts';
import { infoText } from '../annotations.ts';
import { combineHistograms } from '../functions/histogram-binary.ts';
import { type BinaryOperator, isComparison } from '../parser/ast.ts';
import { Presence } from './batch.ts';
import { floatOperation } from './scalar-binary.ts';

/** Where remarks on an operation go. */
export interface OperationRemarks {
  warn(message: string): void;
  info(message: string): void;
}

/** What became of two cells. `dropped`: the operator is not defined for their kinds. `false`: a comparison that does not hold. */
export type CellOutcome = 'kept' | 'false' | 'dropped';

/**
 * A binary operator on two cells that may be floats or histograms. One object per operator; the result is in
 * `kind` with `value` or `histogram` until the next call. A comparison gives its left operand.
 */
export class CellOperation {
  kind: 1 | 2 = 1;
  value = 0;
  histogram: FloatHistogram | undefined;
  readonly #op: BinaryOperator;
  readonly #compares: boolean;
  readonly #remarks: OperationRemarks;
  readonly #float: (a: number, b: number) => number;

  constructor(op: BinaryOperator, remarks: OperationRemarks) {
    this.#op = op;
    this.#compares = isComparison(op);
    this.#remarks = remarks;
    this.#float = floatOperation(op);
  }

  apply(
    a: number,
    aHistogram: FloatHistogram | undefined,
    b: number,
    bHistogram: FloatHistogram | undefined,
  ): CellOutcome {
    if (aHistogram !== undefined || bHistogram !== undefined)
      return this.#combine(aHistogram ?? a, bHistogram ?? b);
    if (this.#float === undefined) return this.#incompatible('float', 'float');
    this.kind = Presence.float;
    if (this.#compares) {
      this.value = a;
      return this.#float(a, b) === 1 ? 'kept' : 'false';
    }
    this.value = this.#float(a, b);
    return 'kept';
  }

  #combine(a: number | FloatHistogram, b: number | FloatHistogram): CellOutcome {
    const result = combineHistograms(this.#op, a, b, this.#remarks);
    if (result === undefined) return this.#incompatible(kindOf(a), kindOf(b));
    if (result === 'dropped') return 'dropped';
    const value = typeof result === 'boolean' ? a : result;
    if (typeof value === 'number') {
      this.kind = Presence.float;
      this.value = value;
    } else {
      this.kind = Presence.histogram;
      this.histogram = value;
    }
    return result === false ? 'false' : 'kept';
  }

  #incompatible(a: string, b: string): CellOutcome {
    this.#remarks.info(infoText.incompatibleTypes(a, this.#op, b));
    return 'dropped';
  }
}

function kindOf(value: number | FloatHistogram): string {
  return typeof value === 'number' ? 'float' : 'histogram';
}

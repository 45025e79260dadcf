import type { FloatHistogram } from '../../model/histogram.ts';
import {
  addHistograms,
  divideHistogram,
  scaleHistogram,
  subtractHistograms,
} from '../../model/histogram-math.ts';
import { compactHistogram, equalHistograms, usesCustomBuckets } from '../../model/histogram-shape.ts';
import { infoText, warningText } from '../annotations.ts';
import type { BinaryOperator } from '../parser/ast.ts';
import { trimHistogram } from './histogram-trim.ts';

interface BinaryRemarks {
  warn(message: string): void;
  info(message: string): void;
}

type Operand = number | FloatHistogram;

/**
 * A binary operator with at least one histogram. A boolean is the outcome of a comparison; `dropped` means the
 * operator could not be applied and said why; undefined, that it is not defined for operands of these kinds.
 */
export function combineHistograms(
  op: BinaryOperator,
  a: Operand,
  b: Operand,
  remarks: BinaryRemarks,
): FloatHistogram | boolean | 'dropped' | undefined {
  if (typeof a === 'number') return op === '*' && typeof b !== 'number' ? scaleHistogram(b, a) : undefined;
  return typeof b === 'number' ? withNumber(op, a, b) : withHistogram(op, a, b, remarks);
}

function withNumber(op: BinaryOperator, a: FloatHistogram, b: number): FloatHistogram | undefined {
  switch (op) {
    case '*':
      return scaleHistogram(a, b);
    case '/':
      return divideHistogram(a, b);
    case '</':
    case '>/':
      return trimHistogram(a, b, op === '</');
    default:
      return undefined;
  }
}

function withHistogram(
  op: BinaryOperator,
  a: FloatHistogram,
  b: FloatHistogram,
  remarks: BinaryRemarks,
): FloatHistogram | boolean | 'dropped' | undefined {
  switch (op) {
    case '+':
    case '-':
      return addOrSubtract(op, a, b, remarks);
    case '==':
      return equalHistograms(a, b);
    case '!=':
      return !equalHistograms(a, b);
    default:
      return undefined;
  }
}

function addOrSubtract(
  op: '+' | '-',
  a: FloatHistogram,
  b: FloatHistogram,
  remarks: BinaryRemarks,
): FloatHistogram | 'dropped' {
  if (usesCustomBuckets(a) !== usesCustomBuckets(b)) {
    remarks.warn(warningText.incompatibleBuckets(op));
    return 'dropped';
  }
  const { histogram, resetCollision, boundsReconciled } =
    op === '+' ? addHistograms(a, b) : subtractHistograms(a, b);
  const name = op === '+' ? 'addition' : 'subtraction';
  // Prometheus takes this warning for an error and goes on without a result.
  if (resetCollision) {
    remarks.warn(warningText.counterResetCollision(name));
    return 'dropped';
  }
  if (boundsReconciled) remarks.info(infoText.mismatchedCustomBuckets(name));
  return compactHistogram(histogram);
}

/** `-h`, a gauge. */
export function negateHistogram(histogram: FloatHistogram): FloatHistogram {
  return scaleHistogram(histogram, -1);
}

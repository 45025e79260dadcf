import { infoText, warningText } from '../annotations.ts';
import { type Binary, type BinaryOperator, isComparison } from '../parser/ast.ts';
import { combine, divide, multiply } from './histogram-arithmetic.ts';
import { trim } from './histogram-trim.ts';
import { compact, type PlainHistogram, sameHistogram } from './plain-histogram.ts';
import { isFloat, type Point } from './rows.ts';
import { compareFloats, scalarOperation } from './scalar-operators.ts';

/** Something to be said about two elements. */
export interface Problem {
  readonly level: 'info' | 'warning';
  readonly message: string;
}

/** The result of an operator on two elements; undefined: there is none. */
export interface ElementResult {
  readonly point: Point | undefined;
  /** Whether a comparison holds. */
  readonly keep: boolean;
  readonly problem: Problem | undefined;
}

export function elementOperation({ op }: Binary, a: Point, b: Point): ElementResult {
  if (isFloat(a) && isFloat(b)) {
    if (op === '</' || op === '>/') return incompatible(op, a, b);
    if (isComparison(op)) return { point: a, keep: compareFloats(op, a, b), problem: undefined };
    return result(scalarOperation(op, a, b));
  }
  if (isFloat(a))
    return op === '*' ? result(compact(multiply(b as PlainHistogram, a))) : incompatible(op, a, b);
  if (!isFloat(b)) return histogramOperation(op, a, b);
  if (op === '*') return result(compact(multiply(a, b)));
  if (op === '/') return result(compact(divide(a, b)));
  if (op === '</' || op === '>/') return result(trim(a, b, op === '</'));
  return incompatible(op, a, b);
}

/** Where one follows a counter reset and the other says it does not, there is a warning and no result. */
function histogramOperation(op: BinaryOperator, a: PlainHistogram, b: PlainHistogram): ElementResult {
  if (op === '==' || op === '!=')
    return { point: a, keep: sameHistogram(a, b) === (op === '=='), problem: undefined };
  if (op !== '+' && op !== '-') return incompatible(op, a, b);
  const combined = combine(a, b, op === '+' ? 1 : -1);
  if (combined === undefined) return none({ level: 'warning', message: warningText.incompatibleBuckets(op) });
  const operation = op === '+' ? 'addition' : 'subtraction';
  if (combined.hintsCollide)
    return none({ level: 'warning', message: warningText.counterResetCollision(operation) });
  const histogram = compact(op === '-' ? { ...combined.histogram, hint: 'gauge' } : combined.histogram);
  if (!combined.boundsReconciled) return result(histogram);
  const problem: Problem = { level: 'info', message: infoText.mismatchedCustomBuckets(operation) };
  return { point: histogram, keep: true, problem };
}

function result(point: Point): ElementResult {
  return { point, keep: true, problem: undefined };
}

function none(problem: Problem): ElementResult {
  return { point: undefined, keep: false, problem };
}

function incompatible(op: BinaryOperator, a: Point, b: Point): ElementResult {
  const kind = (point: Point) => (isFloat(point) ? 'float' : 'histogram');
  return none({ level: 'info', message: infoText.incompatibleTypes(kind(a), op, kind(b)) });
}

/** Operators after which the value is no longer what the metric's name says. */
export function changesMeaning(op: BinaryOperator): boolean {
  return ['+', '-', '*', '/', '%', '^', 'atan2'].includes(op);
}

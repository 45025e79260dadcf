import type { BinaryOperator } from '../parser/ast.ts';
import { isComparison } from '../parser/ast.ts';

/** Arithmetic of two floats. Comparisons give 1 or 0. */
export function floatOperation(op: BinaryOperator): (a: number, b: number) => number {
  return OPERATIONS[op as keyof typeof OPERATIONS];
}

const OPERATIONS = {
  '+': (a: number, b: number) => a + b,
  '-': (a: number, b: number) => a - b,
  '*': (a: number, b: number) => a * b,
  '/': (a: number, b: number) => a / b,
  '%': (a: number, b: number) => a % b,
  '^': power,
  atan2: Math.atan2,
  '==': (a: number, b: number) => Number(a === b),
  '!=': (a: number, b: number) => Number(a !== b),
  '<': (a: number, b: number) => Number(a < b),
  '<=': (a: number, b: number) => Number(a <= b),
  '>': (a: number, b: number) => Number(a > b),
  '>=': (a: number, b: number) => Number(a >= b),
} as const;

/** Go's math.Pow: 1 to any power and -1 to an infinite one are 1, where JavaScript says NaN. */
function power(a: number, b: number): number {
  if (a === 1) return 1;
  if (a === -1 && (b === Infinity || b === -Infinity)) return 1;
  return a ** b;
}

/** Whether the result is still a value of the left metric: one that was compared or trimmed. */
export function keepsName(op: BinaryOperator): boolean {
  return isComparison(op) || op === '</' || op === '>/';
}

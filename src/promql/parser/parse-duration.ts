import { parseDuration } from '../../model/duration.ts';
import type { Duration, DurationFunction, DurationOperation, NumberLiteral, Span } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { quote } from './go-text.ts';
import { parseNumber } from './scan-number.ts';
import type { Token } from './token.ts';

type Built = DurationOperation | DurationFunction;
type Operator = DurationOperation['op'];

const POWERS: Readonly<Record<string, number>> = { '+': 1, '-': 1, '*': 2, '/': 2, '%': 2, '^': 3 };
const UNITS: ReadonlySet<string> = new Set(['y', 'w', 'd', 'h', 'm', 's', 'ms']);
const SIGN_POWER = 2;
/** What nanoseconds in 64 bits hold, in seconds. */
export const DURATION_MAX_SECONDS = 2 ** 63 / 1e9;

/** A number or duration literal that is the next token. */
export function parseNumberLiteral(cursor: Cursor): NumberLiteral {
  const token = cursor.take();
  const value = token.type === 'number' ? numberOf(cursor, token) : secondsOf(cursor, token);
  return cursor.node({
    kind: 'number',
    value,
    isDuration: token.type === 'duration',
    start: token.start,
    end: token.end,
  });
}

function numberOf(cursor: Cursor, token: Token): number {
  const value = parseNumber(token.text);
  if (typeof value === 'number') return value;
  cursor.problems.add(token, value.problem);
  return value.value;
}

function secondsOf(cursor: Cursor, token: Token): number {
  const ms = parseDuration(token.text);
  if (ms !== undefined && ms <= DURATION_MAX_SECONDS * 1000) return ms / 1000;
  cursor.problems.add(token, ms === undefined ? durationProblem(token.text) : 'duration out of range');
  return 0;
}

function durationProblem(text: string): string {
  for (const [, unit] of text.matchAll(/\d+(\D+)/g))
    if (!UNITS.has(unit)) return `unknown unit ${quote(unit)} in duration ${quote(text)}`;
  return `not a valid duration string: ${quote(text)}`;
}

/** The length in `[…]`, before and behind the colon. A literal must be positive; the rest is known only when evaluated. */
export function parsePositiveDuration(cursor: Cursor): Duration {
  const duration = parseDurationExpr(cursor, 0);
  if (duration.kind === 'number' && !(duration.value > 0))
    cursor.problems.add(duration, 'duration must be greater than 0');
  return duration;
}

/**
 * The length behind `offset`. What is not in parentheses ends after one operand, so that `foo offset 2 ^ 2` is
 * `(foo offset 2) ^ 2`; a parenthesis without sign goes on, as in Prometheus' grammar: `offset (1m) * 2`.
 */
export function parseOffsetDuration(cursor: Cursor): Duration {
  if (cursor.at('(')) return parseDurationExpr(cursor, 0);
  if (!cursor.at('+', '-')) return parseOperand(cursor);
  const sign = cursor.take();
  // A second sign makes it an expression like any other.
  if (cursor.at('+', '-'))
    return parseDurationExpr(cursor, 0, signed(cursor, sign, parseDurationExpr(cursor, SIGN_POWER)));
  if (cursor.at('number', 'duration')) return signedLiteral(cursor, sign);
  const operand = parseOperand(cursor, sign);
  const isCall = operand.kind === 'duration-function' && !operand.wrapped;
  return isCall ? withSign(cursor, sign, operand) : signed(cursor, sign, operand);
}

/** What is out of range is so with its sign, which Prometheus then points at. */
function signedLiteral(cursor: Cursor, sign: Token): Duration {
  const literal = parseNumberLiteral(cursor);
  if (Math.abs(literal.value) > DURATION_MAX_SECONDS) return zero(cursor, sign, 'duration out of range');
  return signed(cursor, sign, literal);
}

/** Operands and operators that bind tighter than `minPower`; the first operand may be known already. */
function parseDurationExpr(cursor: Cursor, minPower: number, first?: Duration): Duration {
  return cursor.nested(() => {
    let left = first ?? parseSigned(cursor);
    for (;;) {
      const operator = cursor.peek();
      const power = POWERS[operator.type] ?? 0;
      if (power <= minPower) return left;
      cursor.take();
      const right = parseDurationExpr(cursor, operator.type === '^' ? power - 1 : power);
      left = operation(cursor, operator, left, right);
    }
  });
}

function parseSigned(cursor: Cursor): Duration {
  if (!cursor.at('+', '-')) return parseOperand(cursor);
  const sign = cursor.take();
  return signed(cursor, sign, parseDurationExpr(cursor, SIGN_POWER));
}

/** `sign` is that of an offset, which belongs to the operand in what is said about it. */
function parseOperand(cursor: Cursor, sign?: Token): Duration {
  if (cursor.at('number', 'duration')) return inRange(cursor, parseNumberLiteral(cursor));
  if (cursor.at('(')) return parseParenthesis(cursor, sign);
  if (cursor.at('step', 'range')) return parseFunction(cursor, 0, sign);
  if (cursor.at('min_of', 'max_of')) return parseFunction(cursor, 2, sign);
  return cursor.unexpected();
}

function parseParenthesis(cursor: Cursor, sign: Token | undefined): Duration {
  const { start } = cursor.take();
  const inner = parseDurationExpr(cursor, 0);
  cursor.expect(')');
  if (sign === undefined) requireFeature(cursor, inner);
  if (inner.kind !== 'number') return cursor.duration({ ...inner, wrapped: true });
  const span = { start, end: cursor.end };
  return cursor.duration<Built>({
    kind: 'duration-operation',
    op: '+',
    left: undefined,
    right: inner,
    wrapped: true,
    ...span,
  });
}

function parseFunction(cursor: Cursor, argsCount: 0 | 2, sign: Token | undefined): Duration {
  const word = cursor.take();
  cursor.expect('(');
  const args: Duration[] = [];
  if (argsCount === 2) {
    args.push(parseDurationExpr(cursor, 0));
    cursor.expect(',');
    args.push(parseDurationExpr(cursor, 0));
  }
  cursor.expect(')');
  const name = word.type as DurationFunction['name'];
  const span = { start: word.start, end: cursor.end };
  // Prometheus takes two arguments for the place of the whole.
  const [first, second] = args;
  const place = second === undefined ? span : { start: first.start, end: second.end };
  requireFeature(cursor, { start: sign?.start ?? place.start, end: place.end });
  return cursor.duration<Built>({ kind: 'duration-function', name, args, wrapped: false, ...span });
}

/** What a duration with a problem counts as from then on; it has no place. */
function zero(cursor: Cursor, span: Span, problem: string): NumberLiteral {
  cursor.problems.add(span, problem);
  return cursor.node({ kind: 'number', value: 0, isDuration: false, start: 0, end: 0 });
}

function operation(cursor: Cursor, operator: Token, left: Duration, right: Duration): Duration {
  requireFeature(cursor, left);
  if (right.kind === 'number' && right.value === 0) {
    if (operator.type === '/') return zero(cursor, operator, 'division by zero');
    if (operator.type === '%') return zero(cursor, operator, 'modulo by zero');
  }
  const span = { start: left.start, end: right.end };
  return cursor.duration<Built>({
    kind: 'duration-operation',
    op: operator.type as Operator,
    left,
    right,
    wrapped: false,
    ...span,
  });
}

/** A literal takes its sign into itself; a plus before anything else vanishes. */
function signed(cursor: Cursor, sign: Token, operand: Duration): Duration {
  if (operand.kind === 'number') {
    const value = sign.type === '-' ? -operand.value : operand.value;
    return cursor.node({ ...operand, value, start: sign.start });
  }
  return sign.type === '+' ? operand : withSign(cursor, sign, operand);
}

function withSign(cursor: Cursor, sign: Token, operand: Built): Duration {
  const span = { start: sign.start, end: operand.end };
  return cursor.duration<Built>({
    kind: 'duration-operation',
    op: sign.type as '+' | '-',
    left: undefined,
    right: operand,
    wrapped: false,
    ...span,
  });
}

function inRange(cursor: Cursor, literal: NumberLiteral): NumberLiteral {
  const isInside = !(Math.abs(literal.value) > DURATION_MAX_SECONDS);
  return isInside ? literal : zero(cursor, literal, 'duration out of range');
}

function requireFeature(cursor: Cursor, span: Span): void {
  if (cursor.features['promql-duration-expr'] === false)
    cursor.problems.add(span, 'experimental duration expression is not enabled');
}

import { type FunctionSignature, functionNames, functionSignature } from '../functions/signatures.ts';
import type {
  Aggregate,
  AggregateOperator,
  Binary,
  BinaryOperator,
  Cardinality,
  Expr,
  Span,
  VectorMatching,
} from './ast.ts';
import { closestName } from './closest-name.ts';
import type { Cursor } from './cursor.ts';
import { quote } from './go-text.ts';
import { parseNumberLiteral } from './parse-duration.ts';
import { parsePostfixes } from './parse-postfix.ts';
import { parseGroupingLabels, parseVectorSelector } from './parse-selector.ts';
import { unquote } from './string-literal.ts';
import { AGGREGATORS, isMetricName, type Token } from './token.ts';

const POWERS: Readonly<Record<string, number>> = {
  or: 1,
  and: 2,
  unless: 2,
  '==': 3,
  '!=': 3,
  '<': 3,
  '<=': 3,
  '>': 3,
  '>=': 3,
  '</': 3,
  '>/': 3,
  '+': 4,
  '-': 4,
  '*': 5,
  '/': 5,
  '%': 5,
  atan2: 5,
  '^': 6,
};
/** A sign binds as `*` does: `-a ^ b` is `-(a ^ b)`, `-a * b` is `(-a) * b`. */
const SIGN_POWER = 5;

/** An expression whose operators all bind tighter than `minPower`; 0 for a whole one. */
export function parseExpression(cursor: Cursor, minPower = 0): Expr {
  return cursor.nested(() => {
    let left = parseSigned(cursor);
    for (;;) {
      const operator = cursor.peek();
      const power = POWERS[operator.type] ?? 0;
      if (power <= minPower) return left;
      cursor.take();
      left = parseBinary(cursor, left, operator, operator.type === '^' ? power - 1 : power);
    }
  });
}

function parseSigned(cursor: Cursor): Expr {
  if (!cursor.at('+', '-')) return parsePostfixes(cursor, parseOperand(cursor));
  const sign = cursor.take();
  const expr = parseExpression(cursor, SIGN_POWER);
  if (expr.kind === 'number')
    return cursor.node({ ...expr, value: sign.type === '-' ? -expr.value : expr.value, start: sign.start });
  return cursor.node({ kind: 'unary', op: sign.type as '+' | '-', expr, start: sign.start, end: expr.end });
}

function parseOperand(cursor: Cursor): Expr {
  const token = cursor.peek();
  if (token.type === 'number' || token.type === 'duration') return parseNumberLiteral(cursor);
  if (token.type === 'string') return parseString(cursor);
  if (token.type === '(') return parseParen(cursor);
  if (token.type === '{') return parseVectorSelector(cursor, undefined);
  if (!isMetricName(token)) return cursor.unexpected();
  cursor.take();
  if (AGGREGATORS.has(token.type) && cursor.at('(', 'by', 'without')) return parseAggregate(cursor, token);
  if (cursor.at('(') && isFunctionName(token)) return parseCall(cursor, token);
  return parseVectorSelector(cursor, token);
}

function beginsOperand(token: Token): boolean {
  return isMetricName(token) || ['number', 'duration', 'string', '(', '{', '+', '-'].includes(token.type);
}

function parseString(cursor: Cursor): Expr {
  const { text, start, end } = cursor.take();
  return cursor.node({ kind: 'string', value: unquote(text), start, end });
}

function parseParen(cursor: Cursor): Expr {
  const { start } = cursor.take();
  const expr = parseExpression(cursor);
  cursor.expect(')');
  return cursor.node({ kind: 'paren', expr, start, end: cursor.end });
}

const KEYWORD_FUNCTIONS: ReadonlySet<string> = new Set(['start', 'end', 'step', 'range', 'max_of', 'min_of']);

function isFunctionName(token: Token): boolean {
  return token.type === 'identifier' || KEYWORD_FUNCTIONS.has(token.type);
}

function parseCall(cursor: Cursor, name: Token): Expr {
  const args = parseArguments(cursor);
  const func = findFunction(cursor, name);
  return cursor.node({ kind: 'call', func, args, start: name.start, end: cursor.end });
}

function findFunction(cursor: Cursor, name: Token): FunctionSignature {
  const func = functionSignature(name.text);
  if (func === undefined)
    cursor.problems.add(name, `unknown function with name ${quote(name.text)}`, suggestion(name.text));
  else if (func.experimental && !cursor.features['promql-experimental-functions'])
    cursor.problems.add(name, `function ${quote(name.text)} is not enabled`);
  return (
    func ?? { name: name.text, args: [], argsMin: 0, argsMax: 0, returns: 'vector', experimental: false }
  );
}

function suggestion(name: string): string | undefined {
  const similar = closestName(name, functionNames());
  return similar === undefined ? undefined : `did you mean ${quote(similar)}?`;
}

function parseArguments(cursor: Cursor): Expr[] {
  cursor.expect('(');
  const args: Expr[] = [];
  if (cursor.accept(')')) return args;
  args.push(parseExpression(cursor));
  while (!cursor.accept(')')) {
    const comma = cursor.expect(',');
    if (!startsExpression(cursor.peek()))
      cursor.problems.add(comma, 'trailing commas not allowed in function call args');
    else args.push(parseExpression(cursor));
  }
  return args;
}

const STARTERS: ReadonlySet<string> = new Set(['number', 'duration', 'string', '(', '{', '+', '-']);

function startsExpression(token: Token): boolean {
  return STARTERS.has(token.type) || isMetricName(token);
}

const PARAMETERLESS: ReadonlySet<string> = new Set([
  'avg',
  'count',
  'group',
  'max',
  'min',
  'stddev',
  'stdvar',
  'sum',
]);
const EXPERIMENTAL_AGGREGATORS: ReadonlySet<string> = new Set(['limitk', 'limit_ratio']);

function parseAggregate(cursor: Cursor, op: Token): Expr {
  const progress = { inGrouping: false };
  const whole = cursor.problems.attempt(() => parseWholeAggregate(cursor, op, progress));
  if (whole !== undefined) return whole;
  if (progress.inGrouping) cursor.problems.leave();
  const span = { start: op.start, end: cursor.lastClosing };
  return cursor.problems.stop(span, 'no arguments for aggregate expression provided');
}

function parseWholeAggregate(cursor: Cursor, op: Token, progress: { inGrouping: boolean }): Expr {
  const grouping = () => {
    progress.inGrouping = true;
    const found = parseGrouping(cursor);
    progress.inGrouping = false;
    return found;
  };
  return cursor.within({ inside: 'aggregation' }, () => {
    const before = grouping();
    const args = parseArguments(cursor);
    const after = before ?? grouping();
    const span = { start: op.start, end: after === undefined ? overreadEnd(cursor) : cursor.end };
    return buildAggregate(cursor, op, args, after ?? { without: false, labels: [] }, span);
  });
}

/** Where Prometheus has an aggregation end whose grouping did not follow: it looks at one more token to know. */
function overreadEnd(cursor: Cursor): number {
  const { type, start } = cursor.peek();
  const touches = cursor.problems.text.slice(cursor.end, start).trim() === '';
  return type === ')' && touches ? cursor.end : cursor.lastClosing;
}

interface Grouping {
  readonly without: boolean;
  readonly labels: readonly string[];
}

function parseGrouping(cursor: Cursor): Grouping | undefined {
  if (!cursor.at('by', 'without')) return undefined;
  const without = cursor.take().type === 'without';
  return { without, labels: parseGroupingLabels(cursor) };
}

function buildAggregate(
  cursor: Cursor,
  token: Token,
  args: readonly Expr[],
  { without, labels: grouping }: Grouping,
  span: Span,
): Expr {
  const op = token.type as AggregateOperator;
  const expectedCount = PARAMETERLESS.has(op) ? 1 : 2;
  const problem = aggregateProblem(cursor, op, args.length, expectedCount);
  if (problem !== undefined) cursor.problems.add(span, problem);
  const expr = args[expectedCount - 1] ?? args[0];
  // With a problem noted the tree is never handed out; any node will do.
  if (expr === undefined) return cursor.node({ kind: 'number', value: 0, isDuration: false, ...span });
  const param = expectedCount === 2 ? args[0] : undefined;
  return cursor.node<Aggregate>({ kind: 'aggregate', op, expr, param, grouping, without, ...span });
}

function aggregateProblem(cursor: Cursor, op: string, count: number, expected: number): string | undefined {
  if (count === 0) return 'no arguments for aggregate expression provided';
  if (EXPERIMENTAL_AGGREGATORS.has(op) && !cursor.features['promql-experimental-functions'])
    return `${op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`;
  return count === expected
    ? undefined
    : `wrong number of arguments for aggregate expression provided, expected ${expected}, got ${count}`;
}

function parseBinary(cursor: Cursor, left: Expr, operator: Token, power: number): Expr {
  const returnBool = cursor.accept('bool') !== undefined;
  const matching = parseMatching(cursor);
  const right = parseExpression(cursor, power);
  const span = { start: left.start, end: right.end };
  const fills = matching.fillLeft !== undefined || matching.fillRight !== undefined;
  if (fills && !cursor.features['promql-binop-fill-modifiers'])
    cursor.problems.add(span, 'binop fill modifiers are experimental and not enabled');
  const op = operator.type as BinaryOperator;
  return cursor.node<Binary>({ kind: 'binary', op, left, right, matching, returnBool, ...span });
}

function parseMatching(cursor: Cursor): VectorMatching {
  let labels: readonly string[] = [];
  let include: readonly string[] = [];
  let cardinality: Cardinality = 'one-to-one';
  let on = false;
  if (cursor.at('on', 'ignoring')) {
    on = cursor.take().type === 'on';
    labels = parseGroupingLabels(cursor);
    if (cursor.at('group_left', 'group_right')) {
      cardinality = cursor.take().type === 'group_left' ? 'many-to-one' : 'one-to-many';
      // What cannot begin the other operand is taken for wrong labels, and the message says so, as in Prometheus.
      if (cursor.at('(') || !beginsOperand(cursor.peek())) include = parseGroupingLabels(cursor);
    }
  }
  return { cardinality, on, labels, include, ...parseFills(cursor) };
}

function parseFills(cursor: Cursor): Pick<VectorMatching, 'fillLeft' | 'fillRight'> {
  if (cursor.accept('fill')) {
    const value = parseFillValue(cursor);
    return { fillLeft: value, fillRight: value };
  }
  let fillLeft: number | undefined;
  let fillRight: number | undefined;
  while (
    (fillLeft === undefined && cursor.at('fill_left')) ||
    (fillRight === undefined && cursor.at('fill_right'))
  ) {
    if (cursor.take().type === 'fill_left') fillLeft = parseFillValue(cursor);
    else fillRight = parseFillValue(cursor);
  }
  return { fillLeft, fillRight };
}

function parseFillValue(cursor: Cursor): number {
  cursor.expect('(');
  const sign = cursor.at('+', '-') ? cursor.take() : undefined;
  if (!cursor.at('number', 'duration')) return cursor.unexpected();
  const { value } = parseNumberLiteral(cursor);
  cursor.expect(')');
  return sign?.type === '-' ? -value : value;
}

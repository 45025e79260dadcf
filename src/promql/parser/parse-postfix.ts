import type { AtModifier, Duration, Expr, MatrixSelector, Span, Subquery, VectorSelector } from './ast.ts';
import type { Cursor } from './cursor.ts';
import { formatFixed } from './go-text.ts';
import { parseNumberLiteral, parseOffsetDuration, parsePositiveDuration } from './parse-duration.ts';

/** What may follow an operand: `[5m]`, `[5m:1m]`, `offset 5m`, `@ 0`, `anchored`, `smoothed`, any number of times. */
export function parsePostfixes(cursor: Cursor, operand: Expr): Expr {
  let expr = operand;
  for (;;) {
    if (cursor.at('[')) expr = parseRange(cursor, expr);
    else if (cursor.at('offset')) expr = parseOffset(cursor, expr);
    else if (cursor.at('@')) expr = parseAt(cursor, expr);
    else if (cursor.at('anchored', 'smoothed')) expr = parseRangeMode(cursor, expr);
    else return expr;
  }
}

const DURATION_EXPECTED = 'number, duration, step(), or range()';

function parseRange(cursor: Cursor, expr: Expr): Expr {
  const open = cursor.take();
  const range = cursor.within({ inside: 'subquery or range selector', expected: DURATION_EXPECTED }, () =>
    parsePositiveDuration(cursor),
  );
  if (cursor.accept(':')) return parseSubquery(cursor, expr, range);
  cursor.expect(']', { inside: 'subquery or range', expected: '":" or "]"' });
  const brackets = { start: open.start, end: cursor.end };
  const span = { start: expr.start, end: cursor.end };
  if (expr.kind !== 'vector') {
    cursor.problems.add(brackets, RANGES_OF_SELECTORS);
    return cursor.node({ kind: 'matrix', selector: NO_SELECTOR, range, ...span });
  }
  if (isOffsetSet(expr.offset)) cursor.problems.add(brackets, 'no offset modifiers allowed before range');
  else if (expr.at !== undefined) cursor.problems.add(brackets, 'no @ modifiers allowed before range');
  return cursor.node({ kind: 'matrix', selector: expr, range, ...span });
}

const RANGES_OF_SELECTORS = 'ranges only allowed for vector selectors';

/** Stands in a range selector for what is none; such a tree is never handed out. */
const NO_SELECTOR: VectorSelector = {
  kind: 'vector',
  name: '',
  matchers: [],
  offset: undefined,
  at: undefined,
  anchored: false,
  smoothed: false,
  start: 0,
  end: 0,
};

function parseSubquery(cursor: Cursor, expr: Expr, range: Duration): Expr {
  let step: Duration | undefined;
  if (!cursor.at(']')) {
    const context = {
      inside: 'subquery selector',
      expected: `${DURATION_EXPECTED.replace('or ', '')}, or "]"`,
    };
    step = cursor.within(context, () => parsePositiveDuration(cursor));
  }
  cursor.expect(']', { inside: 'subquery selector', expected: '"]"' });
  const span = { start: expr.start, end: cursor.end };
  return cursor.node({ kind: 'subquery', expr, range, step, offset: undefined, at: undefined, ...span });
}

type Selector = VectorSelector | MatrixSelector | Subquery;
type Change = Partial<Pick<VectorSelector, 'offset' | 'at' | 'anchored' | 'smoothed'>>;

function isSelector(expr: Expr): expr is Selector {
  return expr.kind === 'vector' || expr.kind === 'matrix' || expr.kind === 'subquery';
}

/** The part of a selector that carries offset and `@`: of a range selector, the selector inside. */
function carrierOf(selector: Selector): VectorSelector | Subquery {
  return selector.kind === 'matrix' ? selector.selector : selector;
}

/** The selector with a modifier set, ending at `end`. */
function changed(cursor: Cursor, selector: Selector, change: Change, end: number): Expr {
  if (selector.kind !== 'matrix') return cursor.node({ ...selector, ...change, end });
  return cursor.node({ ...selector, selector: cursor.node({ ...selector.selector, ...change }), end });
}

/** An offset of literally zero counts as none, as in Prometheus. */
function isOffsetSet(offset: Duration | undefined): boolean {
  return offset !== undefined && !(offset.kind === 'number' && offset.value === 0);
}

function parseOffset(cursor: Cursor, expr: Expr): Expr {
  cursor.take();
  const offset = cursor.within({ inside: 'offset', expected: DURATION_EXPECTED }, () =>
    parseOffsetDuration(cursor),
  );
  if (!isSelector(expr) || lacksSelector(expr)) return mustFollowSelector(cursor, 'offset', expr);
  if (isOffsetSet(carrierOf(expr).offset)) cursor.problems.add(expr, 'offset may not be set multiple times');
  return changed(cursor, expr, { offset }, cursor.end);
}

function parseAt(cursor: Cursor, expr: Expr): Expr {
  cursor.take();
  const at = cursor.within({ inside: '@', expected: 'timestamp' }, () => parseAtTime(cursor, expr));
  if (!isSelector(expr) || lacksSelector(expr)) return mustFollowSelector(cursor, '@', expr);
  if (carrierOf(expr).at !== undefined)
    cursor.problems.add(expr, '@ <timestamp> may not be set multiple times');
  return changed(cursor, expr, { at }, cursor.end);
}

function parseAtTime(cursor: Cursor, expr: Expr): AtModifier {
  if (cursor.at('start', 'end')) {
    const kind = cursor.take().type as 'start' | 'end';
    cursor.expect('(');
    cursor.expect(')');
    return { kind };
  }
  const sign = cursor.at('+', '-') ? cursor.take() : undefined;
  if (!cursor.at('number', 'duration')) return cursor.unexpected();
  const { value } = parseNumberLiteral(cursor);
  const seconds = sign?.type === '-' ? -value : value;
  if (!(Math.abs(seconds) < 2 ** 63))
    cursor.problems.add(expr, `timestamp out of bounds for @ modifier: ${formatFixed(seconds, 6)}`);
  return { kind: 'timestamp', t: roundHalfAway(seconds * 1000) };
}

/** Go's rounding: halves away from zero. */
function roundHalfAway(value: number): number {
  return value < 0 ? -Math.round(-value) : Math.round(value);
}

function mustFollowSelector(cursor: Cursor, modifier: string, expr: Span & Expr): Expr {
  cursor.problems.add(
    expr,
    lacksSelector(expr)
      ? RANGES_OF_SELECTORS
      : `${modifier} modifier must be preceded by an instant vector selector or range vector selector or a subquery`,
  );
  return expr;
}

function lacksSelector(expr: Expr): boolean {
  return expr.kind === 'matrix' && expr.selector === NO_SELECTOR;
}

function parseRangeMode(cursor: Cursor, expr: Expr): Expr {
  const mode = cursor.take().type as 'anchored' | 'smoothed';
  const problem = rangeModeProblem(cursor, mode, expr);
  if (problem !== undefined) cursor.problems.add(expr, problem);
  if (!isSelector(expr) || expr.kind === 'subquery' || lacksSelector(expr)) return expr;
  // The mode is not part of the place that Prometheus gives.
  return changed(cursor, expr, { [mode]: true }, expr.end);
}

function rangeModeProblem(cursor: Cursor, mode: 'anchored' | 'smoothed', expr: Expr): string | undefined {
  if (!cursor.features['promql-extended-range-selectors'])
    return `${mode} modifier is experimental and not enabled`;
  if (expr.kind === 'subquery') return `${mode} modifier is not supported for subqueries`;
  if (!isSelector(expr)) return `${mode} modifier not implemented`;
  const { anchored, smoothed } = carrierOf(expr) as VectorSelector;
  const both = (mode === 'anchored' && smoothed) || (mode === 'smoothed' && anchored);
  return both ? 'anchored and smoothed modifiers cannot be used together' : undefined;
}

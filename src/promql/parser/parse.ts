import type { Matcher } from '../../model/matcher.ts';
import type { Expr } from './ast.ts';
import { checkTypes } from './check.ts';
import { Cursor } from './cursor.ts';
import { DEFAULT_LIMITS, type ParseOptions } from './options.ts';
import { parseExpression } from './parse-expr.ts';
import { parseVectorSelector } from './parse-selector.ts';
import { type Problem, parseError } from './problems.ts';
import { isMetricName } from './token.ts';

/**
 * The checked tree of a query. Throws `bad_data` with the first problem in Prometheus' words and place,
 * `1:5: parse error: …`; experimental syntax whose feature is off is a problem.
 */
export function parseExpr(text: string, options: ParseOptions = {}): Expr {
  const { expr, problems } = analyze(text, options);
  if (expr === undefined) throw parseError(text, problems);
  return expr;
}

/** The tree, or else all problems found (at least one): those before and including the first that parsing could not pass. */
export function analyze(
  text: string,
  options: ParseOptions = {},
): { readonly expr: Expr | undefined; readonly problems: readonly Problem[] } {
  return attempt(text, options, (cursor) => {
    if (cursor.at('eof')) cursor.problems.stop({ start: 0, end: 0 }, 'no expression found in input');
    const expr = parseExpression(cursor);
    cursor.expect('eof');
    return cursor.problems.found.length === 0 ? checkTypes(expr, cursor.problems) : expr;
  });
}

/** The matchers of a selector such as `match[]` carries, `up{job="x"}`; the name comes last. Throws `bad_data`. */
export function parseMatchers(text: string, options: ParseOptions = {}): readonly Matcher[] {
  const { expr, problems } = attempt(text, options, (cursor) => {
    const name = isMetricName(cursor.peek()) ? cursor.take() : undefined;
    if (name === undefined && !cursor.at('{')) cursor.unexpected();
    const selector = parseVectorSelector(cursor, name);
    cursor.expect('eof');
    return selector;
  });
  if (expr === undefined) throw parseError(text, problems);
  return expr.matchers;
}

function attempt<T extends Expr>(text: string, options: ParseOptions, parse: (cursor: Cursor) => T) {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const cursor = new Cursor(text, options.features ?? {}, limits);
  const { problems } = cursor;
  const expr = problems.attempt(() => {
    if (text.length > limits.textLengthMax)
      problems.stop({ start: 0, end: 0 }, `query is longer than ${limits.textLengthMax} characters`);
    return parse(cursor);
  });
  if (expr === undefined && text.length <= limits.textLengthMax) cursor.drain();
  return { expr: problems.found.length === 0 ? expr : undefined, problems: problems.found };
}

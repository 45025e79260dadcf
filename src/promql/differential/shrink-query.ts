import { childrenOf, type Expr, typeOf, type ValueType } from '../parser/ast.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import { parseExpr } from '../parser/parse.ts';
import { printExpr } from '../parser/print.ts';

/** Simpler queries that still parse, the simplest first: each has one part less. */
export function* simplerQueries(query: string): Generator<string> {
  const expr = parseExpr(query, { features: ALL_FEATURES });
  const seen = new Set([query]);
  for (const simpler of simplifications(expr)) {
    const text = printExpr(simpler);
    if (seen.has(text) || text.length > query.length + 2 || !parses(text)) continue;
    seen.add(text);
    yield text;
  }
}

function parses(text: string): boolean {
  try {
    parseExpr(text, { features: ALL_FEATURES });
    return true;
  } catch {
    return false;
  }
}

/** Something below it in its place; then it with less written on it; then it with a simpler child. */
function* simplifications(expr: Expr): Generator<Expr> {
  yield* descendants(expr, typeOf(expr));
  if (typeOf(expr) === 'scalar' && expr.kind !== 'number')
    yield { kind: 'number', value: 1, isDuration: false, start: 0, end: 0 };
  yield* barer(expr);
  for (const [i, child] of childrenOf(expr).entries())
    for (const simpler of simplifications(child)) yield withChild(expr, i, simpler);
}

function* descendants(expr: Expr, type: ValueType): Generator<Expr> {
  for (const child of childrenOf(expr)) {
    if (typeOf(child) === type && child.kind !== 'paren') yield child;
    yield* descendants(child, type);
  }
}

function* barer(expr: Expr): Generator<Expr> {
  switch (expr.kind) {
    case 'vector':
      if (expr.at !== undefined) yield { ...expr, at: undefined };
      if (expr.offset !== undefined) yield { ...expr, offset: undefined };
      if (expr.anchored || expr.smoothed) yield { ...expr, anchored: false, smoothed: false };
      for (const [i] of expr.matchers.entries())
        yield { ...expr, matchers: expr.matchers.filter((_, k) => k !== i) };
      return;
    case 'subquery':
      if (expr.at !== undefined) yield { ...expr, at: undefined };
      if (expr.offset !== undefined) yield { ...expr, offset: undefined };
      if (expr.expr.kind === 'vector')
        yield { kind: 'matrix', selector: expr.expr, range: expr.range, start: 0, end: 0 };
      return;
    case 'aggregate':
      for (const [i] of expr.grouping.entries())
        yield { ...expr, grouping: expr.grouping.filter((_, k) => k !== i) };
      if (expr.without) yield { ...expr, without: false };
      return;
    case 'binary':
      if (expr.matching !== undefined) {
        const { matching } = expr;
        if (matching.include.length > 0) yield { ...expr, matching: { ...matching, include: [] } };
        if (matching.fillLeft !== undefined || matching.fillRight !== undefined)
          yield { ...expr, matching: { ...matching, fillLeft: undefined, fillRight: undefined } };
        for (const [i] of matching.labels.entries())
          yield { ...expr, matching: { ...matching, labels: matching.labels.filter((_, k) => k !== i) } };
      }
      return;
    default:
      return;
  }
}

function withChild(expr: Expr, at: number, child: Expr): Expr {
  switch (expr.kind) {
    case 'matrix':
      return child.kind === 'vector' ? { ...expr, selector: child } : expr;
    case 'subquery':
    case 'paren':
    case 'unary':
      return { ...expr, expr: child };
    case 'call':
      return { ...expr, args: expr.args.map((arg, i) => (i === at ? child : arg)) };
    case 'aggregate':
      return at === 0 ? { ...expr, expr: child } : { ...expr, param: child };
    case 'binary':
      return at === 0 ? { ...expr, left: child } : { ...expr, right: child };
    default:
      return expr;
  }
}

import type { Expr } from '../parser/ast.ts';

/** Functions that look at the evaluation time. */
const UNSAFE: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'time',
  'timestamp',
  'year',
]);

/**
 * Whether Prometheus evaluates an expression once for all steps: everything in it is pinned by `@`. It does not look at the
 * parameters of aggregations.
 */
export function isInvariant(expr: Expr): boolean {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return true;
    case 'vector':
      return expr.at !== undefined;
    case 'matrix':
      return expr.selector.at !== undefined;
    case 'subquery':
      return expr.at !== undefined;
    case 'paren':
    case 'unary':
    case 'aggregate':
      return isInvariant(expr.expr);
    case 'binary':
      return isInvariant(expr.left) && isInvariant(expr.right);
    case 'call': {
      const args = expr.args.map(unwrapped);
      if (expr.func.name === 'timestamp') return args[0].kind === 'vector' && args[0].at !== undefined;
      return !UNSAFE.has(expr.func.name) && args.every(isInvariant);
    }
  }
}

/** Without the parentheses around it. */
export function unwrapped(expr: Expr): Expr {
  return expr.kind === 'paren' ? unwrapped(expr.expr) : expr;
}

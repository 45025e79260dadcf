import { childrenOf, type Expr, type VectorSelector } from '../parser/ast.ts';

/** The query with `@ t` on every selector and outermost subquery that carries no time yet; what is inside a subquery stays. */
export function pinToTime(expr: Expr, t: number): Expr {
  switch (expr.kind) {
    case 'number':
    case 'string':
      return expr;
    case 'vector':
      return pinSelector(expr, t);
    case 'matrix':
      return { ...expr, selector: pinSelector(expr.selector, t) };
    case 'subquery':
      return expr.at?.kind === 'timestamp' ? expr : { ...expr, at: { kind: 'timestamp', t } };
    case 'paren':
    case 'unary':
      return { ...expr, expr: pinToTime(expr.expr, t) };
    case 'call':
      return { ...expr, args: expr.args.map((arg) => pinToTime(arg, t)) };
    case 'aggregate':
      return {
        ...expr,
        expr: pinToTime(expr.expr, t),
        param: expr.param === undefined ? undefined : pinToTime(expr.param, t),
      };
    case 'binary':
      return { ...expr, left: pinToTime(expr.left, t), right: pinToTime(expr.right, t) };
  }
}

function pinSelector(selector: VectorSelector, t: number): VectorSelector {
  return selector.at?.kind === 'timestamp' ? selector : { ...selector, at: { kind: 'timestamp', t } };
}

/** Functions whose value depends on the time of evaluation even when their arguments do not. */
const TIME_DEPENDENT: ReadonlySet<string> = new Set([
  'day_of_month',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'end',
  'hour',
  'minute',
  'month',
  'predict_linear',
  'range',
  'start',
  'step',
  'time',
  'timestamp',
  'year',
]);

/** Whether pinning every selector still leaves an answer that depends on when it is asked. */
export function variesWithTime(expr: Expr): boolean {
  // A subquery is pinned as a whole: inside nothing varies.
  if (expr.kind === 'subquery') return false;
  if (expr.kind === 'call' && TIME_DEPENDENT.has(expr.func.name)) return true;
  return childrenOf(expr).some(variesWithTime);
}

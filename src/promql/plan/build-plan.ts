import type {
  AtModifier,
  Call,
  Duration,
  Expr,
  MatrixSelector,
  Span,
  VectorSelector,
} from '../parser/ast.ts';
import { durationMs } from '../parser/duration-expr.ts';
import type { PlanNode, SelectorSource } from './node.ts';

/** What a plan is made for. Times in ms; the step of an instant query is 0. */
export interface PlanContext {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** The step of subqueries that name none. */
  readonly subqueryStep: number;
}

/** The plain plan of a checked query: parentheses gone, durations and `@` resolved. */
export function buildPlan(expr: Expr, context: PlanContext): PlanNode {
  return build(expr, context, '');
}

function build(expr: Expr, context: PlanContext, func: string): PlanNode {
  const { start, end } = expr;
  const span: Span = { start, end };
  switch (expr.kind) {
    case 'number':
    case 'string':
      return { kind: expr.kind, value: expr.value, span } as PlanNode;
    case 'paren':
      return build(expr.expr, context, func);
    case 'unary':
      return expr.op === '+'
        ? build(expr.expr, context, func)
        : { kind: 'negate', child: build(expr.expr, context, func), span };
    case 'vector':
      return { kind: 'select', source: sourceOf(expr, context, func), value: 'value', span };
    case 'matrix':
      return buildWindows(expr, context, func, span);
    case 'subquery':
      return {
        kind: 'subquery',
        child: build(expr.expr, context, ''),
        range: durationOf(expr.range, context, 'positive'),
        step: expr.step === undefined ? context.subqueryStep : durationOf(expr.step, context, 'positive'),
        offset: expr.offset === undefined ? 0 : durationOf(expr.offset, context, 'any'),
        at: timeOf(expr.at, context),
        span,
      };
    case 'call':
      return buildCall(expr, context, span);
    case 'aggregate':
      return {
        kind: 'aggregate',
        op: expr.op,
        child: build(expr.expr, context, expr.op),
        param: expr.param && build(expr.param, context, ''),
        grouping: expr.grouping,
        without: expr.without,
        span,
      };
    case 'binary':
      return {
        kind: 'binary',
        op: expr.op,
        left: build(expr.left, context, ''),
        right: build(expr.right, context, ''),
        matching: expr.matching,
        returnBool: expr.returnBool,
        span,
      };
  }
}

function buildWindows(expr: MatrixSelector, context: PlanContext, func: string, span: Span): PlanNode {
  const range = durationOf(expr.range, context, 'positive');
  return { kind: 'windows', source: sourceOf(expr.selector, context, func), range, span };
}

function buildCall(expr: Call, context: PlanContext, span: Span): PlanNode {
  const { name } = expr.func;
  const args = expr.args.map((arg) => build(arg, context, name));
  const [first] = args;
  if (name === 'timestamp' && first.kind === 'select') args[0] = { ...first, value: 'timestamp' };
  return { kind: 'call', name, args, returns: expr.func.returns, span };
}

function sourceOf(expr: VectorSelector, context: PlanContext, func: string): SelectorSource {
  return {
    name: expr.name,
    matchers: expr.matchers,
    offset: expr.offset === undefined ? 0 : durationOf(expr.offset, context, 'any'),
    at: timeOf(expr.at, context),
    mode: expr.anchored ? 'anchored' : expr.smoothed ? 'smoothed' : 'plain',
    mint: 0,
    maxt: 0,
    func,
    statisticsOnly: false,
    labels: undefined,
  };
}

function durationOf(duration: Duration, context: PlanContext, sign: 'positive' | 'any'): number {
  return durationMs(duration, { stepMs: context.step, rangeMs: context.end - context.start }, sign);
}

function timeOf(at: AtModifier | undefined, context: PlanContext): number | undefined {
  if (at === undefined) return undefined;
  return at.kind === 'timestamp' ? at.t : at.kind === 'start' ? context.start : context.end;
}

import { METRIC_NAME } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
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
import { type PlanNode, planChildren, planType, type SelectorSource } from './node.ts';

/** What a plan is made for. Times in ms; the step of an instant query is 0. */
export interface PlanContext {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** The step of subqueries that name none. */
  readonly subqueryStep: number;
  /** Counter functions look at start timestamps (`use-start-timestamps`). */
  readonly startTimes: boolean;
}

/** Functions of a counter that see from start timestamps where it began anew. */
const READS_START_TIMES: ReadonlySet<string> = new Set(['increase', 'irate', 'rate', 'resets']);

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
        : { kind: 'negate', child: build(expr.expr, context, ''), span };
    case 'vector':
      return { kind: 'select', source: sourceOf(expr, context, func), value: 'value', span };
    case 'matrix':
      return buildWindows(expr, context, func, span);
    case 'subquery':
      return {
        kind: 'subquery',
        child: build(expr.expr, context, OF_ALL_SAMPLES.has(func) ? '' : func),
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

/** Over a subquery these are of the samples at its steps, not of all that there are: a store must not take them for its own. */
const OF_ALL_SAMPLES: ReadonlySet<string> = new Set([
  'sum_over_time',
  'count_over_time',
  'min_over_time',
  'max_over_time',
]);

function buildWindows(expr: MatrixSelector, context: PlanContext, func: string, span: Span): PlanNode {
  const range = durationOf(expr.range, context, 'positive');
  const startTimes = context.startTimes && READS_START_TIMES.has(func);
  const source = { ...sourceOf(expr.selector, context, func), rangeMs: range, startTimes };
  return { kind: 'windows', source, range, span };
}

function buildCall(expr: Call, context: PlanContext, span: Span): PlanNode {
  const { name } = expr.func;
  const args = expr.args.map((arg) => build(arg, context, name));
  if (name === 'info')
    return { kind: 'call', name, args: [args[0], infoSelect(args)], returns: expr.func.returns, span };
  const [first] = args;
  if (name === 'timestamp' && first.kind === 'select')
    args[0] = { ...first, value: 'timestamp', source: timestampSource(first.source) };
  if (name === 'start_timestamp' && first.kind === 'select' && context.startTimes)
    args[0] = {
      ...first,
      value: 'start_timestamp',
      source: { ...timestampSource(first.source), startTimes: true },
    };
  return { kind: 'call', name, args, returns: expr.func.returns, span };
}

/**
 * The time is that of a sample, which a smoothed value has none of. Of an offset beside `@` Prometheus forgets here that it
 * moves the time, not that it moves what is read: of that the sample at `@` is taken.
 */
function timestampSource(source: SelectorSource): SelectorSource {
  const { at, offset } = source;
  return { ...source, mode: 'plain', ...(at !== undefined && { offset: 0, readOffset: offset }) };
}

/**
 * The selector of the info series for `info(v, {…})`: read as of the time that `v` reads its samples, and by default of
 * the metric `target_info`.
 */
function infoSelect([base, given]: readonly PlanNode[]): PlanNode {
  const time = readTime(base, { at: undefined, offset: 0 });
  const written = given?.kind === 'select' ? given.source.matchers : [];
  const names = written.filter(({ name }) => name === METRIC_NAME);
  const isNamed = names.some(({ type }) => type === '=' || type === '=~');
  // What info metrics are not called leaves open what they are called.
  const implied =
    names.length > 0
      ? new Matcher('=~', METRIC_NAME, '.+_info')
      : new Matcher('=', METRIC_NAME, 'target_info');
  const matchers = isNamed ? written : [...written, implied];
  const source: SelectorSource = {
    ...time,
    name: '',
    matchers,
    mode: 'plain',
    mint: 0,
    maxt: 0,
    func: 'info',
    statisticsOnly: false,
    newestOnly: false,
    startTimes: false,
  };
  return { kind: 'select', source, value: 'value', span: base.span };
}

/** What `@` and `offset` on the way down to the first selector make of the evaluation time. */
function readTime(node: PlanNode, time: ReadTime): ReadTime {
  if (node.kind === 'select' || node.kind === 'windows') return shifted(time, node.source);
  if (node.kind === 'subquery') return readTime(node.child, shifted(time, node));
  const child = planChildren(node).find((part) => planType(part) !== 'scalar' && planType(part) !== 'string');
  return child === undefined ? time : readTime(child, time);
}

interface ReadTime {
  readonly at: number | undefined;
  readonly offset: number;
}

function shifted(time: ReadTime, { at, offset }: ReadTime): ReadTime {
  return at === undefined ? { at: time.at, offset: time.offset + offset } : { at, offset };
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
    newestOnly: false,
    startTimes: false,
  };
}

function durationOf(duration: Duration, context: PlanContext, sign: 'positive' | 'any'): number {
  return durationMs(duration, { stepMs: context.step, rangeMs: context.end - context.start }, sign);
}

function timeOf(at: AtModifier | undefined, context: PlanContext): number | undefined {
  if (at === undefined) return undefined;
  return at.kind === 'timestamp' ? at.t : at.kind === 'start' ? context.start : context.end;
}

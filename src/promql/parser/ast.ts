import type { Matcher } from '../../model/matcher.ts';
import type { FunctionSignature } from '../functions/signatures.ts';

/**
 * A place in the query text: [start, end) in UTF-16 units, so `text.slice(start, end)` is the source of a node.
 * Prometheus counts bytes; what is printed goes through `position.ts`.
 */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string';

export type BinaryOperator =
  | '+'
  | '-'
  | '*'
  | '/'
  | '%'
  | '^'
  | 'atan2'
  | '=='
  | '!='
  | '<'
  | '<='
  | '>'
  | '>='
  | '</'
  | '>/'
  | 'and'
  | 'or'
  | 'unless';

export type AggregateOperator =
  | 'avg'
  | 'bottomk'
  | 'count'
  | 'count_values'
  | 'group'
  | 'limit_ratio'
  | 'limitk'
  | 'max'
  | 'min'
  | 'quantile'
  | 'stddev'
  | 'stdvar'
  | 'sum'
  | 'topk';

/** One node of a query. Immutable; every node but those inside an erroneous query has been checked for types and arity. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | Call
  | Aggregate
  | Binary
  | Unary
  | Paren;

export interface NumberLiteral extends Span {
  readonly kind: 'number';
  readonly value: number;
  /** Written as a duration (`5m`): the value is in seconds, and it prints as a duration again. */
  readonly isDuration: boolean;
}

export interface StringLiteral extends Span {
  readonly kind: 'string';
  readonly value: string;
}

/** `@ 1609746000` (ms), `@ start()`, `@ end()`. */
export type AtModifier =
  | { readonly kind: 'timestamp'; readonly t: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/** `name{matchers} offset 5m @ start()`, with the range modes `anchored` and `smoothed`. */
export interface VectorSelector extends Span {
  readonly kind: 'vector';
  /** The name before the braces; empty when there is none, also when the name is matched inside them. */
  readonly name: string;
  /** All matchers in the order written; the one that a non-empty `name` stands for is the last. */
  readonly matchers: readonly Matcher[];
  /** Undefined when none was written. Positive looks into the past. */
  readonly offset: Duration | undefined;
  readonly at: AtModifier | undefined;
  readonly anchored: boolean;
  readonly smoothed: boolean;
}

/** `selector[range]`. Offset and `@` stand on the selector although they are written behind the range. */
export interface MatrixSelector extends Span {
  readonly kind: 'matrix';
  readonly selector: VectorSelector;
  readonly range: Duration;
}

/** `expr[range:step] offset … @ …`. */
export interface Subquery extends Span {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly range: Duration;
  /** Undefined: the server's default evaluation interval. */
  readonly step: Duration | undefined;
  readonly offset: Duration | undefined;
  readonly at: AtModifier | undefined;
}

export interface Call extends Span {
  readonly kind: 'call';
  readonly func: FunctionSignature;
  readonly args: readonly Expr[];
}

export interface Aggregate extends Span {
  readonly kind: 'aggregate';
  readonly op: AggregateOperator;
  readonly expr: Expr;
  /** k of topk, φ of quantile, the label of count_values, … */
  readonly param: Expr | undefined;
  readonly grouping: readonly string[];
  readonly without: boolean;
}

export type Cardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';

/** How elements of two vectors find each other. */
export interface VectorMatching {
  /** `many-to-one` is group_left, `one-to-many` group_right, `many-to-many` the set operators. */
  readonly cardinality: Cardinality;
  /** True: only `labels` count; false: all labels but them (and the metric name). */
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels that group_left and group_right copy from the "one" side. */
  readonly include: readonly string[];
  /** The value that stands in for a missing partner on the left or right side. */
  readonly fillLeft: number | undefined;
  readonly fillRight: number | undefined;
}

export interface Binary extends Span {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  /** Present exactly when both sides are vectors. */
  readonly matching: VectorMatching | undefined;
  readonly returnBool: boolean;
}

export interface Unary extends Span {
  readonly kind: 'unary';
  readonly op: '+' | '-';
  readonly expr: Expr;
}

export interface Paren extends Span {
  readonly kind: 'paren';
  readonly expr: Expr;
}

/**
 * A length of time as written: a literal (`5m`, `300`, `-2`), or an expression over literals and the query's
 * step and range (`step() * 2`). `durationMs` in `duration-expr.ts` evaluates it.
 */
export type Duration = NumberLiteral | DurationOperation | DurationFunction;

/** `left` is undefined for the signs `+x` and `-x`, and for a parenthesis around one operand (`op` is `+`). */
export interface DurationOperation extends Span {
  readonly kind: 'duration-operation';
  readonly op: '+' | '-' | '*' | '/' | '%' | '^';
  readonly left: Duration | undefined;
  readonly right: Duration;
  /** Stands in parentheses, and prints them. */
  readonly wrapped: boolean;
}

/** `step()` and `range()` of the query, `min_of(a, b)`, `max_of(a, b)`. */
export interface DurationFunction extends Span {
  readonly kind: 'duration-function';
  readonly name: 'step' | 'range' | 'min_of' | 'max_of';
  /** None, or two. */
  readonly args: readonly Duration[];
  readonly wrapped: boolean;
}

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const SET_OPERATORS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

export function isComparison(op: BinaryOperator): boolean {
  return COMPARISONS.has(op);
}

export function isSetOperator(op: BinaryOperator): boolean {
  return SET_OPERATORS.has(op);
}

/** The type a node evaluates to. */
export function typeOf(expr: Expr): ValueType {
  switch (expr.kind) {
    case 'number':
      return 'scalar';
    case 'string':
      return 'string';
    case 'vector':
    case 'aggregate':
      return 'vector';
    case 'matrix':
    case 'subquery':
      return 'matrix';
    case 'call':
      return expr.func.returns;
    case 'paren':
    case 'unary':
      return typeOf(expr.expr);
    case 'binary':
      return typeOf(expr.left) === 'scalar' && typeOf(expr.right) === 'scalar' ? 'scalar' : 'vector';
  }
}

/** The expressions directly below a node, in the order written (the parameter of an aggregation after its vector). */
export function childrenOf(expr: Expr): readonly Expr[] {
  switch (expr.kind) {
    case 'number':
    case 'string':
    case 'vector':
      return [];
    case 'matrix':
      return [expr.selector];
    case 'subquery':
    case 'paren':
    case 'unary':
      return [expr.expr];
    case 'call':
      return expr.args;
    case 'aggregate':
      return expr.param === undefined ? [expr.expr] : [expr.expr, expr.param];
    case 'binary':
      return [expr.left, expr.right];
  }
}

/** Visits a node and all below it, parents first. */
export function walk(expr: Expr, visit: (node: Expr) => void): void {
  visit(expr);
  for (const child of childrenOf(expr)) walk(child, visit);
}

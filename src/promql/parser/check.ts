import { METRIC_NAME } from '../../model/labels.ts';
import {
  type Aggregate,
  type Binary,
  type Call,
  type Expr,
  isComparison,
  isSetOperator,
  type Span,
  typeOf,
  type ValueType,
  type VectorSelector,
} from './ast.ts';
import { quote } from './go-text.ts';
import type { Problems } from './problems.ts';

/**
 * Checks types, arities and matchings of a parsed query, and returns it with what only types can tell: vector
 * matching is dropped where a side is a scalar, and set operators match many to many. Problems come in the order
 * in which Prometheus finds them.
 */
export function checkTypes(expr: Expr, problems: Problems): Expr {
  return new Checker(problems).check(expr).expr;
}

interface Checked {
  readonly expr: Expr;
  readonly type: ValueType;
}

const SCALAR_PARAMETERS: ReadonlySet<string> = new Set([
  'topk',
  'bottomk',
  'quantile',
  'limitk',
  'limit_ratio',
]);

class Checker {
  readonly #problems: Problems;

  constructor(problems: Problems) {
    this.#problems = problems;
  }

  check(expr: Expr): Checked {
    switch (expr.kind) {
      case 'number':
        return { expr, type: 'scalar' };
      case 'string':
        return { expr, type: 'string' };
      case 'vector':
        this.#checkSelector(expr, false);
        return { expr, type: 'vector' };
      case 'matrix':
        this.#checkSelector(expr.selector, false);
        return { expr, type: 'matrix' };
      case 'paren': {
        const inner = this.check(expr.expr);
        return { expr: { ...expr, expr: inner.expr }, type: inner.type };
      }
      case 'unary':
        return this.#checkUnary(expr);
      case 'subquery':
        return this.#checkSubquery(expr);
      case 'aggregate':
        return this.#checkAggregate(expr);
      case 'call':
        return this.#checkCall(expr);
      case 'binary':
        return this.#checkBinary(expr);
    }
  }

  #expect(expr: Expr, wanted: ValueType, context: string): Expr {
    const checked = this.check(expr);
    if (checked.type !== wanted)
      this.#problems.add(
        expr,
        `expected type ${documentedType(wanted)} in ${context}, got ${documentedType(checked.type)}`,
      );
    return checked.expr;
  }

  #checkSelector(selector: VectorSelector, mayBeEmpty: boolean): void {
    const { name, matchers } = selector;
    if (name !== '') {
      for (const matcher of matchers.slice(0, -1))
        if (matcher.name === METRIC_NAME)
          this.#problems.add(
            selector,
            `metric name must not be set twice: ${quote(name)} or ${quote(matcher.value)}`,
          );
    } else if (!mayBeEmpty && matchers.every((matcher) => matcher.matchesEmpty))
      this.#problems.add(selector, 'vector selector must contain at least one non-empty matcher');
  }

  #checkUnary(expr: Extract<Expr, { kind: 'unary' }>): Checked {
    const inner = this.check(expr.expr);
    if (inner.type !== 'scalar' && inner.type !== 'vector')
      this.#problems.add(
        expr,
        `unary expression only allowed on expressions of type scalar or instant vector, got ${quote(documentedType(inner.type))}`,
      );
    return { expr: { ...expr, expr: inner.expr }, type: inner.type };
  }

  #checkSubquery(expr: Extract<Expr, { kind: 'subquery' }>): Checked {
    const inner = this.check(expr.expr);
    if (inner.type !== 'vector')
      this.#problems.add(expr, `subquery is only allowed on instant vector, got ${inner.type} instead`);
    return { expr: { ...expr, expr: inner.expr }, type: 'matrix' };
  }

  #checkAggregate(expr: Aggregate): Checked {
    const inner = this.#expect(expr.expr, 'vector', 'aggregation expression');
    let { param } = expr;
    if (param !== undefined) {
      const wanted = SCALAR_PARAMETERS.has(expr.op) ? 'scalar' : 'string';
      param = this.#expect(param, wanted, 'aggregation parameter');
    }
    return { expr: { ...expr, expr: inner, param }, type: 'vector' };
  }

  #checkCall(call: Call): Checked {
    const { func } = call;
    this.#checkArity(call);
    if (func.name === 'info' && call.args.length > 1) this.#checkInfo(call);
    const args = call.args.map((arg, i) => {
      // What a function of fixed arity has too many is not looked at.
      if (i >= func.args.length && func.argsMin === func.argsMax) return arg;
      const wanted = func.args[Math.min(i, func.args.length - 1)];
      if (func.name === 'info' && i === 1 && arg.kind === 'vector') {
        this.#checkSelector(arg, true);
        return arg;
      }
      return this.#expectArgument(arg, wanted, func.name);
    });
    return { expr: { ...call, args }, type: func.returns };
  }

  #expectArgument(arg: Expr, wanted: ValueType, name: string): Expr {
    return this.#expect(arg, wanted, `call to function ${quote(name)}`);
  }

  #checkArity({ func, args, ...span }: Call): void {
    const { argsMin, argsMax, name } = func;
    const got = `argument(s) in call to ${quote(name)}, got ${args.length}`;
    if (argsMin === argsMax) {
      if (args.length !== argsMin) this.#problems.add(span, `expected ${argsMin} ${got}`);
    } else if (args.length < argsMin) this.#problems.add(span, `expected at least ${argsMin} ${got}`);
    else if (args.length > argsMax) this.#problems.add(span, `expected at most ${argsMax} ${got}`);
  }

  /** The second argument of `info` is only braces: the labels to take over, from info metrics. */
  #checkInfo(call: Call): void {
    const second = call.args[1];
    const type = typeOf(second);
    if (type !== 'vector')
      this.#problems.add(
        call,
        `expected type instant vector in call to function "info", got ${documentedType(type)}`,
      );
    if (second.kind !== 'vector') this.#problems.add(second, 'expected label selectors only');
    else if (second.name !== '')
      this.#problems.add(second, 'expected label selectors only, got vector selector instead');
  }

  #checkBinary(expr: Binary): Checked {
    const left = this.check(expr.left);
    const right = this.check(expr.right);
    const scalars = left.type === 'scalar' && right.type === 'scalar';
    this.#checkBool(expr, scalars);
    this.#checkIncluded(expr);
    for (const [side, { type }] of [
      [expr.left, left],
      [expr.right, right],
    ] as const)
      if (type !== 'scalar' && type !== 'vector')
        this.#problems.add(side, 'binary expression must contain only scalar and instant vector types');
    const vectors = left.type === 'vector' && right.type === 'vector';
    if (!vectors) this.#checkWithoutMatching(expr);
    else if (isSetOperator(expr.op)) this.#checkSetMatching(expr);
    if ((left.type === 'scalar' || right.type === 'scalar') && isSetOperator(expr.op))
      this.#problems.add(expr, `set operator ${quote(expr.op)} not allowed in binary scalar expression`);
    const matching = vectors ? resolveMatching(expr) : undefined;
    const type = scalars ? 'scalar' : 'vector';
    return { expr: { ...expr, left: left.expr, right: right.expr, matching }, type };
  }

  #checkBool(expr: Binary, scalars: boolean): void {
    const { op, returnBool } = expr;
    if (returnBool && !isComparison(op))
      this.#problems.add(this.#between(expr), 'bool modifier can only be used on comparison operators');
    if (!returnBool && isComparison(op) && scalars)
      this.#problems.add(this.#between(expr), 'comparisons between scalars must use BOOL modifier');
  }

  #checkIncluded(expr: Binary): void {
    const { matching } = expr;
    if (!matching?.on) return;
    for (const label of matching.labels)
      if (matching.include.includes(label))
        this.#problems.add(
          this.#between(expr),
          `label ${quote(label)} must not occur in ON and GROUP clause at once`,
        );
  }

  /** The operator with its modifiers, less the last character, as Prometheus gives the place. */
  #between({ left, right }: Binary): Span {
    const { text } = this.#problems;
    let start = left.end;
    while (isSpace(text[start])) start++;
    let end = right.start - 1;
    while (isSpace(text[end])) end--;
    return { start, end };
  }

  #checkWithoutMatching(expr: Binary): void {
    if (expr.matching === undefined) return;
    if (expr.matching.labels.length > 0)
      this.#problems.add(expr, 'vector matching only allowed between instant vectors');
    if (fills(expr))
      this.#problems.add(expr, 'filling in missing series only allowed between instant vectors');
  }

  #checkSetMatching(expr: Binary): void {
    if (expr.matching?.cardinality !== 'one-to-one') {
      this.#problems.add(expr, `no grouping allowed for ${quote(expr.op)} operation`);
      this.#problems.add(expr, 'set operations must always be many-to-many');
    }
    if (fills(expr)) this.#problems.add(expr, 'filling in missing series not allowed for set operators');
  }
}

function isSpace(char: string): boolean {
  return char === ' ' || char === '\t' || char === '\n' || char === '\r';
}

function fills({ matching }: Binary): boolean {
  return matching?.fillLeft !== undefined || matching?.fillRight !== undefined;
}

function resolveMatching({ op, matching }: Binary): Binary['matching'] {
  return matching !== undefined && isSetOperator(op)
    ? { ...matching, cardinality: 'many-to-many' }
    : matching;
}

/** A value type as the documentation of the language calls it. */
function documentedType(type: ValueType): string {
  if (type === 'vector') return 'instant vector';
  return type === 'matrix' ? 'range vector' : type;
}

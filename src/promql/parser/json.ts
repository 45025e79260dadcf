import type { FunctionSignature } from '../functions/signatures.ts';
import type { AtModifier, Binary, Duration, Expr, VectorSelector } from './ast.ts';
import { durationMs } from './duration-expr.ts';
import { formatDecimal } from './go-text.ts';

/** A value that `JSON.stringify` writes as it is. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

/**
 * The tree of a query as the API's `parse_query` shows it. Times and lengths in ms. Bytes that are no UTF-8 become
 * replacement characters.
 */
export function exprToJson(expr: Expr): Json {
  switch (expr.kind) {
    case 'number':
      return { type: 'numberLiteral', val: formatDecimal(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value.toWellFormed() };
    case 'paren':
      return { type: 'parenExpr', expr: exprToJson(expr.expr) };
    case 'unary':
      return { type: 'unaryExpr', op: expr.op, expr: exprToJson(expr.expr) };
    case 'vector':
      return { type: 'vectorSelector', ...selectorJson(expr) };
    case 'matrix':
      return { type: 'matrixSelector', ...lengthJson('range', expr.range), ...selectorJson(expr.selector) };
    case 'subquery':
      return {
        type: 'subquery',
        expr: exprToJson(expr.expr),
        ...lengthJson('range', expr.range),
        ...lengthJson('offset', expr.offset),
        ...lengthJson('step', expr.step),
        ...atJson(expr.at),
      };
    case 'call':
      return { type: 'call', func: functionJson(expr.func), args: expr.args.map(exprToJson) };
    case 'aggregate':
      return {
        type: 'aggregation',
        op: expr.op,
        expr: exprToJson(expr.expr),
        param: expr.param === undefined ? null : exprToJson(expr.param),
        grouping: expr.grouping,
        without: expr.without,
      };
    case 'binary':
      return {
        type: 'binaryExpr',
        op: expr.op,
        lhs: exprToJson(expr.left),
        rhs: exprToJson(expr.right),
        matching: matchingJson(expr.matching),
        bool: expr.returnBool,
      };
  }
}

function selectorJson(selector: VectorSelector): { readonly [key: string]: Json } {
  return {
    name: selector.name,
    ...lengthJson('offset', selector.offset),
    matchers: selector.matchers.map(({ name, value, type }) => ({
      name: name.toWellFormed(),
      value: value.toWellFormed(),
      type,
    })),
    ...atJson(selector.at),
    anchored: selector.anchored,
    smoothed: selector.smoothed,
  };
}

function atJson(at: AtModifier | undefined): { readonly [key: string]: Json } {
  return {
    timestamp: at?.kind === 'timestamp' ? at.t : null,
    startOrEnd: at === undefined || at.kind === 'timestamp' ? null : at.kind,
  };
}

/** `name` has the ms of a literal, else 0; `nameExpr` the expression, else null. */
function lengthJson(name: string, duration: Duration | undefined): { readonly [key: string]: Json } {
  const literal = duration?.kind === 'number' ? duration : undefined;
  return {
    [name]: literal === undefined ? 0 : durationMs(literal, { stepMs: 0, rangeMs: 0 }, 'any'),
    [`${name}Expr`]: duration === undefined || literal !== undefined ? null : durationJson(duration),
  };
}

function durationJson(duration: Duration | undefined): Json {
  if (duration === undefined) return null;
  if (duration.kind === 'number')
    return { type: 'numberLiteral', val: formatDecimal(duration.value), duration: duration.isDuration };
  const isFunction = duration.kind === 'duration-function';
  return {
    type: 'durationExpr',
    op: isFunction ? duration.name : duration.op,
    lhs: durationJson(isFunction ? duration.args[0] : duration.left),
    rhs: durationJson(isFunction ? duration.args[1] : duration.right),
    wrapped: duration.wrapped,
  };
}

/** Prometheus' `variadic`: 0 none, -1 any number, else how many the last type may stand for. */
function functionJson({ name, args, argsMin, argsMax, returns }: FunctionSignature): Json {
  const variadic = argsMax === Infinity ? -1 : argsMax - argsMin;
  return { name, argTypes: args, variadic, returnType: returns };
}

function matchingJson(matching: Binary['matching']): Json {
  if (matching === undefined) return null;
  const { cardinality, labels, on, include, fillLeft, fillRight } = matching;
  const fillValues = { lhs: fillLeft ?? null, rhs: fillRight ?? null };
  return { card: cardinality, labels, on, include, fillValues };
}

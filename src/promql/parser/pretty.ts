import type { Expr } from './ast.ts';
import { printAggregateHead, printExpr, printOperator, printSubquerySuffix } from './print.ts';

/** A longer line is broken where the tree branches, in bytes. */
const LINE_LENGTH_MAX = 100;
const ENCODER = new TextEncoder();

/** A query broken into indented lines, as `format_query` answers. */
export function prettyExpr(expr: Expr): string {
  return pretty(expr, 0);
}

function pretty(expr: Expr, level: number): string {
  const line = printExpr(expr);
  if (fitsOnLine(line)) return prettyShort(expr, level, line);
  switch (expr.kind) {
    case 'call':
      return `${indent(level)}${expr.func.name}(\n${prettyList(expr.args, level + 1)}\n${indent(level)})`;
    case 'aggregate': {
      const args = expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
      return `${indent(level)}${printAggregateHead(expr)}(\n${prettyList(args, level + 1)}\n${indent(level)})`;
    }
    case 'binary': {
      const operator = indent(level) + printOperator(expr);
      return `${pretty(expr.left, level + 1)}\n${operator}\n${pretty(expr.right, level + 1)}`;
    }
    case 'paren':
      return `${indent(level)}(\n${pretty(expr.expr, level + 1)}\n${indent(level)})`;
    case 'subquery':
      return pretty(expr.expr, level) + printSubquerySuffix(expr);
    case 'unary':
      return indent(level) + expr.op + pretty(expr.expr, level).trim();
    default:
      return indent(level) + line;
  }
}

function fitsOnLine(line: string): boolean {
  return line.length <= LINE_LENGTH_MAX && ENCODER.encode(line).length <= LINE_LENGTH_MAX;
}

/** A subquery that fits on a line gets no indentation; Prometheus does it so. */
function prettyShort(expr: Expr, level: number, line: string): string {
  return expr.kind === 'subquery' ? line : indent(level) + line;
}

function prettyList(exprs: readonly Expr[], level: number): string {
  return exprs.map((expr) => pretty(expr, level)).join(',\n');
}

function indent(level: number): string {
  return '  '.repeat(level);
}

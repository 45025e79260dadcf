import { formatDuration } from '../../model/duration.ts';
import { compareStrings, METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type {
  Aggregate,
  AtModifier,
  Binary,
  Duration,
  Expr,
  NumberLiteral,
  Subquery,
  VectorSelector,
} from './ast.ts';
import { formatDecimal, formatFixed, formatGeneral, quote } from './go-text.ts';

/** A query on one line, as Prometheus prints it: no comments, normalised spaces, matchers sorted. */
export function printExpr(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return printNumber(expr);
    case 'string':
      return quote(expr.value);
    case 'vector':
      return printSelector(expr) + printAt(expr.at) + printRangeMode(expr) + printOffset(expr.offset);
    case 'matrix': {
      const { selector } = expr;
      const range = `[${printDuration(expr.range)}]`;
      return (
        printSelector(selector) +
        range +
        printRangeMode(selector) +
        printAt(selector.at) +
        printOffset(selector.offset)
      );
    }
    case 'subquery':
      return printExpr(expr.expr) + printSubquerySuffix(expr);
    case 'call':
      return `${expr.func.name}(${expr.args.map(printExpr).join(', ')})`;
    case 'aggregate': {
      const args = expr.param === undefined ? [expr.expr] : [expr.param, expr.expr];
      return `${printAggregateHead(expr)}(${args.map(printExpr).join(', ')})`;
    }
    case 'binary':
      return `${printExpr(expr.left)} ${printOperator(expr)} ${printExpr(expr.right)}`;
    case 'unary':
      return expr.op + printExpr(expr.expr);
    case 'paren':
      return `(${printExpr(expr.expr)})`;
  }
}

/** `sum by (job) `, with the space that Prometheus leaves before the parenthesis; `sum` alone without grouping. */
export function printAggregateHead({ op, grouping, without }: Aggregate): string {
  if (!without && grouping.length === 0) return op;
  return `${op} ${without ? 'without' : 'by'} (${printLabels(grouping)}) `;
}

/** The operator with `bool` and all about matching, `* on (job) group_left ()`. */
export function printOperator({ op, returnBool, matching }: Binary): string {
  let text = op + (returnBool ? ' bool' : '');
  if (matching === undefined) return text;
  const { cardinality, on, labels, include, fillLeft, fillRight } = matching;
  const grouped = cardinality === 'many-to-one' || cardinality === 'one-to-many';
  if (labels.length > 0 || on || grouped) text += ` ${on ? 'on' : 'ignoring'} (${printLabels(labels)})`;
  if (grouped) text += ` group_${cardinality === 'many-to-one' ? 'left' : 'right'} (${printLabels(include)})`;
  if (fillLeft !== undefined && fillLeft === fillRight) return `${text} fill (${formatGeneral(fillLeft)})`;
  if (fillLeft !== undefined) text += ` fill_left (${formatGeneral(fillLeft)})`;
  if (fillRight !== undefined) text += ` fill_right (${formatGeneral(fillRight)})`;
  return text;
}

/** `[5m:1m] @ 12.000 offset 1h`. */
export function printSubquerySuffix({ range, step, at, offset }: Subquery): string {
  const stepText = step === undefined ? '' : printDuration(step);
  return `[${printDuration(range)}:${stepText}]${printAt(at)}${printOffset(offset)}`;
}

/** A length in ranges and offsets: a literal as the largest units that fit, an expression as written. */
function printDuration(duration: Duration): string {
  if (duration.kind !== 'number') return printDurationExpr(duration);
  return printSeconds(duration.value);
}

function printDurationExpr(duration: Duration): string {
  if (duration.kind === 'number') return printNumber(duration);
  const text = printUnwrapped(duration);
  return duration.wrapped ? `(${text})` : text;
}

function printUnwrapped(duration: Exclude<Duration, NumberLiteral>): string {
  if (duration.kind === 'duration-function')
    return `${duration.name}(${duration.args.map(printDurationExpr).join(', ')})`;
  const right = printDurationExpr(duration.right);
  if (duration.left !== undefined) return `${printDurationExpr(duration.left)} ${duration.op} ${right}`;
  return duration.op === '-' ? `-${right}` : right;
}

function printNumber({ value, isDuration }: NumberLiteral): string {
  return isDuration ? printSeconds(value) : formatDecimal(value);
}

function printSeconds(seconds: number): string {
  const ms = Math.trunc(Math.round(Math.abs(seconds) * 1e9) / 1e6);
  return (seconds < 0 ? '-' : '') + formatDuration(ms);
}

function printSelector({ name, matchers }: VectorSelector): string {
  const shown = matchers
    .filter((matcher) => !standsForName(matcher, name))
    .map(printMatcher)
    .sort(compareStrings);
  // Prometheus prints the empty selector of info(x, {}) as nothing, which does not parse.
  if (shown.length === 0) return name === '' ? '{}' : name;
  return `${name}{${shown.join(',')}}`;
}

function standsForName({ name, type, value }: Matcher, metric: string): boolean {
  return name === METRIC_NAME && type === '=' && value === metric && value !== '';
}

function printMatcher({ name, type, value }: Matcher): string {
  return `${printLabel(name)}${type}${quote(value)}`;
}

function printAt(at: AtModifier | undefined): string {
  if (at === undefined) return '';
  return at.kind === 'timestamp' ? ` @ ${formatFixed(at.t / 1000, 3)}` : ` @ ${at.kind}()`;
}

function printRangeMode({ anchored, smoothed }: VectorSelector): string {
  if (anchored) return ' anchored';
  return smoothed ? ' smoothed' : '';
}

function printOffset(offset: Duration | undefined): string {
  if (offset === undefined || (offset.kind === 'number' && offset.value === 0)) return '';
  return ` offset ${printDuration(offset)}`;
}

function printLabels(labels: readonly string[]): string {
  return labels.map(printLabel).join(', ');
}

function printLabel(name: string): string {
  return /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : quote(name);
}

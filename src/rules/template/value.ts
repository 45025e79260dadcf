import { formatDecimal } from '../../promql/parser/go-text.ts';

/** A sample as templates see it: what `query` gives a list of. */
export interface TemplateSample {
  readonly Labels: ReadonlyMap<string, string>;
  readonly Value: number;
}

/** Whole numbers are `bigint` (Go's int), fractions `number` (float64), a missing value is `undefined` (nil). */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | undefined
  | ReadonlyMap<string, Value>
  | readonly Value[]
  | TemplateSample
  | Date;

export function isMap(value: Value): value is ReadonlyMap<string, Value> {
  return value instanceof Map;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isSample(value: Value): value is TemplateSample {
  return typeof value === 'object' && 'Labels' in value;
}

/** Go's idea of true: not zero, not empty. */
export function isTrue(value: Value): boolean {
  if (isMap(value)) return value.size > 0;
  if (isList(value)) return value.length > 0;
  return Boolean(value);
}

/** As Go's `fmt` prints a value with %v. */
export function printValue(value: Value): string {
  if (value === undefined) return '<no value>';
  if (typeof value === 'number') return formatG(value, -1);
  if (typeof value !== 'object') return String(value);
  if (value instanceof Date) return printTime(value);
  if (isMap(value)) {
    const pairs = [...value].sort(([a], [b]) => (a < b ? -1 : 1));
    return `map[${pairs.map(([key, v]) => `${key}:${printValue(v)}`).join(' ')}]`;
  }
  if (isList(value)) return `[${value.map(printValue).join(' ')}]`;
  return `{${printValue(value.Labels)} ${printValue(value.Value)}}`;
}

/** `2026-01-02 03:04:05.6 +0000 UTC`. */
function printTime(time: Date): string {
  const text = time.toISOString();
  const fraction = text.slice(19, 23).replace(/\.?0+$/, '');
  return `${text.slice(0, 10)} ${text.slice(11, 19)}${fraction} +0000 UTC`;
}

/** Go's %g: `precision` significant digits, or the fewest that read back the same (-1); exponents of two digits at least. */
export function formatG(value: number, precision: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const digits = Math.min(100, Math.max(1, precision));
  const [mantissa, power] = (precision < 0 ? value.toExponential() : value.toExponential(digits - 1)).split(
    'e',
  );
  const exponent = Number(power);
  // Where the fewest digits are wanted, six decide.
  if (exponent < -4 || exponent >= (precision < 0 ? 6 : digits))
    return withExponent(withoutZeros(mantissa), exponent);
  return precision < 0
    ? formatDecimal(value)
    : withoutZeros(value.toFixed(Math.max(0, digits - 1 - exponent)));
}

function withoutZeros(digits: string): string {
  return digits.includes('.') ? digits.replace(/\.?0+$/, '') : digits;
}

export function withExponent(mantissa: string, exponent: number): string {
  return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

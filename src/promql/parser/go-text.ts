/** Text as Go's `strconv` and `fmt` write it, because messages and printed queries must look as Prometheus' do. */

const ESCAPES: ReadonlyMap<number, string> = new Map([
  [7, '\\a'],
  [8, '\\b'],
  [9, '\\t'],
  [10, '\\n'],
  [11, '\\v'],
  [12, '\\f'],
  [13, '\\r'],
  [92, '\\\\'],
]);
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** A string in double quotes with Go's escapes, `%q`. Lone surrogates stand for bytes, see `unquote`. */
export function quote(text: string): string {
  let quoted = '"';
  for (const char of text) quoted += escapeChar(char, '"');
  return `${quoted}"`;
}

/** One character in single quotes, `%q` of a rune. */
export function quoteChar(char: string): string {
  return `'${escapeChar(char, "'")}'`;
}

/** `U+0064 'd'`, `%#U` of a rune. */
export function describeChar(char: string): string {
  const code = char.codePointAt(0) as number;
  const hex = code.toString(16).toUpperCase().padStart(4, '0');
  return PRINTABLE.test(char) ? `U+${hex} '${char}'` : `U+${hex}`;
}

function escapeChar(char: string, delimiter: string): string {
  if (char === delimiter) return `\\${char}`;
  const code = char.codePointAt(0) as number;
  const known = ESCAPES.get(code);
  if (known !== undefined) return known;
  if (code >= 0x20 && code < 0x7f) return char;
  if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  if (PRINTABLE.test(char)) return char;
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`;
}

/** The shortest decimal without an exponent that reads back as the same number, `FormatFloat(v, 'f', -1, 64)`. */
export function formatDecimal(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value);
  const { sign, digits, exponent } = decompose(value);
  const point = exponent + 1;
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (digits.length <= point) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The shortest text with an exponent from 1e6 on and below 1e-4, `%v` and `%g`. */
export function formatGeneral(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value);
  const { sign, digits, exponent } = decompose(value);
  if (exponent >= -4 && exponent < 6) return formatDecimal(value);
  const mantissa = digits.length === 1 ? digits : `${digits[0]}.${digits.slice(1)}`;
  return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** At most two digits, with an exponent from 100 on and below 1e-4, `%.2g`. */
export function formatTwoDigits(value: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value);
  const [mantissa, exponent] = value.toExponential(1).split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 2) return formatDecimal(Number(value.toPrecision(2)));
  const sign = power < 0 ? '-' : '+';
  return `${mantissa.replace('.0', '')}e${sign}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** A number with a fixed count of decimals and never an exponent, `%.3f`. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return formatSpecial(value);
  if (Math.abs(value) < 1e21) return (Object.is(value, -0) ? '-' : '') + value.toFixed(decimals);
  return `${BigInt(value)}.${'0'.repeat(decimals)}`;
}

function formatSpecial(value: number): string {
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}

function decompose(value: number): { sign: string; digits: string; exponent: number } {
  const [mantissa, exponent] = Math.abs(value).toExponential().split('e');
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  return { sign, digits: mantissa.replace('.', ''), exponent: Number(exponent) };
}

import { NORMAL_NAN } from '../../../model/sample.ts';

const ZERO = 0x30;
const PLUS = 0x2b;
const MINUS = 0x2d;
const POINT = 0x2e;

/** Powers of ten that a float has exactly. */
const POWERS = Float64Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
/** Digits of an integer that a float has exactly, whatever they are. */
const DIGITS_MAX = 15;

/**
 * The float in bytes[start … end) as Go's `ParseFloat` reads it in Prometheus' formats: decimal, `Inf`, `Infinity` and
 * `NaN` in any case, neither hexadecimal nor underscores. Undefined when it is none or too large for a float.
 *
 * Most values are up to 15 digits with a small exponent: one exact multiplication or division, without a string.
 */
export function parseGoFloat(bytes: Uint8Array, start: number, end: number): number | undefined {
  let at = start;
  const sign = bytes[at];
  if (sign === MINUS || sign === PLUS) at++;
  let mantissa = 0;
  let digits = 0;
  let exponent = 0;
  const first = at;
  for (; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) break;
    mantissa = mantissa * 10 + digit;
    if (mantissa > 0) digits++;
  }
  let seen = at - first;
  if (at < end && bytes[at] === POINT) {
    const point = ++at;
    for (; at < end; at++) {
      const digit = bytes[at] - ZERO;
      if (digit < 0 || digit > 9) break;
      mantissa = mantissa * 10 + digit;
      if (mantissa > 0) digits++;
    }
    exponent = point - at;
    seen += at - point;
  }
  if (seen === 0 || digits > DIGITS_MAX) return parseRare(bytes, start, end);
  if (at < end) {
    const written = exponentAt(bytes, at, end);
    if (written === undefined) return parseRare(bytes, start, end);
    exponent += written;
  }
  if (exponent < -22 || exponent > 22) return parseRare(bytes, start, end);
  const value = exponent < 0 ? mantissa / POWERS[-exponent] : mantissa * POWERS[exponent];
  return sign === MINUS ? -value : value;
}

/** `e+09` and the like with up to three digits; undefined when it is something else. */
function exponentAt(bytes: Uint8Array, at: number, end: number): number | undefined {
  if ((bytes[at++] | 0x20) !== 0x65) return undefined;
  const isNegative = bytes[at] === MINUS;
  if (isNegative || bytes[at] === PLUS) at++;
  if (at >= end || end - at > 3) return undefined;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return isNegative ? -value : value;
}

const DECIMAL_LENGTH_MAX = 4096;
const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const WORDS: Readonly<Record<string, number>> = {
  nan: NORMAL_NAN,
  inf: Number.POSITIVE_INFINITY,
  '+inf': Number.POSITIVE_INFINITY,
  '-inf': Number.NEGATIVE_INFINITY,
  infinity: Number.POSITIVE_INFINITY,
  '+infinity': Number.POSITIVE_INFINITY,
  '-infinity': Number.NEGATIVE_INFINITY,
};

function parseRare(bytes: Uint8Array, start: number, end: number): number | undefined {
  if (end - start > DECIMAL_LENGTH_MAX) return undefined;
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
  if (!DECIMAL.test(text)) {
    // A record of words has a prototype; only its own are meant.
    const word = text.toLowerCase();
    return Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  }
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

/** The same of a text. */
export function parseGoFloatText(text: string): number | undefined {
  const bytes = Buffer.from(text, 'utf8');
  return parseGoFloat(bytes, 0, bytes.length);
}

/** How OpenMetrics writes the bound of a bucket or a quantile: `1.0`, `0.5`, `1e+06`, `+Inf`. */
export function formatOpenMetricsFloat(value: number): string {
  if (value === 0) return '0.0';
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const text = formatShortest(value);
  return /[e.]/.test(text) ? text : `${text}.0`;
}

/** Go's `%g` with the fewest digits: with an exponent below 1e-4 and from a million on. */
function formatShortest(value: number): string {
  const [digits, exponent] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

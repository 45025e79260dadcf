/** Where a scan ended, and whether what was passed may be a number or a duration. */
export interface Scan {
  readonly end: number;
  readonly kind: 'number' | 'duration' | 'bad';
}

/**
 * Scans a number in any of Go's forms or a duration (`1h30m`) from `start`. What it calls a number is not
 * necessarily one: `parseNumber` decides. For `bad`, `end` shows how far the text made sense.
 */
export function scanNumberOrDuration(text: string, start: number): Scan {
  const number = scanNumber(text, start);
  if (number.complete) return { end: number.end, kind: 'number' };
  return scanDurationUnits(text, number.end);
}

const DECIMAL = '0123456789';
const HEX = '0123456789abcdefABCDEF';

function scanNumber(text: string, start: number): { end: number; complete: boolean } {
  let at = start;
  let digits = DECIMAL;
  const is = (set: string): boolean => at < text.length && set.includes(text[at]);
  const accept = (set: string): boolean => is(set) && ++at > 0;
  const stopped = { complete: false };

  if (accept('0') && accept('xX')) {
    accept('_');
    digits = HEX;
  }
  accept('.');
  accept(digits);
  let dots = 0;
  let exponents = 0;
  while (is(`${digits}._eE`)) {
    if (digits !== HEX && is('eE')) {
      at++;
      if (exponents++ > 0) return { ...stopped, end: at };
      accept('+-');
      if (accept('._eE') || at === text.length) return { ...stopped, end: at };
    } else if (accept('.')) {
      if (dots++ > 0 || accept('_.') || digits === HEX) return { ...stopped, end: at };
    } else if (accept('_')) {
      if (accept('._eE') || at === text.length) return { ...stopped, end: at };
    } else while (accept(digits));
  }
  return { end: at, complete: at > start && !isAlphaNumeric(text, at) };
}

function scanDurationUnits(text: string, start: number): Scan {
  let at = start;
  const is = (set: string): boolean => at < text.length && set.includes(text[at]);
  if (!is('smhdwy')) return { end: at, kind: 'bad' };
  at++;
  if (is('s')) at++;
  while (is(DECIMAL)) {
    while (is(DECIMAL)) at++;
    if (!is('smhdw')) return { end: at, kind: 'bad' };
    at++;
    if (is('s')) at++;
  }
  return isAlphaNumeric(text, at) ? { end: at + 1, kind: 'bad' } : { end: at, kind: 'duration' };
}

/** Whether the character at an index is a letter, a digit or an underscore of ASCII. */
export function isAlphaNumeric(text: string, index: number): boolean {
  return isAlpha(text, index) || isDigit(text, index);
}

export function isAlpha(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || code === 95;
}

export function isDigit(text: string, index: number): boolean {
  const code = text.charCodeAt(index);
  return code >= 48 && code <= 57;
}

const INTEGER = /^(?:0[xX](?:_?[0-9a-fA-F])+|0(?:_?[0-7])*|[1-9](?:_?[0-9])*)$/;
const FLOAT = /^(?:[0-9](?:_?[0-9])*)?\.?(?:[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?$/;
const INT64_MAX = 0x7fff_ffff_ffff_ffffn;

/**
 * The value of a number as Go reads it: a leading zero means octal, `0x` hexadecimal; or why it is none, and what Go then
 * goes on with.
 */
export function parseNumber(text: string): number | { readonly problem: string; readonly value: number } {
  const lower = text.toLowerCase();
  if (lower === 'inf') return Number.POSITIVE_INFINITY;
  if (lower === 'nan') return Number.NaN;
  const plain = text.replaceAll('_', '');
  if (INTEGER.test(text)) {
    const octal = plain.length > 1 && plain[0] === '0' && plain[1].toLowerCase() !== 'x';
    const value = BigInt(octal ? `0o${plain.slice(1)}` : plain);
    if (value <= INT64_MAX) return Number(value);
  }
  if (!FLOAT.test(text) || !/^\.?[0-9]/.test(text))
    return { problem: failed(text, 'invalid syntax'), value: 0 };
  const value = Number(plain);
  return Number.isFinite(value) ? value : { problem: failed(text, 'value out of range'), value };
}

function failed(text: string, why: string): string {
  return `error parsing number: strconv.ParseFloat: parsing ${JSON.stringify(text)}: ${why}`;
}

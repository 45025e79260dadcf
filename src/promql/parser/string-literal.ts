import { describeChar } from './go-text.ts';

/** Where a quoted string ends (behind its closing quote), or why it does not. */
export type StringScan = { readonly end: number } | { readonly problem: string };

/** Scans a string that opens at `start` with `"`, `'` or a backtick, with Go's escapes in the first two. */
export function scanString(text: string, start: number): StringScan {
  const quote = text[start];
  const raw = quote === '`';
  let at = start + 1;
  for (;;) {
    const code = text.codePointAt(at);
    if (code === undefined || (!raw && code === 10))
      return { problem: raw ? 'unterminated raw string' : 'unterminated quoted string' };
    if (code === 0xfffd || (code >= 0xd800 && code <= 0xdfff)) return { problem: 'invalid UTF-8 rune' };
    if (text[at] === quote) return { end: at + 1 };
    if (!raw && code === 92) {
      const escaped = scanEscape(text, at + 1, quote);
      if ('problem' in escaped) return escaped;
      at = escaped.end;
    } else at += code > 0xffff ? 2 : 1;
  }
}

const SIMPLE: ReadonlyMap<string, number> = new Map([
  ['a', 7],
  ['b', 8],
  ['f', 12],
  ['n', 10],
  ['r', 13],
  ['t', 9],
  ['v', 11],
  ['\\', 92],
]);
const HEX_LENGTHS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function scanEscape(text: string, start: number, quote: string): StringScan {
  const char = charAt(text, start);
  if (char === undefined) return { problem: 'escape sequence not terminated' };
  if (SIMPLE.has(char) || char === quote) return { end: start + 1 };
  const octal = char >= '0' && char <= '7';
  const length = octal ? 3 : HEX_LENGTHS[char];
  if (length === undefined) return { problem: `unknown escape sequence ${describeChar(char)}` };
  return scanDigits(
    text,
    octal ? start : start + 1,
    length,
    octal ? 8 : 16,
    octal || char === 'x' ? 255 : 0x10ffff,
  );
}

function scanDigits(text: string, start: number, length: number, base: number, max: number): StringScan {
  let value = 0;
  for (let at = start; at < start + length; at++) {
    const char = charAt(text, at);
    if (char === undefined) return { problem: 'escape sequence not terminated' };
    const digit = /^[0-9a-fA-F]$/.test(char) ? Number.parseInt(char, 16) : 16;
    if (digit >= base) return { problem: `illegal character ${describeChar(char)} in escape sequence` };
    value = value * base + digit;
  }
  if (value > max || (value >= 0xd800 && value < 0xe000))
    return { problem: 'escape sequence is an invalid Unicode code point' };
  return { end: start + length };
}

function charAt(text: string, index: number): string | undefined {
  const code = text.codePointAt(index);
  return code === undefined ? undefined : String.fromCodePoint(code);
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * The value of a scanned string token. `\xNN` and octal escapes are bytes, as in Go. Bytes that are no UTF-8 become
 * lone surrogates U+DC80 … U+DCFF: such a string equals no label, and `isWellFormed()` tells it from a good one.
 */
export function unquote(token: string): string {
  const body = token.slice(1, -1);
  // A raw string loses its carriage returns in Go's source, but not in Prometheus'.
  if (token[0] === '`' || !body.includes('\\')) return body;
  const parts: Uint8Array[] = [];
  let at = 0;
  while (at < body.length) {
    const backslash = body.indexOf('\\', at);
    const end = backslash === -1 ? body.length : backslash;
    if (end > at) parts.push(ENCODER.encode(body.slice(at, end)));
    if (backslash === -1) break;
    at = appendEscape(body, backslash + 1, parts);
  }
  return decodeBytes(joined(parts));
}

/** Appends the bytes of the escape whose letter stands at `at`, and returns the index behind it. */
function appendEscape(body: string, at: number, parts: Uint8Array[]): number {
  const char = body[at];
  const length = HEX_LENGTHS[char];
  if (length !== undefined) {
    const code = Number.parseInt(body.slice(at + 1, at + 1 + length), 16);
    parts.push(char === 'x' ? Uint8Array.of(code) : ENCODER.encode(String.fromCodePoint(code)));
    return at + 1 + length;
  }
  if (char >= '0' && char <= '7') {
    parts.push(Uint8Array.of(Number.parseInt(body.slice(at, at + 3), 8)));
    return at + 3;
  }
  parts.push(Uint8Array.of(SIMPLE.get(char) ?? char.charCodeAt(0)));
  return at + 1;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function decodeBytes(bytes: Uint8Array): string {
  const whole = tryDecode(bytes);
  if (whole !== undefined) return whole;
  let text = '';
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes[at]);
    const char = at + length <= bytes.length ? tryDecode(bytes.subarray(at, at + length)) : undefined;
    text += char ?? String.fromCharCode(0xdc00 + bytes[at]);
    at += char === undefined ? 1 : length;
  }
  return text;
}

function tryDecode(bytes: Uint8Array): string | undefined {
  try {
    return DECODER.decode(bytes);
  } catch {
    return undefined; // Not UTF-8 is an answer here, not an error.
  }
}

/** How long the UTF-8 sequence is that starts with this byte. */
function sequenceLength(lead: number): number {
  if (lead < 0xc0) return 1;
  return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

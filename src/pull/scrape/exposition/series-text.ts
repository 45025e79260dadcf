import { Labels, METRIC_NAME } from '../../../model/labels.ts';
import type { MetricType } from '../../../model/metadata.ts';
import { formatOpenMetricsFloat, parseGoFloatText } from './go-float.ts';
import { failAt } from './parser.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const TAB = 0x09;
const COMMA = 0x2c;
const EQUALS = 0x3d;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;

/** By byte: 1 may begin a label name, 2 may follow, 4 may begin a metric name, 8 may follow. */
const CLASSES = new Uint8Array(256);
for (let byte = 0; byte < 256; byte++) {
  const char = String.fromCharCode(byte);
  if (/[a-zA-Z_]/.test(char)) CLASSES[byte] = 15;
  else if (/[0-9]/.test(char)) CLASSES[byte] = 10;
  else if (char === ':') CLASSES[byte] = 12;
}

/**
 * Reads `name{label="value",…}` in both text formats. Prometheus' own has white space between the parts and line ends in
 * quotes, OpenMetrics (`strict`) has neither. Names in quotes are of version 1.0.0 of either.
 */
export class SeriesText {
  readonly bytes: Uint8Array;
  readonly #strict: boolean;
  at = 0;
  /** Of the metric name; -1 when there is none. */
  nameStart = -1;
  nameEnd = -1;
  /** Start and end of a name and of its value, for each label. */
  readonly pairs: number[] = [];
  duplicate: string | undefined;
  empty: string[] = [];

  constructor(bytes: Uint8Array, strict: boolean) {
    this.bytes = bytes;
    this.#strict = strict;
  }

  skipSpace(): void {
    if (this.#strict) return;
    while (this.bytes[this.at] === SPACE || this.bytes[this.at] === TAB) this.at++;
  }

  /** Moves over a metric name without quotes; false when none stands here. */
  takeName(): boolean {
    const { bytes } = this;
    if ((CLASSES[bytes[this.at]] & 4) === 0) return false;
    this.at++;
    while ((CLASSES[bytes[this.at]] & 8) !== 0) this.at++;
    return true;
  }

  /** Moves over a text in quotes; false when none stands here, or it does not end. */
  takeQuoted(hasNewlines: boolean): boolean {
    const { bytes } = this;
    if (bytes[this.at] !== QUOTE) return false;
    for (let at = this.at + 1; at < bytes.length; at++) {
      const byte = bytes[at];
      if (byte === QUOTE) {
        this.at = at + 1;
        return true;
      }
      if (byte === BACKSLASH) {
        at++;
        if (bytes[at] === NEWLINE) return false;
      } else if (byte === NEWLINE && !hasNewlines) return false;
    }
    return false;
  }

  /** Reads a series; afterwards `at` stands behind its name or closing brace. Throws `bad_data`. */
  readSeries(): void {
    this.pairs.length = 0;
    this.nameStart = -1;
    const start = this.at;
    if (this.takeName()) {
      this.nameStart = start;
      this.nameEnd = this.at;
      const end = this.at;
      this.skipSpace();
      if (this.bytes[this.at] === BRACE_OPEN) this.readBraces(false);
      else this.at = end;
    } else if (this.bytes[this.at] === BRACE_OPEN) this.readBraces(false);
    else this.fail('expected a valid start token');
    if (this.nameStart === -1) this.fail('metric name not set');
  }

  /** Reads labels in braces, of a series or of an exemplar, which has no metric name. */
  readBraces(isExemplar: boolean): void {
    this.at++;
    for (;;) {
      this.skipSpace();
      if (this.bytes[this.at] === BRACE_CLOSE) break;
      this.#readLabel(isExemplar);
    }
    this.at++;
  }

  #readLabel(isExemplar: boolean): void {
    const { bytes } = this;
    const start = this.at;
    const isQuoted = bytes[start] === QUOTE;
    if (isQuoted ? !this.takeQuoted(!isExemplar) : !this.#takeLabelName()) this.fail('expected label name');
    const end = this.at;
    this.skipSpace();
    if (isQuoted && !isExemplar && (bytes[this.at] === COMMA || bytes[this.at] === BRACE_CLOSE)) {
      if (this.nameStart !== -1) this.fail('metric name already set');
      this.nameStart = start + 1;
      this.nameEnd = end - 1;
    } else this.#readValue(isQuoted ? start + 1 : start, isQuoted ? end - 1 : end);
    this.skipSpace();
    if (bytes[this.at] === COMMA) this.at++;
    // Prometheus' own format is read without commas, too.
    else if (this.#strict && bytes[this.at] !== BRACE_CLOSE) this.fail('expected comma or brace close');
  }

  #readValue(nameStart: number, nameEnd: number): void {
    if (this.bytes[this.at] !== EQUALS) this.fail('expected equal');
    this.at++;
    this.skipSpace();
    const start = this.at;
    if (!this.takeQuoted(!this.#strict)) this.fail('expected label value');
    this.pairs.push(nameStart, nameEnd, start + 1, this.at - 1);
  }

  #takeLabelName(): boolean {
    const { bytes } = this;
    if ((CLASSES[bytes[this.at]] & 1) === 0) return false;
    this.at++;
    while ((CLASSES[bytes[this.at]] & 2) !== 0) this.at++;
    return true;
  }

  /** The labels that were read; bounds and quantiles as OpenMetrics writes them. Throws `bad_data` when a text is not UTF-8. */
  labels(type: MetricType): Labels {
    const found = new Map([[METRIC_NAME, this.textOf(this.nameStart, this.nameEnd)]]);
    this.duplicate = undefined;
    this.empty = [];
    for (let i = 0; i < this.pairs.length; i += 4) {
      const name = this.textOf(this.pairs[i], this.pairs[i + 1]);
      if (found.has(name)) this.duplicate = name;
      const value = this.textOf(this.pairs[i + 2], this.pairs[i + 3]);
      if (value === '') this.empty.push(name);
      found.set(name, isNumberLabel(type, name) ? normalNumber(value) : value);
    }
    return Labels.from(found);
  }

  /** The text between two places, escapes undone. */
  textOf(start: number, end: number): string {
    return unescapeText(this.decode(start, end));
  }

  decode(start: number, end: number): string {
    try {
      return decoder.decode(this.bytes.subarray(start, end));
    } catch {
      failAt(this.bytes, start, 'invalid UTF-8');
    }
  }

  fail(message: string): never {
    failAt(this.bytes, Math.min(this.at, Math.max(0, this.bytes.length - 1)), message);
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** `\"`, `\\` and `\n`; other backslashes stay. */
export function unescapeText(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\(["\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

function isNumberLabel(type: MetricType, name: string): boolean {
  return (type === 'histogram' && name === 'le') || (type === 'summary' && name === 'quantile');
}

function normalNumber(text: string): string {
  const value = parseGoFloatText(text);
  return value === undefined ? text : formatOpenMetricsFloat(value);
}

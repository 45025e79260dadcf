import type { Labels } from '../../../model/labels.ts';
import type { MetricType } from '../../../model/metadata.ts';
import { parseGoFloat } from './go-float.ts';
import { EntryKind, type ExposedExemplar, failAt, type TextExpositionParser } from './parser.ts';
import { SeriesText } from './series-text.ts';

const NUL = 0;
const TAB = 0x09;
const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const QUOTE = 0x22;
const ZERO = 0x30;
const BRACE_OPEN = 0x7b;

const TYPES: Readonly<Record<string, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'unknown',
};
const TIMESTAMP_MAX = 2n ** 63n - 1n;

/**
 * Prometheus' text format, 0.0.4 and 1.0.0, with the tolerance of Prometheus' own parser: white space between parts, no
 * line end needed at the end, and nothing is read after a zero byte at the beginning of a line.
 */
export class PrometheusText implements TextExpositionParser {
  readonly #bytes: Uint8Array;
  readonly #series: SeriesText;
  #start = 0;
  #keyStart = 0;
  #keyEnd = 0;
  #isSpaced = false;
  value = 0;
  t = Number.NaN;
  readonly startT = 0;
  readonly histogram = undefined;
  family = '';
  type: MetricType = 'unknown';
  help = '';
  readonly unit = '';

  /** The bytes are not changed while they are read. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#series = new SeriesText(bytes, false);
  }

  get key(): string {
    return latin1(this.#bytes, this.#keyStart, this.#keyEnd);
  }

  text(): string {
    return latin1(this.#bytes, this.#start, this.#series.at);
  }

  get emptyLabels(): readonly string[] {
    return this.#series.empty;
  }

  get duplicateLabel(): string | undefined {
    return this.#series.duplicate;
  }

  labels(): Labels {
    if (this.#isSpaced) failAt(this.#bytes, this.#keyStart, 'white space before a metric name');
    return this.#series.labels(this.type);
  }

  exemplars(): readonly ExposedExemplar[] {
    return [];
  }

  setType(type: MetricType): void {
    this.type = type;
  }

  takeText(text: string): boolean {
    const { at } = this.#series;
    if (!startsWith(this.#bytes, at, text)) return false;
    this.#series.at = at + text.length;
    return true;
  }

  takeSeries(key: string): boolean {
    const bytes = this.#bytes;
    const start = this.#series.at;
    let at = start + key.length;
    if ((bytes[at] !== SPACE && bytes[at] !== TAB) || !startsWith(bytes, start, key)) return false;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    // A name alone is not a name before labels.
    if (bytes[at] === BRACE_OPEN) return false;
    this.#start = start;
    this.#series.at = at;
    this.#readSample();
    return true;
  }

  next(): EntryKind {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    for (;;) {
      this.#start = series.at;
      series.skipSpace();
      const byte = bytes[series.at];
      if (byte === undefined || byte === NUL) return EntryKind.end;
      if (byte === NEWLINE) series.at++;
      else if (byte === HASH) return this.#readComment();
      else break;
    }
    // Prometheus takes space before a name for a part of it, which then is none.
    this.#isSpaced = series.at > this.#start && bytes[series.at] !== BRACE_OPEN;
    this.#keyStart = this.#isSpaced ? this.#start : series.at;
    series.readSeries();
    this.#keyEnd = series.at;
    series.skipSpace();
    this.#readSample();
    return EntryKind.series;
  }

  /** Value, perhaps a timestamp, end of the line; `at` stands before the value. */
  #readSample(): void {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    const start = series.at;
    let at = start;
    while (at < bytes.length && !endsValue(bytes[at])) at++;
    if (at === start) series.fail('expected value after metric');
    const value = parseGoFloat(bytes, start, at);
    if (value === undefined) series.fail(`invalid value ${JSON.stringify(latin1(bytes, start, at))}`);
    this.value = value;
    this.t = Number.NaN;
    series.at = at;
    if (bytes[at] !== NEWLINE && at < bytes.length) this.#readTimestamp();
    this.#endLine('expected timestamp or new record');
  }

  #readTimestamp(): void {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    series.skipSpace();
    const start = series.at;
    let t = 0;
    let { at } = series;
    for (; bytes[at] - ZERO >= 0 && bytes[at] - ZERO <= 9; at++) t = t * 10 + bytes[at] - ZERO;
    if (at === start) return;
    if (at - start > 18 && BigInt(latin1(bytes, start, at)) > TIMESTAMP_MAX)
      series.fail('value out of range of a timestamp');
    this.t = Math.min(t, Number.MAX_SAFE_INTEGER);
    series.at = at;
    series.skipSpace();
  }

  #endLine(message: string): void {
    const series: SeriesText = this.#series;
    if (series.at >= this.#bytes.length) return;
    if (this.#bytes[series.at] !== NEWLINE) series.fail(message);
    series.at++;
  }

  /** `# HELP`, `# TYPE`, or a comment; a comment with a zero byte ends the exposition. */
  #readComment(): EntryKind {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    series.at++;
    const afterHash = series.at;
    series.skipSpace();
    const isMeta = series.at > afterHash;
    for (const [word, kind] of [
      ['HELP', EntryKind.help],
      ['TYPE', EntryKind.type],
    ] as const) {
      const end = series.at + word.length;
      if (isMeta && startsWith(bytes, series.at, word) && (bytes[end] === SPACE || bytes[end] === TAB)) {
        series.at = end;
        return this.#readMeta(kind);
      }
    }
    const end = lineEnd(bytes, series.at);
    if (bytes.subarray(series.at, end).includes(NUL)) return EntryKind.end;
    series.at = Math.min(end + 1, bytes.length);
    return EntryKind.comment;
  }

  #readMeta(kind: typeof EntryKind.help | typeof EntryKind.type): EntryKind {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    series.skipSpace();
    const start = series.at;
    const isQuoted = bytes[start] === QUOTE;
    if (isQuoted ? !series.takeQuoted(true) : !series.takeName())
      series.fail(`expected metric name after ${kind === EntryKind.help ? 'HELP' : 'TYPE'}`);
    this.family = isQuoted ? series.textOf(start + 1, series.at - 1) : latin1(bytes, start, series.at);
    const end = lineEnd(bytes, series.at);
    // The first character after the name is not looked at; white space alone is no text.
    const isBlank = latin1(bytes, series.at, end).trimEnd() === '';
    const textStart = isBlank ? end : Math.min(series.at + 1, end);
    if (kind === EntryKind.help) this.help = unescapeHelp(series.decode(textStart, end));
    else this.#readType(latin1(bytes, textStart, end));
    series.at = Math.min(end + 1, bytes.length);
    return kind;
  }

  #readType(text: string): void {
    if (!Object.hasOwn(TYPES, text))
      failAt(this.#bytes, this.#start, `invalid metric type ${JSON.stringify(text)}`);
    this.type = TYPES[text];
  }
}

function endsValue(byte: number): boolean {
  return byte === SPACE || byte === NEWLINE || byte === TAB || byte === BRACE_OPEN;
}

/** The text as one character per byte. */
export function latin1(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('latin1');
}

/** Whether the characters of a text, one byte each, stand at `at`. */
export function startsWith(bytes: Uint8Array, at: number, text: string): boolean {
  const { length } = text;
  if (at + length > bytes.length) return false;
  // What differs between series is mostly at the end.
  for (let i = length - 1; i >= 0; i--) if (bytes[at + i] !== text.charCodeAt(i)) return false;
  return true;
}

/** The place of the next line end, or the end of the bytes. */
export function lineEnd(bytes: Uint8Array, at: number): number {
  const found = bytes.indexOf(NEWLINE, at);
  return found === -1 ? bytes.length : found;
}

function unescapeHelp(text: string): string {
  if (!text.includes('\\')) return text;
  return text.replace(/\\([\\n])/g, (_, char: string) => (char === 'n' ? '\n' : char));
}

import { Labels } from '../../../model/labels.ts';
import { METRIC_TYPES, type MetricType } from '../../../model/metadata.ts';
import { parseGoFloat } from './go-float.ts';
import { EntryKind, type ExposedExemplar, failAt, type TextExpositionParser } from './parser.ts';
import { latin1, lineEnd, startsWith } from './prometheus-text.ts';
import { SeriesText, unescapeText } from './series-text.ts';

const NEWLINE = 0x0a;
const SPACE = 0x20;
const HASH = 0x23;
const QUOTE = 0x22;
const BRACE_OPEN = 0x7b;

const TYPES: ReadonlySet<string> = new Set(METRIC_TYPES);
const META = { HELP: EntryKind.help, TYPE: EntryKind.type, UNIT: EntryKind.unit } as const;

/** OpenMetrics text 0.0.1 and 1.0.0: single spaces, seconds, exemplars, units, and `# EOF` at the end. */
export class OpenMetricsText implements TextExpositionParser {
  readonly #bytes: Uint8Array;
  readonly #series: SeriesText;
  readonly #exemplar: SeriesText;
  #start = 0;
  #keyStart = 0;
  #keyEnd = 0;
  #hasExemplar = false;
  #exemplarValue = 0;
  #exemplarT = Number.NaN;
  value = 0;
  t = Number.NaN;
  readonly startT = 0;
  readonly histogram = undefined;
  family = '';
  type: MetricType = 'unknown';
  help = '';
  unit = '';

  /** The bytes are not changed while they are read. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#series = new SeriesText(bytes, true);
    this.#exemplar = new SeriesText(bytes, true);
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
    return this.#series.labels(this.type);
  }

  exemplars(): readonly ExposedExemplar[] {
    if (!this.#hasExemplar) return [];
    const { pairs } = this.#exemplar;
    const labels: [string, string][] = [];
    for (let i = 0; i < pairs.length; i += 4)
      labels.push([
        this.#exemplar.textOf(pairs[i], pairs[i + 1]),
        this.#exemplar.textOf(pairs[i + 2], pairs[i + 3]),
      ]);
    const t = Number.isNaN(this.#exemplarT) ? undefined : this.#exemplarT;
    return [{ labels: Labels.from(labels), value: this.#exemplarValue, t }];
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
    const at = start + key.length;
    if (bytes[at] !== SPACE || !startsWith(bytes, start, key)) return false;
    this.#start = start;
    this.#series.at = at;
    this.#readSample();
    return true;
  }

  next(): EntryKind {
    const series: SeriesText = this.#series;
    this.#start = series.at;
    const byte = this.#bytes[series.at];
    if (byte === undefined) this.#failEnd();
    if (byte === HASH) return this.#readMeta();
    this.#keyStart = series.at;
    series.readSeries();
    this.#keyEnd = series.at;
    this.#readSample();
    return EntryKind.series;
  }

  /** Value, perhaps a timestamp, perhaps an exemplar, end of the line. */
  #readSample(): void {
    this.value = this.#readFloat('expected value after metric');
    this.t = Number.NaN;
    this.#hasExemplar = false;
    const bytes = this.#bytes;
    if (bytes[this.#series.at] === SPACE && !this.#beginsExemplar()) this.t = this.#readSeconds();
    if (this.#beginsExemplar()) this.#readExemplar();
    this.#endLine();
  }

  #beginsExemplar(): boolean {
    const { at } = this.#series;
    const bytes = this.#bytes;
    return (
      bytes[at] === SPACE && bytes[at + 1] === HASH && bytes[at + 2] === SPACE && bytes[at + 3] === BRACE_OPEN
    );
  }

  #readExemplar(): void {
    const exemplar = this.#exemplar;
    exemplar.pairs.length = 0;
    exemplar.at = this.#series.at + 3;
    exemplar.readBraces(true);
    this.#series.at = exemplar.at;
    this.#hasExemplar = true;
    this.#exemplarValue = this.#readFloat('expected value after exemplar labels');
    this.#exemplarT = this.#bytes[this.#series.at] === SPACE ? this.#readSeconds() : Number.NaN;
  }

  /** A space and a float. */
  #readFloat(message: string): number {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    if (bytes[series.at] !== SPACE) series.fail(message);
    const start = series.at + 1;
    let at = start;
    while (at < bytes.length && bytes[at] !== SPACE && bytes[at] !== NEWLINE) at++;
    if (at === start) series.fail(message);
    const value = parseGoFloat(bytes, start, at);
    if (value === undefined) series.fail(`invalid value ${JSON.stringify(latin1(bytes, start, at))}`);
    series.at = at;
    return value;
  }

  /** As ms, cut; times beyond what a number holds exactly are as far as it goes. */
  #readSeconds(): number {
    const seconds = this.#readFloat('expected timestamp');
    if (!Number.isFinite(seconds)) this.#series.fail(`invalid timestamp ${seconds}`);
    const ms = Math.trunc(seconds * 1000) + 0;
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(ms, Number.MAX_SAFE_INTEGER));
  }

  #endLine(): void {
    const series: SeriesText = this.#series;
    if (series.at >= this.#bytes.length) this.#failEnd();
    if (this.#bytes[series.at] !== NEWLINE) series.fail('expected next entry after the sample');
    series.at++;
  }

  #readMeta(): EntryKind {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    if (bytes[series.at + 1] !== SPACE) series.fail('expected a valid start token');
    const word = latin1(bytes, series.at + 2, Math.min(series.at + 6, bytes.length));
    if (word.startsWith('EOF')) return this.#readEnd();
    if (!Object.hasOwn(META, word) || bytes[series.at + 6] !== SPACE)
      series.fail('expected # HELP, # TYPE, # UNIT or # EOF');
    series.at += 7;
    return this.#readMetaText(word as keyof typeof META);
  }

  #readEnd(): EntryKind {
    const series: SeriesText = this.#series;
    series.at += 5;
    if (this.#bytes[series.at] === NEWLINE) series.at++;
    if (series.at < this.#bytes.length) series.fail('unexpected data after # EOF');
    return EntryKind.end;
  }

  #readMetaText(word: keyof typeof META): EntryKind {
    const series: SeriesText = this.#series;
    const bytes = this.#bytes;
    const start = series.at;
    const isQuoted = bytes[start] === QUOTE;
    if (isQuoted ? !series.takeQuoted(true) : !series.takeName())
      series.fail(`expected metric name after ${word}`);
    this.family = isQuoted ? series.textOf(start + 1, series.at - 1) : latin1(bytes, start, series.at);
    const end = lineEnd(bytes, series.at);
    if (bytes[series.at] !== SPACE || end === bytes.length) series.fail(`expected text in ${word}`);
    const text = series.decode(series.at + 1, end);
    if (word === 'HELP') this.help = unescapeText(text);
    else if (word === 'TYPE') this.#readType(text);
    else this.#readUnit(text);
    series.at = end + 1;
    return META[word];
  }

  #readType(text: string): void {
    if (!TYPES.has(text)) failAt(this.#bytes, this.#start, `invalid metric type ${JSON.stringify(text)}`);
    this.type = text as MetricType;
  }

  #readUnit(text: string): void {
    if (text !== '' && !this.family.endsWith(`_${text}`))
      failAt(
        this.#bytes,
        this.#start,
        `unit ${JSON.stringify(text)} not a suffix of metric ${JSON.stringify(this.family)}`,
      );
    this.unit = text;
  }

  #failEnd(): never {
    failAt(this.#bytes, Math.max(0, this.#bytes.length - 1), 'data does not end with # EOF');
  }
}

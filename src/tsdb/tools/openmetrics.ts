import { VeronaError } from '../../model/errors.ts';
import { Labels } from '../../model/labels.ts';

/** One sample line. `t` in ms; undefined when the line has no timestamp. */
export interface OpenMetricsSample {
  readonly labels: Labels;
  readonly value: number;
  readonly t: number | undefined;
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL_NAME = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const STRING = /"((?:[^"\\\n]|\\.)*)"/y;
const NUMBER = /[+-]?(?:Inf(?:inity)?|NaN|0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![^ ])/iy;
const METADATA = /^# (?:HELP|TYPE|UNIT) \S+(?: |$)/;

/**
 * Reads OpenMetrics text line by line: `line` gives the sample of a line, undefined for metadata; `finish` makes sure
 * that `# EOF` was there. Exemplars are skipped. Throws `bad_data` with the line number.
 */
export class OpenMetricsParser {
  #lineNumber = 0;
  #ended = false;
  #text = '';
  #at = 0;

  line(text: string): OpenMetricsSample | undefined {
    this.#lineNumber++;
    this.#at = 0;
    if (this.#ended) throw this.#wrong('text after # EOF');
    if (text === '# EOF') {
      this.#ended = true;
      return undefined;
    }
    if (text.startsWith('#')) {
      if (!METADATA.test(text)) throw this.#wrong('expected # HELP, # TYPE, # UNIT or # EOF');
      return undefined;
    }
    if (text === '') throw this.#wrong('empty line');
    this.#text = text;
    return this.#sample();
  }

  finish(): void {
    this.#at = 0;
    if (!this.#ended) throw this.#wrong('the text does not end with # EOF');
  }

  #sample(): OpenMetricsSample {
    const pairs: [string, string][] = [];
    const name = this.#take(NAME);
    if (name !== undefined) pairs.push(['__name__', name]);
    if (this.#text[this.#at] === '{') this.#labels(pairs);
    if (!pairs.some(([label]) => label === '__name__')) throw this.#wrong('expected a metric name');
    this.#space();
    const value = parseNumber(this.#need(NUMBER, 'a value'));
    const t = this.#timestamp();
    const names = new Set(pairs.map(([label]) => label));
    if (names.size < pairs.length) throw this.#wrong('a label occurs twice');
    return { labels: Labels.from(pairs), value, t };
  }

  #labels(pairs: [string, string][]): void {
    this.#at++;
    while (this.#text[this.#at] !== '}') {
      const quoted = this.#take(STRING);
      const name = quoted !== undefined ? unquote(quoted) : this.#need(LABEL_NAME, 'a label name');
      if (this.#text[this.#at] === '=') {
        this.#at++;
        pairs.push([name, unquote(this.#need(STRING, 'a label value in quotes'))]);
      } else if (quoted !== undefined) pairs.push(['__name__', name]);
      else throw this.#wrong('expected = after a label name');
      if (this.#text[this.#at] === ',') this.#at++;
      else if (this.#text[this.#at] !== '}') throw this.#wrong('expected , or } after a label');
    }
    this.#at++;
  }

  #timestamp(): number | undefined {
    if (this.#at === this.#text.length) return undefined;
    this.#space();
    if (this.#text[this.#at] === '#') return undefined;
    const seconds = parseNumber(this.#need(NUMBER, 'a timestamp'));
    const t = Math.trunc(seconds * 1000);
    if (!Number.isSafeInteger(t)) throw this.#wrong(`timestamp ${seconds} out of range`);
    const rest = this.#text.slice(this.#at);
    if (rest !== '' && !rest.startsWith(' # {')) throw this.#wrong('unexpected text after the timestamp');
    return t;
  }

  #space(): void {
    if (this.#text[this.#at] !== ' ') throw this.#wrong('expected a space');
    this.#at++;
  }

  #take(token: RegExp): string | undefined {
    token.lastIndex = this.#at;
    const match = token.exec(this.#text);
    if (!match) return undefined;
    this.#at = token.lastIndex;
    return match[1] ?? match[0];
  }

  #need(token: RegExp, what: string): string {
    const text = this.#take(token);
    if (text === undefined) throw this.#wrong(`expected ${what}`);
    return text;
  }

  #wrong(what: string): VeronaError {
    const column = this.#at > 0 ? `, column ${this.#at + 1}` : '';
    return new VeronaError('bad_data', `line ${this.#lineNumber}${column}: ${what}`);
  }
}

function unquote(text: string): string {
  return text.replace(/\\(.)/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

function parseNumber(text: string): number {
  if (/nan/i.test(text)) return Number.NaN;
  if (/inf/i.test(text)) return text.startsWith('-') ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(text);
}

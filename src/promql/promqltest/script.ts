import { parseDuration } from '../../model/duration.ts';
import { VeronaError, wrapError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { unquote } from '../parser/string-literal.ts';
import { classicToNative } from './classic-to-native.ts';
import { parseSeriesDescription, type SeriesValue } from './series-description.ts';
import { parseStartTimes } from './start-times.ts';

/** Exactly one of `v` and `histogram` is there. Times in ms. */
export interface LoadedSample {
  readonly t: number;
  readonly v: number | undefined;
  readonly histogram: FloatHistogram | undefined;
  readonly startT: number | undefined;
}

export interface LoadedSeries {
  readonly labels: Labels;
  readonly samples: readonly LoadedSample[];
}

export type Command =
  | { readonly kind: 'clear'; readonly line: number }
  | { readonly kind: 'load'; readonly line: number; readonly series: readonly LoadedSeries[] }
  | Evaluation;

/** A query with the answer it must give. Times in ms; `end` and `step` of an instant query are those of its `expect range vector`. */
export interface Evaluation {
  readonly kind: 'eval';
  /** From 1. */
  readonly line: number;
  readonly query: string;
  readonly mode: 'instant' | 'range';
  readonly start: number;
  readonly end: number;
  readonly step: number;
  readonly expects: readonly Expectation[];
  readonly scalar: number | undefined;
  /** Expected string; undefined when none was written. */
  readonly string: string | undefined;
  readonly isRangeVector: boolean;
  readonly series: readonly { readonly labels: Labels; readonly values: readonly SeriesValue[] }[];
}

export interface Expectation {
  readonly what: 'ordered' | 'fail' | 'warn' | 'no_warn' | 'info' | 'no_info';
  readonly matches: (message: string) => boolean;
  /** As written, for the report. */
  readonly text: string;
  /** The old forms (`eval_warn`) only ask that there be one; they do not forbid others. */
  readonly isLoose: boolean;
}

/** Reads a script of Prometheus' test language. Throws `bad_data` with the line. */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => (line.trim().startsWith('#') ? '' : line.trim()));
  const commands: Command[] = [];
  let i = 0;
  while (i < lines.length) {
    const first = i++;
    if (lines[first] === '') continue;
    const word = lines[first].split(/[\t ]/, 1)[0].toLowerCase();
    const isBlock = word.startsWith('load') || word.startsWith('eval');
    while (isBlock && i < lines.length && lines[i] !== '') i++;
    commands.push(located(first + 1, () => parseCommand(word, lines.slice(first, i), first + 1)));
  }
  return commands;
}

function located<T>(line: number, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw wrapError(`line ${line}`, cause, 'bad_data');
  }
}

function parseCommand(word: string, block: readonly string[], line: number): Command {
  if (word === 'clear') return { kind: 'clear', line };
  if (word.startsWith('load')) return parseLoad(block, line);
  if (word.startsWith('eval')) return parseEvaluation(block, line);
  throw bad(`invalid command ${JSON.stringify(block[0])}`);
}

function parseLoad([head, ...body]: readonly string[], line: number): Command {
  const match = /^load(_with_nhcb)?\s+(.+?)$/.exec(head);
  if (match === null) throw bad('expected load[_with_nhcb] <step>');
  const step = duration(match[2]);
  // A series written twice counts as it was written last.
  const byLabels = new Map<string, LoadedSeries>();
  let startTimes: { metric: string; offsets: readonly (number | undefined)[] } | undefined;
  for (const text of body) {
    const [metric] = text.split(/[ \t]/, 1);
    if (metric.endsWith('@st')) {
      startTimes = { metric: metric.slice(0, -3), offsets: parseStartTimes(text.slice(metric.length)) };
      continue;
    }
    const { labels, values } = parseSeriesDescription(text);
    if (
      startTimes !== undefined &&
      (startTimes.metric !== metric || startTimes.offsets.length !== values.length)
    )
      throw bad(`the start times before ${metric} are of another series, or of another number`);
    byLabels.set(labels.key(), { labels, samples: toSamples(values, step, startTimes?.offsets) });
    startTimes = undefined;
  }
  const series = [...byLabels.values()];
  return { kind: 'load', line, series: match[1] ? [...series, ...classicToNative(series)] : series };
}

function toSamples(
  values: readonly SeriesValue[],
  step: number,
  offsets: readonly (number | undefined)[] | undefined,
): LoadedSample[] {
  return values.flatMap((value, i): LoadedSample[] => {
    if (value.kind === 'omitted') return [];
    const t = i * step;
    const offset = offsets?.[i];
    const v = value.kind === 'float' ? value.value : undefined;
    const histogram = value.kind === 'histogram' ? value.histogram : undefined;
    return [{ t, v, histogram, startT: offset === undefined ? undefined : t + offset }];
  });
}

const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;
const RANGE_VECTOR = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/;

function parseEvaluation([head, ...body]: readonly string[], line: number): Evaluation {
  const { old, ...timing } = parseHead(head);
  const expects: Expectation[] = old === undefined ? [] : [looseExpectation(old)];
  const series: { labels: Labels; values: readonly SeriesValue[] }[] = [];
  let evaluation: Evaluation = {
    kind: 'eval',
    line,
    ...timing,
    expects,
    series,
    scalar: undefined,
    string: undefined,
    isRangeVector: false,
  };
  for (const text of body) {
    const rangeVector = RANGE_VECTOR.exec(text);
    const legacyFail = /^expected_fail_(message|regexp)\s+(.*)$/.exec(text);
    if (rangeVector !== null) {
      const [start, end, step] = rangeVector.slice(1).map(duration);
      evaluation = { ...evaluation, start, end, step, isRangeVector: true };
    } else if (text.startsWith('expect string')) {
      evaluation = { ...evaluation, string: unquote(text.slice('expect string'.length).trim()) };
    } else if (legacyFail !== null) {
      expects.push(expectation('fail', legacyFail[1] === 'message' ? 'msg' : 'regex', legacyFail[2]));
    } else if (/^expect(?:\s|$)/.test(text)) expects.push(parseExpectation(text));
    else if (NUMBER_LINE.test(text)) evaluation = { ...evaluation, scalar: numberOf(text) };
    else series.push(parseSeriesDescription(text));
  }
  return evaluation;
}

function parseHead(head: string) {
  const instant = INSTANT.exec(head);
  if (instant !== null) {
    const [, old, at, query] = instant;
    const start = duration(at);
    return { old, query, mode: 'instant' as const, start, end: start, step: 0 };
  }
  const range = RANGE.exec(head);
  if (range === null)
    throw bad('expected eval instant at <t> <query> or eval range from <t> to <t> step <d> <query>');
  const [, old, from, to, by, query] = range;
  const [start, end, step] = [from, to, by].map(duration);
  if (end < start) throw bad('the end is before the start');
  return { old, query, mode: 'range' as const, start, end, step };
}

const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;

function parseExpectation(text: string): Expectation {
  const match = EXPECT.exec(text);
  if (match === null) throw bad(`expected expect <type> [msg|regex: <text>], got ${JSON.stringify(text)}`);
  return expectation(match[1] as Expectation['what'], match[2], match[3]?.trim() ?? '');
}

function expectation(what: Expectation['what'], kind: string | undefined, text: string): Expectation {
  const base = { what, text, isLoose: false };
  if (kind === undefined) return { ...base, matches: () => true };
  if (kind === 'msg') return { ...base, matches: (message) => message === text };
  const regex = new RegExp(text, 's');
  return { ...base, matches: (message) => regex.test(message) };
}

function looseExpectation(old: string): Expectation {
  return { what: old as Expectation['what'], text: `eval_${old}`, isLoose: true, matches: () => true };
}

const NUMBER_LINE = /^[+-]?(?:inf|nan|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|0x[\da-f]+)$/i;

function numberOf(text: string): number {
  if (/inf$/i.test(text)) return text[0] === '-' ? -Infinity : Infinity;
  return /nan$/i.test(text) ? Number.NaN : Number(text.replaceAll('_', ''));
}

function duration(text: string | undefined): number {
  const ms = parseDuration(text ?? '');
  if (ms === undefined) throw bad(`invalid duration ${JSON.stringify(text)}`);
  return ms;
}

function bad(message: string): VeronaError {
  return new VeronaError('bad_data', message);
}

import { parseDuration } from '../../model/duration.ts';
import { VeronaError, wrapError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { matchesSomewhere } from '../../model/regex-replace.ts';
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
    while (isBlock && i < lines.length && lines[i] !== '') if (endsBlock(word, lines[i++])) break;
    commands.push(parseCommand(word, lines.slice(first, i), first + 1));
  }
  return commands;
}

/** Nothing follows an expected number, or the old form of an expected failure: what comes next is another command. */
function endsBlock(word: string, line: string): boolean {
  if (word === 'eval_fail' && line.startsWith('expected_fail_')) return true;
  return word.startsWith('eval') && NUMBER_LINE.test(line);
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
  return located(line, () => {
    throw bad(`invalid command ${JSON.stringify(block[0])}`);
  });
}

function parseLoad([head, ...body]: readonly string[], line: number): Command {
  const { step, withNative } = located(line, () => parseLoadHead(head));
  // A series written twice counts as it was written last.
  const byLabels = new Map<string, LoadedSeries>();
  let startTimes: StartTimes | undefined;
  let usual: StartTimes['offsets'] = [];
  for (const [i, text] of body.entries())
    located(line + 1 + i, () => {
      const next = parseStartTimesLine(text);
      if (next !== undefined && startTimes !== undefined) throw bad(LONELY_START_TIMES);
      if (next?.labels === undefined && next !== undefined) {
        usual = next.offsets;
        return;
      }
      const series = next === undefined ? parseLoaded(text, step, startTimes, usual) : undefined;
      if (series !== undefined) byLabels.set(series.labels.key(), series);
      startTimes = next;
    });
  if (startTimes !== undefined)
    located(line + body.length, () => {
      throw bad(LONELY_START_TIMES);
    });
  const series = [...byLabels.values()];
  if (!withNative) return { kind: 'load', line, series };
  return { kind: 'load', line, series: [...series, ...located(line, () => classicToNative(series))] };
}

const LONELY_START_TIMES = 'start times (@st) without a line of samples below them';

function parseLoadHead(head: string): { step: number; withNative: boolean } {
  const match = /^load(_with_nhcb)?\s+(.+?)$/.exec(head);
  if (match === null) throw bad(`expected load[_with_nhcb] <step>, got ${JSON.stringify(head)}`);
  return { step: duration(match[2]), withNative: match[1] !== undefined };
}

interface StartTimes {
  /** Undefined: of all series below that have none of their own, over and over. */
  readonly labels: Labels | undefined;
  /** One per sample, relative to its time; undefined where there is no sample or no start time. */
  readonly offsets: readonly (number | undefined)[];
}

/** Undefined when the line is none of start times, `metric{labels}@st …` or `@st …`. */
function parseStartTimesLine(text: string): StartTimes | undefined {
  const [metric] = text.split(/[ \t]/, 1);
  if (!metric.endsWith('@st') || metric.length === text.length) return undefined;
  const labels = metric === '@st' ? undefined : parseSeriesDescription(`${metric.slice(0, -3)} _`).labels;
  return { labels, offsets: parseStartTimes(text.slice(metric.length)) };
}

function parseLoaded(
  text: string,
  step: number,
  startTimes: StartTimes | undefined,
  usual: StartTimes['offsets'],
): LoadedSeries {
  const { labels, values } = parseSeriesDescription(text);
  if (startTimes !== undefined && startTimes.labels?.key() !== labels.key())
    throw bad(`the start times above are of ${startTimes.labels}, not of ${labels}`);
  if (startTimes !== undefined && startTimes.offsets.length !== values.length)
    throw bad(`${startTimes.offsets.length} start times, but ${values.length} samples`);
  const offsetOf = (i: number) =>
    startTimes === undefined ? usual[i % usual.length] : startTimes.offsets[i];
  return { labels, samples: toSamples(values, step, offsetOf) };
}

function toSamples(
  values: readonly SeriesValue[],
  step: number,
  offsetOf: (i: number) => number | undefined,
): LoadedSample[] {
  return values.flatMap((value, i): LoadedSample[] => {
    if (value.kind === 'omitted') return [];
    const t = i * step;
    const offset = offsetOf(i);
    const v = value.kind === 'float' ? value.value : undefined;
    const histogram = value.kind === 'histogram' ? value.histogram : undefined;
    return [{ t, v, histogram, startT: offset === undefined ? undefined : t + offset }];
  });
}

const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;
const RANGE_VECTOR = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/;

function parseEvaluation([head, ...body]: readonly string[], line: number): Evaluation {
  const { old, ...timing } = located(line, () => parseHead(head));
  let evaluation: Evaluation = {
    kind: 'eval',
    line,
    ...timing,
    expects: old === undefined ? [] : [looseExpectation(old)],
    series: [],
    scalar: undefined,
    string: undefined,
    isRangeVector: false,
  };
  for (const [i, text] of body.entries())
    evaluation = located(line + 1 + i, () => withLine(evaluation, text));
  return evaluation;
}

/** The evaluation with what one more line below it demands. */
function withLine(evaluation: Evaluation, text: string): Evaluation {
  const legacyFail = /^expected_fail_(message|regexp)\s+(.*)$/.exec(text);
  if (text.startsWith('expect range vector')) return withRangeVector(evaluation, text);
  if (text.startsWith('expect string'))
    return { ...evaluation, string: stringLiteral(text.slice('expect string'.length).trim()) };
  if (legacyFail !== null && has(evaluation, 'fail'))
    return withExpectation(
      { ...evaluation, expects: [] },
      expectation('fail', legacyFail[1] === 'message' ? 'msg' : 'regex', legacyFail[2].trim()),
    );
  if (/^expect(?:\s|$)/.test(text)) return withExpectation(evaluation, parseExpectation(text));
  if (NUMBER_LINE.test(text)) return { ...evaluation, scalar: numberOf(text) };
  const series = parseSeriesDescription(text);
  if (evaluation.mode === 'instant' && !evaluation.isRangeVector && series.values.length > 1)
    throw bad(
      'several values for an instant query; "expect range vector from <t> to <t> step <d>" says that it gives a range vector',
    );
  return { ...evaluation, series: [...evaluation.series, series] };
}

function has({ expects }: Evaluation, what: Expectation['what']): boolean {
  return expects.some((one) => one.what === what);
}

function withExpectation(evaluation: Evaluation, added: Expectation): Evaluation {
  const next = { ...evaluation, expects: [...evaluation.expects, added] };
  for (const what of ['warn', 'info'] as const)
    if (has(next, what) && has(next, `no_${what}`))
      throw bad(`expect ${what} and expect no_${what} together`);
  if (next.expects.filter(({ what, isLoose }) => what === 'fail' && !isLoose).length > 1)
    throw bad('expect fail more than once');
  return next;
}

function withRangeVector(evaluation: Evaluation, text: string): Evaluation {
  const match = RANGE_VECTOR.exec(text);
  if (match === null)
    throw bad(`expected expect range vector from <t> to <t> step <d>, got ${JSON.stringify(text)}`);
  const [start, end, step] = match.slice(1).map(duration);
  if (end < start) throw bad('the end is before the start');
  return { ...evaluation, start, end, step, isRangeVector: true };
}

function stringLiteral(text: string): string {
  if (!/^(?:"(?:[^"\\]|\\.)*"|`[^`]*`)$/.test(text))
    throw bad(
      `expected expect string followed by a string in double or back quotes, got ${JSON.stringify(text)}`,
    );
  return unquote(text);
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
    throw bad(
      `expected eval instant at <t> <query> or eval range from <t> to <t> step <d> <query>, got ${JSON.stringify(head)}`,
    );
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
  matchesSomewhere(text, ''); // Throws when it is no regular expression.
  return { ...base, matches: (message) => matchesSomewhere(text, message) };
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

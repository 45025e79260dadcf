import type { Exemplar } from '../model/exemplar.ts';
import { Matcher, type MatchType, matcherKey } from '../model/matcher.ts';
import type { LabelRequest, SelectHints, SelectRequest } from '../storage/querier.ts';
import type { PackedSlice } from './head/head-slice.ts';

export interface PlainMatcher {
  readonly type: MatchType;
  readonly name: string;
  readonly value: string;
}

/** A select as plain data. */
interface PlainSelect {
  readonly matchers: readonly PlainMatcher[];
  readonly mint: number;
  readonly maxt: number;
  readonly sorted: boolean;
  readonly hints: SelectHints | undefined;
}

type PlainLabelRequest = Omit<LabelRequest, 'matchers'> & { readonly matchers: readonly PlainMatcher[] };

/** What a query thread asks the thread of the head. */
export type HeadAsk =
  | { readonly op: 'select'; readonly cursor: number; readonly select: PlainSelect }
  | { readonly op: 'next'; readonly cursor: number }
  | { readonly op: 'close'; readonly cursor: number }
  | { readonly op: 'labelNames'; readonly request: PlainLabelRequest }
  | { readonly op: 'labelValues'; readonly name: string; readonly request: PlainLabelRequest }
  | {
      readonly op: 'exemplars';
      readonly matcherSets: readonly (readonly PlainMatcher[])[];
      readonly mint: number;
      readonly maxt: number;
    };

export type PlainExemplars = readonly {
  labels: readonly string[];
  exemplars: readonly (Omit<Exemplar, 'labels'> & { labels: readonly string[] })[];
}[];

/** Something a query may ask of a head again, at other times. */
export type LastingAsk = { readonly mint: number; readonly maxt: number } & (
  | { readonly op: 'select'; readonly request: SelectRequest }
  | { readonly op: 'labelNames'; readonly request: LabelRequest }
  | { readonly op: 'labelValues'; readonly name: string; readonly request: LabelRequest }
);

/** An answer that goes along with a query which is likely to ask for it. */
export interface ReadyAnswer {
  /** `askKey` of what it answers. */
  readonly key: string;
  /** The only slice of a select; undefined when it gives nothing. */
  readonly slice?: PackedSlice;
  /** Names or values, as a JSON array: as one text they go to another thread in a tenth of the time. */
  readonly texts?: string;
}

/** Elements of the flat list per answer: key, texts, isLast, deletions, and the four sizes and the memory of a packed gather. */
const READY_PARTS = 9;

/** Answers as one flat list, to go to another thread: as objects in objects they take seven times as long. */
export function packReady(answers: readonly ReadyAnswer[]): readonly unknown[] {
  const packed: unknown[] = [];
  for (const { key, texts, slice } of answers) {
    packed.push(key, texts, slice?.isLast, slice?.deletions);
    const gather = slice?.packed;
    packed.push(gather?.series, gather?.chunks, gather?.labelBytes, gather?.dataBytes, gather?.memory);
  }
  return packed;
}

export function unpackReady(packed: readonly unknown[] = []): ReadyAnswer[] {
  const answers: ReadyAnswer[] = [];
  const from = packed as readonly never[];
  for (let i = 0; i < from.length; i += READY_PARTS) {
    const [key, texts] = [from[i], from[i + 1]];
    const sizes = {
      series: from[i + 4],
      chunks: from[i + 5],
      labelBytes: from[i + 6],
      dataBytes: from[i + 7],
    };
    const gather = { ...sizes, memory: from[i + 8] };
    const hasSlice = gather.memory !== undefined;
    answers.push({
      key,
      ...(texts !== undefined && { texts }),
      ...(hasSlice && { slice: { packed: gather, deletions: from[i + 3], isLast: from[i + 2] } }),
    });
  }
  return answers;
}

/** Equal asks have equal keys; `of` is `shapeOfSelect` or `shapeOfLabels`. */
export function askKey(shape: string, mint: number, maxt: number): string {
  return `${mint} ${maxt} ${shape}`;
}

/** A select but for its times. */
export function shapeOfSelect({
  matchers,
  sorted,
  hints,
}: Pick<SelectRequest, 'matchers' | 'sorted' | 'hints'>) {
  return `${sorted ? 's' : 'u'}${keysOf(matchers)}${hints === undefined ? '' : JSON.stringify(hints)}`;
}

/** A request for names, or for the values of a label, but for its times. */
export function shapeOfLabels(name: string | undefined, { matchers, limit }: LabelRequest): string {
  return `${name === undefined ? 'names' : `values ${JSON.stringify(name)}`} ${limit} ${keysOf(matchers)}`;
}

function keysOf(matchers: readonly PlainMatcher[]): string {
  let keys = '';
  for (const matcher of matchers) keys += matcherKey(matcher);
  return keys;
}

export function fromMatcher({ type, name, value }: Matcher): PlainMatcher {
  return { type, name, value };
}

export function toMatcher({ type, name, value }: PlainMatcher): Matcher {
  return new Matcher(type, name, value);
}

export function fromSelect({ matchers, mint, maxt, sorted, hints }: SelectRequest): PlainSelect {
  return { matchers: matchers.map(fromMatcher), mint, maxt, sorted, hints };
}

export function toSelect(plain: PlainSelect): SelectRequest {
  return { ...plain, matchers: plain.matchers.map(toMatcher) };
}

export function fromLabelRequest(request: LabelRequest): PlainLabelRequest {
  return { ...request, matchers: request.matchers.map(fromMatcher) };
}

export function toLabelRequest(request: PlainLabelRequest): LabelRequest {
  return { ...request, matchers: request.matchers.map(toMatcher) };
}

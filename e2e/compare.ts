import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Ask = 'instant' | 'range' | 'error' | 'api';

export interface AskedQuery {
  readonly how: Ask;
  /** PromQL; for `api` the path and parameters after `/api/v1/`. */
  readonly query: string;
  /** Instead of the moment's range and step. */
  readonly at?: {
    readonly beforeSeconds: number;
    readonly rangeSeconds: number;
    readonly stepSeconds: number;
  };
}

export interface Moment {
  /** Unix seconds, with a fraction that no scrape has. */
  readonly time: number;
  readonly rangeSeconds: number;
  readonly stepSeconds: number;
}

interface ApiAnswer {
  status: string;
  errorType?: string;
  error?: string;
  data?: { resultType: string; result: unknown };
}

const RELATIVE_TOLERANCE = 1e-12;

/** The queries of a file in `testdata/`. A line `at <before> <range> <step>` sets the seconds for the lines below it. */
export function readQueries(file = 'queries.txt'): AskedQuery[] {
  const queries: AskedQuery[] = [];
  let at: AskedQuery['at'];
  for (const line of readFileSync(join(import.meta.dirname, 'testdata', file), 'utf8').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [how, query] = [line.slice(0, 8).trim(), line.slice(8).trim()];
    if (how === 'at') {
      const [beforeSeconds, rangeSeconds, stepSeconds] = query.split(/ +/).map(Number);
      at = { beforeSeconds, rangeSeconds, stepSeconds };
    } else queries.push({ how: how as Ask, query, at });
  }
  return queries;
}

/** Asks both every query; returns what differs, a sentence each. */
export async function differences(
  expectedUrl: string,
  actualUrl: string,
  queries: readonly AskedQuery[],
  moment: Moment,
): Promise<string[]> {
  const found: string[] = [];
  for (const asked of queries) {
    const what = await difference(expectedUrl, actualUrl, asked, moment);
    if (what) found.push(what);
  }
  return found;
}

/** Asks both the same; returns what differs in a sentence, or undefined. */
export async function difference(
  expectedUrl: string,
  actualUrl: string,
  asked: AskedQuery,
  moment: Moment,
): Promise<string | undefined> {
  const [expected, actual] = await Promise.all([
    ask(expectedUrl, asked, moment),
    ask(actualUrl, asked, moment),
  ]);
  const what = compared(asked, expected, actual);
  return what && `${asked.how} ${asked.query}\n    ${what}`;
}

function compared({ how, query }: AskedQuery, expected: ApiAnswer, actual: ApiAnswer): string | undefined {
  if (how === 'error') return differentError(expected, actual);
  if (how === 'api') return differentData(expected, actual);
  return differentResult(expected, actual, /^sort/.test(query));
}

export async function ask(url: string, asked: AskedQuery, moment: Moment): Promise<ApiAnswer> {
  const response = await fetch(`${url}/api/v1/${pathOf(asked, moment)}`);
  const text = await response.text();
  try {
    return JSON.parse(text) as ApiAnswer;
  } catch {
    return { status: 'error', errorType: 'no JSON', error: `${response.status} ${text.slice(0, 200)}` };
  }
}

function pathOf({ how, query, at }: AskedQuery, moment: Moment): string {
  const { rangeSeconds, stepSeconds } = at ?? moment;
  const time = moment.time - (at?.beforeSeconds ?? 0);
  const span = { start: String(time - rangeSeconds), end: String(time) };
  if (how === 'api') return `${query}${query.includes('?') ? '&' : '?'}${new URLSearchParams(span)}`;
  if (how === 'range')
    return `query_range?${new URLSearchParams({ query, ...span, step: String(stepSeconds) })}`;
  return `query?${new URLSearchParams({ query, time: String(time) })}`;
}

/** Two series that match the same are named in the order of their labels since Prometheus 3, before as they came. */
function inOrder(error = ''): string {
  return error.replace(
    /\[(\{.*?\}), (\{.*?\})\];/,
    (_, a: string, b: string) => `[${[a, b].sort().join(', ')}];`,
  );
}

function differentError(expected: ApiAnswer, actual: ApiAnswer): string | undefined {
  if (expected.status !== 'error')
    return `the first gives an answer: ${JSON.stringify(expected).slice(0, 200)}`;
  if (actual.status !== 'error') return `no error, but ${JSON.stringify(actual).slice(0, 200)}`;
  if (expected.errorType !== actual.errorType || inOrder(expected.error) !== inOrder(actual.error))
    return `expected ${expected.errorType}: ${expected.error}\n    got      ${actual.errorType}: ${actual.error}`;
  return undefined;
}

function differentResult(expected: ApiAnswer, actual: ApiAnswer, ordered: boolean): string | undefined {
  if (expected.status !== 'success') return `the first fails: ${expected.error}`;
  if (actual.status !== 'success') return `fails: ${actual.errorType}: ${actual.error}`;
  const { data: a } = expected;
  const { data: b } = actual;
  if (a?.resultType !== b?.resultType) return `result type ${b?.resultType} instead of ${a?.resultType}`;
  if (a?.resultType === 'scalar' || a?.resultType === 'string')
    return differentPoint(a.result as Point, b?.result as Point);
  return differentSeries(a?.result as Series[], b?.result as Series[], ordered);
}

/** Labels and series come in no order of their own. */
function differentData(expected: ApiAnswer, actual: ApiAnswer): string | undefined {
  const sorted = ({ data }: ApiAnswer) =>
    (data as unknown as unknown[]).map((item) => JSON.stringify(item)).sort();
  if (expected.status !== 'success') return `the first fails: ${expected.error}`;
  if (actual.status !== 'success') return `fails: ${actual.errorType}: ${actual.error}`;
  const [a, b] = [sorted(expected), sorted(actual)];
  if (a.join() === b.join()) return undefined;
  const missing = a.filter((item) => !b.includes(item));
  const extra = b.filter((item) => !a.includes(item));
  return `${missing.length} missing (${missing[0]}), ${extra.length} too many (${extra[0]})`;
}

type Point = [number, string];

interface Series {
  metric: Record<string, string>;
  value?: Point;
  values?: Point[];
  histogram?: unknown;
  histograms?: unknown[];
}

function differentSeries(expected: Series[], actual: Series[], ordered: boolean): string | undefined {
  const sorted = (series: Series[]) =>
    ordered ? series : [...series].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const [a, b] = [sorted(expected), sorted(actual)];
  const [aKeys, bKeys] = [a.map(keyOf), b.map(keyOf)];
  const missing = aKeys.filter((key) => !bKeys.includes(key));
  const extra = bKeys.filter((key) => !aKeys.includes(key));
  if (missing.length > 0 || extra.length > 0)
    return `${missing.length} series missing (${missing[0]}), ${extra.length} too many (${extra[0]})`;
  if (aKeys.join() !== bKeys.join()) return 'series in another order';
  for (const [i, series] of a.entries()) {
    const what = differentPoints(pointsOf(series), pointsOf(b[i])) ?? differentHistograms(series, b[i]);
    if (what) return `${aKeys[i]}: ${what}`;
  }
  return undefined;
}

function differentHistograms(expected: Series, actual: Series): string | undefined {
  const [a, b] = [expected, actual].map(({ histogram, histograms }) =>
    JSON.stringify([histogram, histograms]),
  );
  return a === b ? undefined : `histograms ${b.slice(0, 300)} instead of ${a.slice(0, 300)}`;
}

function differentPoints(expected: Point[], actual: Point[]): string | undefined {
  if (expected.length !== actual.length) return `${actual.length} points instead of ${expected.length}`;
  for (const [i, point] of expected.entries()) {
    const what = differentPoint(point, actual[i]);
    if (what) return what;
  }
  return undefined;
}

function differentPoint(expected: Point, actual: Point): string | undefined {
  if (expected[0] !== actual?.[0]) return `time ${actual?.[0]} instead of ${expected[0]}`;
  if (expected[1] === actual[1]) return undefined;
  const [a, b] = [Number(expected[1]), Number(actual[1])];
  const close = Math.abs(a - b) <= RELATIVE_TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
  return close ? undefined : `value ${actual[1]} instead of ${expected[1]} at ${expected[0]}`;
}

function keyOf(series: Series): string {
  return JSON.stringify(Object.entries(series.metric).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function pointsOf(series: Series): Point[] {
  return series.values ?? (series.value ? [series.value] : []);
}

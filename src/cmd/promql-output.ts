import { Labels, METRIC_NAME } from '../model/labels.ts';
import type { AnalysisJson } from '../query/analysis-json.ts';

/** What the API answers, as far as it is shown here. */
export interface ApiEnvelope {
  readonly status: 'success' | 'error';
  readonly data?: ApiData;
  readonly errorType?: string;
  readonly error?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

interface ApiHistogram {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly (readonly [rule: number, lower: string, upper: string, count: string])[];
}

type Point<V> = readonly [seconds: number, value: V];

interface ApiSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: Point<string>;
  readonly histogram?: Point<ApiHistogram>;
  readonly values?: readonly Point<string>[];
  readonly histograms?: readonly Point<ApiHistogram>[];
}

interface Analysed {
  readonly analysis?: AnalysisJson;
}

type ApiData =
  | ({ readonly resultType: 'scalar'; readonly result: Point<string> } & Analysed)
  | ({ readonly resultType: 'string'; readonly result: Point<string> } & Analysed)
  | ({ readonly resultType: 'vector' | 'matrix'; readonly result: readonly ApiSeries[] } & Analysed);

export const OUTPUTS = ['table', 'promql', 'json'] as const;
export type Output = (typeof OUTPUTS)[number];

/** An answer for a terminal: `table` for people, `promql` as promtool prints it, `json` as the API sent it. */
export function renderAnswer(envelope: ApiEnvelope, output: Output): string {
  const { data } = envelope;
  if (output === 'json') return `${JSON.stringify(envelope, undefined, 2)}\n`;
  if (data === undefined) return '';
  return output === 'table' ? tableOf(data) : promqlOf(data);
}

function promqlOf(data: ApiData): string {
  if (data.resultType === 'string') return `${data.result[1]}\n`;
  if (data.resultType === 'scalar') return `scalar: ${data.result[1]} @[${timeText(data.result[0])}]\n`;
  const { result, resultType } = data;
  return result.map((series) => `${seriesText(series, resultType)}\n`).join('');
}

function seriesText(series: ApiSeries, type: 'vector' | 'matrix'): string {
  const points = pointsOf(series).map(([t, value]) => `${value} @[${timeText(t)}]`);
  return `${metricText(series.metric)} =>${type === 'vector' ? ' ' : '\n'}${points.join('\n')}`;
}

function tableOf(data: ApiData): string {
  if (data.resultType === 'string' || data.resultType === 'scalar')
    return columns([
      ['time', 'value'],
      [isoTime(data.result[0]), data.result[1]],
    ]);
  if (data.result.length === 0) return 'no series\n';
  if (data.resultType === 'vector')
    return columns([
      ['series', 'value'],
      ...data.result.map((series) => [metricText(series.metric), pointsOf(series)[0]?.[1] ?? '']),
    ]);
  return data.result
    .map((series) => {
      const rows = pointsOf(series).map(([t, value]) => [`  ${isoTime(t)}`, value]);
      return `${metricText(series.metric)}\n${columns(rows)}`;
    })
    .join('\n');
}

/** Floats and histograms of a series by time. */
function pointsOf({ value, histogram, values, histograms }: ApiSeries): [number, string][] {
  const floats = (value ? [value] : (values ?? [])).map(([t, v]): [number, string] => [t, v]);
  const others = (histogram ? [histogram] : (histograms ?? [])).map(([t, h]): [number, string] => [
    t,
    histogramText(h),
  ]);
  return [...floats, ...others].sort(([a], [b]) => a - b);
}

const BOUNDS = ['(]', '[)', '()', '[]'];

/** As Prometheus prints a histogram that came over the API. */
function histogramText({ count, sum, buckets = [] }: ApiHistogram): string {
  const texts = buckets.map(
    ([rule, lower, upper, n]) => `${BOUNDS[rule][0]}${lower},${upper}${BOUNDS[rule][1]}:${n}`,
  );
  return `{count:${count}, sum:${sum}${texts.map((text) => `, ${text}`).join('')}}`;
}

function metricText(metric: Readonly<Record<string, string>>): string {
  const { [METRIC_NAME]: name = '', ...rest } = metric;
  if (!/^[a-zA-Z_:][\w:]*$/.test(name)) return String(Labels.from(metric));
  return Object.keys(rest).length === 0 ? name : `${name}${Labels.from(rest)}`;
}

function timeText(seconds: number): string {
  return String(Math.round(seconds * 1000) / 1000);
}

function isoTime(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  const text = Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : timeText(seconds);
  return text.replace('.000Z', 'Z');
}

/** Lines with their cells below each other, two spaces apart. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows)
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  return rows
    .map((row) => `${row.map((cell, i) => cell.padEnd(i === row.length - 1 ? 0 : widths[i])).join('  ')}\n`)
    .join('');
}

/** What every operator did, as a tree; below a selector what each source gave. */
export function renderAnalysis(root: AnalysisJson): string {
  const rows = [['operator', 'time', 'self', 'rows', 'samples', 'peak', 'read']];
  const visit = (node: AnalysisJson, depth: number) => {
    const { name, executionTime, selfTime, totalSamples, peakBytes, fanout = [], children = [] } = node;
    const read = fanout.reduce((sum, { bytesProcessed }) => sum + bytesProcessed, 0);
    const figures = [String(node.rows), String(totalSamples), bytesText(peakBytes), bytesText(read)];
    rows.push(['  '.repeat(depth) + name, executionTime, selfTime, ...figures]);
    for (const source of fanout) {
      const { endpointAddr, duration, series, samples, bytesProcessed } = source;
      const label = `${'  '.repeat(depth + 1)}from ${endpointAddr}`;
      rows.push([label, duration, '', String(series), String(samples), '', bytesText(bytesProcessed)]);
    }
    for (const child of children) visit(child, depth + 1);
  };
  visit(root, 0);
  return columns(rows);
}

function bytesText(bytes: number): string {
  if (bytes === 0) return '';
  if (bytes < 10_000) return `${bytes}B`;
  return bytes < 10_000_000 ? `${Math.round(bytes / 1000)}kB` : `${Math.round(bytes / 1_000_000)}MB`;
}

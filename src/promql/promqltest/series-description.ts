import { parseDuration } from '../../model/duration.ts';
import { VeronaError } from '../../model/errors.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import type { Labels } from '../../model/labels.ts';
import { STALE_NAN } from '../../model/sample.ts';
import { parseMetric } from '../parser/parse-metric.ts';
import { parseNumber } from '../parser/scan-number.ts';
import { parseHistogramLiteral } from './histogram-literal.ts';
import { combineHistograms } from './histogram-sum.ts';

/** One step of a written series. */
export type SeriesValue =
  | { readonly kind: 'omitted' }
  | { readonly kind: 'float'; readonly value: number }
  | {
      readonly kind: 'histogram';
      readonly histogram: FloatHistogram;
      /** Whether the text names a counter reset hint; otherwise any is as good. */
      readonly hintGiven: boolean;
    };

export interface SeriesDescription {
  readonly labels: Labels;
  readonly values: readonly SeriesValue[];
}

/** Most values that one series may expand to. */
const VALUES_MAX = 1_000_000;

/** Reads `metric{label="x"} 1 2+3x4 _ stale {{schema:0 count:1}}`. Throws `bad_data`. */
export function parseSeriesDescription(text: string): SeriesDescription {
  const { labels, end } = parseMetric(text);
  return { labels, values: parseSeriesValues(text.slice(end)) };
}

const NUMBER = String.raw`(?:(?:\d+(?:ms|[smhdwy]))+|(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?|inf|nan)`;
const ITEM = new RegExp(String.raw`^(_|stale|[+-]?${NUMBER})(?:([+-]${NUMBER})?x(\d+))?$`, 'i');

function parseSeriesValues(text: string): SeriesValue[] {
  const values: SeriesValue[] = [];
  for (const item of splitItems(text)) {
    const expanded = item.startsWith('{{') ? expandHistogram(item) : expandFloat(item);
    if (values.length + expanded.length > VALUES_MAX) throw bad(`more than ${VALUES_MAX} values`);
    for (const value of expanded) values.push(value);
  }
  return values;
}

/** Splits at spaces that are not inside `{{…}}`. */
function splitItems(text: string): string[] {
  const items: string[] = [];
  const pattern = /(?:\{\{[^}]*\}\}|[^\s{])+/g;
  let at = 0;
  for (const match of text.matchAll(pattern)) {
    if (text.slice(at, match.index).trim() !== '') throw bad(`unexpected ${JSON.stringify(text.slice(at))}`);
    items.push(match[0]);
    at = match.index + match[0].length;
  }
  if (text.slice(at).trim() !== '') throw bad(`unexpected ${JSON.stringify(text.slice(at))}`);
  return items;
}

function expandFloat(item: string): SeriesValue[] {
  const match = ITEM.exec(item);
  if (match === null) throw bad(`invalid series value ${JSON.stringify(item)}`);
  const [, base, step, times] = match;
  const count = repetitions(times);
  if (base === '_') return Array(times === undefined ? 1 : count).fill({ kind: 'omitted' });
  const delta = step === undefined ? undefined : signedNumber(step);
  const values: SeriesValue[] = [];
  let value = base.toLowerCase() === 'stale' ? STALE_NAN : signedNumber(base);
  // One more than written: the first value is for time zero.
  for (let i = 0; i <= count; i++) {
    values.push({ kind: 'float', value });
    if (delta !== undefined) value += delta;
  }
  return values;
}

function repetitions(times: string | undefined): number {
  const count = Number(times ?? 0);
  if (count > VALUES_MAX) throw bad(`invalid repetition ${times}`);
  return count;
}

function signedNumber(text: string): number {
  const sign = text[0] === '-' ? -1 : 1;
  const digits = text.replace(/^[+-]/, '');
  const ms = /[smhdwy]$/.test(digits) ? parseDuration(digits) : undefined;
  if (ms !== undefined) return (sign * ms) / 1000;
  const value = parseNumber(digits);
  if (typeof value !== 'number') throw bad(value.problem);
  return sign * value;
}

const HISTOGRAM_ITEM = /^(\{\{[^}]*\}\})(?:(?:([+-])(\{\{[^}]*\}\}))?x(\d+))?$/;

function expandHistogram(item: string): SeriesValue[] {
  const match = HISTOGRAM_ITEM.exec(item);
  if (match === null) throw bad(`invalid histogram ${JSON.stringify(item)}`);
  const [, base, sign, step, times] = match;
  const first = parseHistogramLiteral(base);
  const delta = step === undefined ? undefined : parseHistogramLiteral(step);
  const hintGiven = (delta ?? first).hintGiven;
  const values: SeriesValue[] = [];
  let { histogram } = first;
  for (let i = 0; i <= repetitions(times); i++) {
    if (i > 0 && delta !== undefined)
      histogram = combineHistograms(histogram, delta.histogram, sign === '-' ? -1 : 1);
    values.push({ kind: 'histogram', histogram, hintGiven });
  }
  return values;
}

function bad(message: string): VeronaError {
  return new VeronaError('bad_data', `series description: ${message}`);
}

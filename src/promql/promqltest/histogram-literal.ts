import { VeronaError } from '../../model/errors.ts';
import type { CounterResetHint, FloatHistogram, Span } from '../../model/histogram.ts';
import { parseNumber } from '../parser/scan-number.ts';

const HINTS: ReadonlySet<string> = new Set(['unknown', 'reset', 'not_reset', 'gauge']);
const KEYS: ReadonlySet<string> = new Set([
  'schema',
  'sum',
  'count',
  'z_bucket',
  'z_bucket_w',
  'custom_values',
  'buckets',
  'offset',
  'n_buckets',
  'n_offset',
  'counter_reset_hint',
]);

/** Reads `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`; what is not named is zero or empty. Throws `bad_data`. */
export function parseHistogramLiteral(text: string): {
  readonly histogram: FloatHistogram;
  readonly hintGiven: boolean;
} {
  const fields = parseFields(text.slice(2, -2));
  const hint = fields.get('counter_reset_hint') ?? 'unknown';
  if (!HINTS.has(hint)) throw bad(text, `unknown counter reset hint ${hint}`);
  const number = (key: string): number => parseSigned(text, fields.get(key) ?? '0');
  const list = (key: string): number[] => parseList(text, fields.get(key) ?? '[]');
  const positiveBuckets = list('buckets');
  const negativeBuckets = list('n_buckets');
  const histogram: FloatHistogram = {
    kind: 'float',
    counterResetHint: hint as CounterResetHint,
    schema: number('schema'),
    zeroThreshold: number('z_bucket_w'),
    zeroCount: number('z_bucket'),
    count: number('count'),
    sum: number('sum'),
    positiveSpans: oneSpan(number('offset'), positiveBuckets.length),
    negativeSpans: oneSpan(number('n_offset'), negativeBuckets.length),
    positiveBuckets,
    negativeBuckets,
    customValues: list('custom_values'),
  };
  return { histogram, hintGiven: fields.has('counter_reset_hint') };
}

function parseFields(body: string): Map<string, string> {
  const fields = new Map<string, string>();
  const pattern = /\s*([a-z_]+):(\[[^\]]*\]|\S+)\s*/gy;
  let end = 0;
  for (const match of body.matchAll(pattern)) {
    if (!KEYS.has(match[1]) || fields.has(match[1])) throw bad(body, `unknown or repeated key ${match[1]}`);
    fields.set(match[1], match[2]);
    end = match.index + match[0].length;
  }
  if (body.slice(end).trim() !== '') throw bad(body, `cannot read ${JSON.stringify(body.slice(end))}`);
  return fields;
}

function parseList(text: string, list: string): number[] {
  if (!/^\[.*\]$/.test(list)) throw bad(text, `expected a list in brackets, got ${list}`);
  const words = list.slice(1, -1).trim();
  return words === '' ? [] : words.split(/\s+/).map((word) => parseSigned(text, word));
}

function parseSigned(text: string, word: string): number {
  const value = parseNumber(word.replace(/^[+-]/, ''));
  if (typeof value !== 'number') throw bad(text, value.problem);
  return word[0] === '-' ? -value : value;
}

function oneSpan(offset: number, length: number): Span[] {
  return length === 0 ? [] : [{ offset, length }];
}

function bad(text: string, message: string): VeronaError {
  return new VeronaError('bad_data', `histogram ${JSON.stringify(text)}: ${message}`);
}

import type { FloatHistogram } from '../../model/histogram.ts';
import { bucketIndexes } from '../../model/histogram-spans.ts';
import type { Answer, AnswerSample, AnswerSeries, Outcome } from '../promqltest/harness.ts';

/** What a query led to: an answer, or the message of an error. */
export type Result = { readonly outcome: Outcome } | { readonly error: string };

export interface Comparison {
  /** Of values, relative. */
  readonly tolerance: number;
  /** Values closer than this are the same whatever their relation, and zeros have no sign; 0 for none. */
  readonly absolute?: number;
  /** Whether the order of an instant query's rows is part of the answer; equal values may change places all the same. */
  readonly ordered: boolean;
  readonly remarks: boolean;
}

/** What differs, in a sentence; undefined: nothing. */
export function difference(expected: Result, actual: Result, how: Comparison): string | undefined {
  if ('error' in expected || 'error' in actual) {
    const [a, b] = [expected, actual].map((result) =>
      'error' in result ? plainError(result.error) : undefined,
    );
    if (a === b) return undefined;
    return `expected ${a === undefined ? 'an answer' : `error ${a}`}, got ${b === undefined ? 'an answer' : `error ${b}`}`;
  }
  return (
    differentAnswer(expected.outcome.answer, actual.outcome.answer, how) ??
    (how.remarks ? differentRemarks(expected.outcome, actual.outcome) : undefined)
  );
}

/** Which of more than two duplicates is told of is a matter of order. */
function plainError(message: string): string {
  return message.replace(
    /^(found duplicate series for the match group) .*? (on the \w+ hand-side of the operation).*/s,
    '$1 … $2',
  );
}

function differentRemarks(expected: Outcome, actual: Outcome): string | undefined {
  const all = ({ warnings, infos }: Outcome) => [...warnings, ...infos].sort();
  const [a, b] = [all(expected), all(actual)];
  const missing = a.filter((text) => !b.includes(text));
  const extra = b.filter((text) => !a.includes(text));
  if (missing.length + extra.length === 0) return undefined;
  return `remarks: missing ${JSON.stringify(missing)}, too many ${JSON.stringify(extra)}`;
}

function differentAnswer(expected: Answer, actual: Answer, how: Comparison): string | undefined {
  if (expected.type === 'scalar' && actual.type === 'scalar')
    return close(expected.v, actual.v, how) ? undefined : `expected ${expected.v}, got ${actual.v}`;
  if (expected.type === 'string' && actual.type === 'string')
    return expected.v === actual.v ? undefined : `expected ${expected.v}, got ${actual.v}`;
  if (expected.type === 'vector' && actual.type === 'vector')
    return (
      differentSeries(expected.samples.map(seriesOf), actual.samples.map(seriesOf), how) ??
      (how.ordered ? differentOrder(expected.samples, actual.samples, how) : undefined)
    );
  if (expected.type === 'matrix' && actual.type === 'matrix')
    return differentSeries(expected.series, actual.series, how);
  return `expected a ${expected.type}, got a ${actual.type}`;
}

function seriesOf({ labels, v, histogram }: AnswerSample): AnswerSeries {
  return histogram === undefined
    ? { labels, floats: [{ t: 0, v }], histograms: [] }
    : { labels, floats: [], histograms: [{ t: 0, histogram }] };
}

function differentSeries(
  expected: readonly AnswerSeries[],
  actual: readonly AnswerSeries[],
  how: Comparison,
): string | undefined {
  const byLabels = new Map(actual.map((series) => [series.labels.key(), series]));
  if (byLabels.size !== actual.length) return 'the same labels twice';
  for (const series of expected) {
    const other = byLabels.get(series.labels.key());
    if (other === undefined) return `missing ${series.labels}`;
    byLabels.delete(series.labels.key());
    const problem = differentPoints(series, other, how);
    if (problem !== undefined) return `${series.labels}: ${problem}`;
  }
  for (const series of byLabels.values()) return `unexpected ${series.labels} ${shown(series)}`;
  return undefined;
}

function differentPoints(expected: AnswerSeries, actual: AnswerSeries, how: Comparison): string | undefined {
  const floats = expected.floats.length === actual.floats.length;
  if (!floats || expected.histograms.length !== actual.histograms.length)
    return `expected ${shown(expected)}, got ${shown(actual)}`;
  for (const [i, { t, v }] of expected.floats.entries()) {
    const other = actual.floats[i];
    if (t !== other.t || !close(v, other.v, how))
      return `expected ${v} at ${t}, got ${other.v} at ${other.t}`;
  }
  for (const [i, { t, histogram }] of expected.histograms.entries()) {
    const other = actual.histograms[i];
    if (t !== other.t || !sameHistogram(histogram, other.histogram, how))
      return `expected ${JSON.stringify(histogram)} at ${t}, got ${JSON.stringify(other.histogram)} at ${other.t}`;
  }
  return undefined;
}

function shown({ floats, histograms }: AnswerSeries): string {
  const times = [
    ...floats.map(({ t, v }) => `${v} at ${t}`),
    ...histograms.map(({ t }) => `histogram at ${t}`),
  ];
  return `[${times.join(', ')}]`;
}

/** The values must come in the same order. */
function differentOrder(
  expected: readonly AnswerSample[],
  actual: readonly AnswerSample[],
  how: Comparison,
): string | undefined {
  const at = expected.findIndex(({ v, histogram }, i) =>
    histogram === undefined ? !close(v, actual[i].v, how) : actual[i].histogram === undefined,
  );
  return at === -1
    ? undefined
    : `expected ${expected[at].labels} at place ${at + 1}, got ${actual[at].labels}`;
}

/** NaN is NaN; zeros have signs. */
function close(a: number, b: number, { tolerance, absolute = 0 }: Comparison): boolean {
  if (Object.is(a, b) || Math.abs(a - b) < absolute) return true;
  if (a === 0 && b === 0) return false;
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  return Math.abs(a - b) <= tolerance * Math.max(Math.abs(a), Math.abs(b));
}

/** Empty buckets are as good as none. */
function sameHistogram(a: FloatHistogram, b: FloatHistogram, how: Comparison): boolean {
  const numbers = (['count', 'sum', 'zeroCount'] as const).every((key) => near(a[key], b[key], how));
  const shape = a.schema === b.schema && a.zeroThreshold === b.zeroThreshold;
  const hints = a.counterResetHint === b.counterResetHint;
  const bounds = a.customValues.join() === b.customValues.join();
  const sides = (['positive', 'negative'] as const).every((side) => {
    const [x, y] = [countsOf(a, side), countsOf(b, side)];
    return [...new Set([...x.keys(), ...y.keys()])].every((i) => near(x.get(i) ?? 0, y.get(i) ?? 0, how));
  });
  return numbers && shape && hints && bounds && sides;
}

/** In histograms zeros have no signs. */
function near(a: number, b: number, how: Comparison): boolean {
  return a === b || close(a, b, how);
}

function countsOf(h: FloatHistogram, side: 'positive' | 'negative'): Map<number, number> {
  const spans = side === 'positive' ? h.positiveSpans : h.negativeSpans;
  const buckets = side === 'positive' ? h.positiveBuckets : h.negativeBuckets;
  return new Map(bucketIndexes(spans).map((index, i) => [index, buckets[i]]));
}

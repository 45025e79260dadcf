import type { FloatHistogram } from '../../model/histogram.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { isStale } from '../../model/sample.ts';
import type { Answer, AnswerSample, AnswerSeries } from './harness.ts';
import { bucketMap } from './histogram-sum.ts';
import type { Evaluation } from './script.ts';
import type { SeriesValue } from './series-description.ts';

/** Relative difference that Prometheus' own runner allows. */
const EPSILON = 1e-6;
const SMALLEST_NORMAL = 2 ** -1022;

/** What is wrong with an answer, with both sides; undefined when nothing is. */
export function compareAnswer(expected: Evaluation, answer: Answer): string | undefined {
  switch (answer.type) {
    case 'string':
      return (expected.string ?? '') === answer.v
        ? undefined
        : `expected string ${JSON.stringify(expected.string)}, got ${JSON.stringify(answer.v)}`;
    case 'scalar':
      if (expected.scalar === undefined) return `expected series, got scalar ${answer.v}`;
      return almostEqual(expected.scalar, answer.v)
        ? undefined
        : `expected scalar ${expected.scalar}, got ${answer.v}`;
    case 'vector':
      return expected.scalar === undefined
        ? compareVector(expected, answer.samples)
        : `expected scalar ${expected.scalar}, got a vector of ${answer.samples.length}`;
    case 'matrix':
      if (expected.expects.some(({ what }) => what === 'ordered')) return 'expected an order, got a matrix';
      return expected.scalar === undefined
        ? compareMatrix(expected, answer.series)
        : `expected scalar ${expected.scalar}, got a matrix of ${answer.series.length}`;
  }
}

function compareVector(expected: Evaluation, samples: readonly AnswerSample[]): string | undefined {
  const positions = new Map(expected.series.map(({ labels }, i) => [labels.key(), i]));
  const ordered = expected.expects.some(({ what }) => what === 'ordered');
  for (const [i, sample] of samples.entries()) {
    const position = positions.get(sample.labels.key());
    if (position === undefined) return `unexpected ${sample.labels} with ${showSample(sample)}`;
    if (ordered && position !== i) return `expected ${sample.labels} at ${position + 1}, got it at ${i + 1}`;
    const value = expected.series[position].values[0];
    if (!matches(value, sample.v, sample.histogram))
      return `${sample.labels}: expected ${showValue(value)}, got ${showSample(sample)}`;
  }
  return missing(expected, samples);
}

function compareMatrix(expected: Evaluation, series: readonly AnswerSeries[]): string | undefined {
  const unsorted = series.find((one, i) => i > 0 && compareLabels(series[i - 1].labels, one.labels) > 0);
  if (unsorted !== undefined) return `series are not sorted by labels at ${unsorted.labels}`;
  const byLabels = new Map(expected.series.map((one) => [one.labels.key(), one]));
  for (const one of series) {
    const wanted = byLabels.get(one.labels.key());
    if (wanted === undefined) return `unexpected ${one.labels} with ${showSeries(one)}`;
    const problem = comparePoints(expected, wanted.values, one);
    if (problem !== undefined) return `${one.labels}: ${problem}`;
  }
  return missing(expected, series);
}

function comparePoints(
  { start, end, step }: Evaluation,
  values: readonly SeriesValue[],
  series: AnswerSeries,
): string | undefined {
  const actual = new Map<number, { v: number; histogram: FloatHistogram | undefined }>();
  for (const { t, v } of series.floats) actual.set(t, { v, histogram: undefined });
  for (const { t, histogram } of series.histograms) actual.set(t, { v: 0, histogram });
  let wantedCount = 0;
  for (const [i, value] of values.entries()) {
    if (value.kind === 'omitted') continue;
    wantedCount++;
    const t = start + i * step;
    if (t > end) return `${values.length} points expected, more than the range has`;
    const point = actual.get(t);
    if (point === undefined || !matches(value, point.v, point.histogram))
      return `at ${t} expected ${showValue(value)}, got ${showSeries(series)}`;
  }
  return wantedCount === actual.size
    ? undefined
    : `expected ${wantedCount} points, got ${showSeries(series)}`;
}

function missing(expected: Evaluation, got: readonly { readonly labels: Labels }[]): string | undefined {
  const seen = new Set(got.map(({ labels }) => labels.key()));
  const lost = expected.series.find(({ labels }) => !seen.has(labels.key()));
  return lost === undefined
    ? undefined
    : `missing ${lost.labels} with ${lost.values.map(showValue).join(' ')}`;
}

function matches(expected: SeriesValue, v: number, histogram: FloatHistogram | undefined): boolean {
  if (expected.kind === 'omitted') return false;
  if (expected.kind === 'float') return histogram === undefined && almostEqual(expected.value, v);
  return histogram !== undefined && histogramsEqual(expected.histogram, histogram, expected.hintGiven);
}

/** Equal to a millionth; NaN equals NaN, the staleness marker only itself. */
export function almostEqual(a: number, b: number): boolean {
  if (isStale(a) || isStale(b)) return isStale(a) && isStale(b);
  if (a === b || (Number.isNaN(a) && Number.isNaN(b))) return true;
  const sum = Math.abs(a) + Math.abs(b);
  const difference = Math.abs(a - b);
  if (a === 0 || b === 0 || sum < SMALLEST_NORMAL) return difference < EPSILON * SMALLEST_NORMAL;
  return difference / Math.min(sum, Number.MAX_VALUE) < EPSILON;
}

function histogramsEqual(a: FloatHistogram, b: FloatHistogram, withHint: boolean): boolean {
  return (
    a.schema === b.schema &&
    almostEqual(a.count, b.count) &&
    almostEqual(a.sum, b.sum) &&
    a.zeroThreshold === b.zeroThreshold &&
    almostEqual(a.zeroCount, b.zeroCount) &&
    a.customValues.join() === b.customValues.join() &&
    bucketsEqual(
      bucketMap(a.positiveSpans, a.positiveBuckets),
      bucketMap(b.positiveSpans, b.positiveBuckets),
    ) &&
    bucketsEqual(
      bucketMap(a.negativeSpans, a.negativeBuckets),
      bucketMap(b.negativeSpans, b.negativeBuckets),
    ) &&
    (!withHint || a.counterResetHint === b.counterResetHint)
  );
}

/** Empty buckets are as good as none. */
function bucketsEqual(a: ReadonlyMap<number, number>, b: ReadonlyMap<number, number>): boolean {
  const indexes = new Set([...a.keys(), ...b.keys()]);
  return [...indexes].every((index) => almostEqual(a.get(index) ?? 0, b.get(index) ?? 0));
}

function showSample({ v, histogram }: AnswerSample): string {
  return histogram === undefined ? String(v) : showHistogram(histogram);
}

function showSeries({ floats, histograms }: AnswerSeries): string {
  const points = [
    ...floats.map(({ t, v }) => `${v} @${t}`),
    ...histograms.map(({ t, histogram }) => `${showHistogram(histogram)} @${t}`),
  ];
  const shown = points.slice(0, 20).join(', ');
  return `[${shown}${points.length > 20 ? `, … ${points.length} points` : ''}]`;
}

function showValue(value: SeriesValue): string {
  if (value.kind === 'omitted') return '_';
  return value.kind === 'float' ? String(value.value) : showHistogram(value.histogram);
}

function showHistogram(h: FloatHistogram): string {
  const side = (name: string, buckets: Map<number, number>): string =>
    buckets.size === 0 ? '' : ` ${name}:{${[...buckets].map(([i, count]) => `${i}:${count}`).join(' ')}}`;
  return (
    `{{schema:${h.schema} count:${h.count} sum:${h.sum} z_bucket:${h.zeroCount} z_bucket_w:${h.zeroThreshold}` +
    `${h.customValues.length === 0 ? '' : ` custom_values:[${h.customValues.join(' ')}]`}` +
    side('buckets', bucketMap(h.positiveSpans, h.positiveBuckets)) +
    side('n_buckets', bucketMap(h.negativeSpans, h.negativeBuckets)) +
    ` ${h.counterResetHint}}}`
  );
}

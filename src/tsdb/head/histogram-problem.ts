import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA, type Span } from '../../model/histogram.ts';
import { countBuckets, sumDeltas } from '../../model/histogram-spans.ts';
import { isStale } from '../../model/sample.ts';

const SCHEMA_MIN = -4;
const SCHEMA_MAX = 8;

/** What makes a native histogram unacceptable, in Prometheus' words; undefined when nothing does. Counts are compared exactly for integers, NaN sums may count more. */
export function histogramProblem(histogram: AnyHistogram): string | undefined {
  if (isStale(histogram.sum)) return undefined;
  return schemaProblem(histogram) ?? bucketsProblem(histogram) ?? countProblem(histogram);
}

function schemaProblem(histogram: AnyHistogram): string | undefined {
  const { schema, customValues } = histogram;
  if (schema !== CUSTOM_BUCKETS_SCHEMA) {
    if (customValues.length > 0) return 'exponential histogram with custom bounds';
    return schema >= SCHEMA_MIN && schema <= SCHEMA_MAX
      ? undefined
      : `histogram has an invalid schema ${schema}`;
  }
  if (histogram.negativeSpans.length > 0 || histogram.negativeBuckets.length > 0)
    return 'custom buckets: must not have negative spans or buckets';
  if (histogram.zeroCount !== 0 || histogram.zeroThreshold !== 0)
    return 'custom buckets: must have zero bucket empty';
  for (let i = 0; i < customValues.length; i++) {
    if (!Number.isFinite(customValues[i])) return 'custom buckets: bounds must be finite';
    if (i > 0 && customValues[i] <= customValues[i - 1])
      return 'custom buckets: bounds must be in strictly increasing order';
  }
  return countBuckets(histogram.positiveSpans) > customValues.length + 1
    ? `custom buckets: only ${customValues.length} custom bounds defined`
    : undefined;
}

function bucketsProblem(histogram: AnyHistogram): string | undefined {
  const { positiveSpans, positiveBuckets, negativeSpans, negativeBuckets } = histogram;
  const spans =
    spansProblem('negative', negativeSpans, negativeBuckets) ??
    spansProblem('positive', positiveSpans, positiveBuckets);
  if (spans !== undefined) return spans;
  for (const count of [...counts(histogram, positiveBuckets), ...counts(histogram, negativeBuckets)])
    if (count < 0) return `bucket has observation count of ${count}: observation count must not be negative`;
  return undefined;
}

function spansProblem(side: string, spans: readonly Span[], buckets: readonly number[]): string | undefined {
  for (let i = 1; i < spans.length; i++)
    if (spans[i].offset < 0)
      return `${side} side: span number ${i + 1} with offset ${spans[i].offset}: span offset must not be negative`;
  const expected = countBuckets(spans);
  return expected === buckets.length
    ? undefined
    : `${side} side: spans need ${expected} buckets, have ${buckets.length} buckets`;
}

function countProblem(histogram: AnyHistogram): string | undefined {
  const { count, sum, zeroCount } = histogram;
  if (count < 0 || zeroCount < 0) return 'observation count must not be negative';
  if (histogram.kind === 'float') return undefined;
  let inBuckets = zeroCount;
  for (const n of counts(histogram, histogram.positiveBuckets)) inBuckets += n;
  for (const n of counts(histogram, histogram.negativeBuckets)) inBuckets += n;
  // Observations of NaN are counted in no bucket.
  const wrong = Number.isNaN(sum) ? inBuckets > count : inBuckets !== count;
  return wrong ? `${inBuckets} observations found in buckets, but the Count field is ${count}` : undefined;
}

function counts(histogram: AnyHistogram, buckets: readonly number[]): readonly number[] {
  return histogram.kind === 'integer' ? sumDeltas(buckets) : buckets;
}

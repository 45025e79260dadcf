import { VeronaError } from './errors.ts';
import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA, type Span } from './histogram.ts';
import { absoluteCounts, countBuckets } from './histogram-spans.ts';
import { isStale } from './sample.ts';

const EXPONENTIAL_SCHEMA_MIN = -4;
export const EXPONENTIAL_SCHEMA_MAX = 8;

/** Checks a histogram by Prometheus' rules, in its words. Throws `bad_data`. A stale one needs nothing but its sum. */
export function validateHistogram(histogram: AnyHistogram): void {
  if (isStale(histogram.sum)) return;
  if (histogram.schema === CUSTOM_BUCKETS_SCHEMA) checkCustom(histogram);
  else checkExponential(histogram);
  const positive = sumOfCounts(histogram, 'positive');
  if (histogram.kind === 'integer') checkTotal(histogram, positive);
}

function checkCustom(histogram: AnyHistogram): void {
  const { customValues: bounds, positiveSpans } = histogram;
  for (const [i, bound] of bounds.entries()) {
    const previous = i === 0 ? Number.NEGATIVE_INFINITY : bounds[i - 1];
    if (!(bound > previous))
      fail(
        `custom buckets: previous bound is ${previous} and current is ${bound}: histogram custom bounds must be in strictly increasing order`,
      );
  }
  if (bounds.at(-1) === Number.POSITIVE_INFINITY)
    fail(
      'custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds must be finite',
    );
  checkSpans('custom buckets', positiveSpans, histogram.positiveBuckets.length, 0);
  const covered = positiveSpans.reduce((sum, span) => sum + span.offset + span.length, 0);
  if (bounds.length + 1 < covered)
    fail(
      `custom buckets: only ${bounds.length} custom bounds defined which is insufficient to cover total span length of ${covered}: histogram custom bounds are too few`,
    );
  if (histogram.zeroCount !== 0) fail('custom buckets: must have zero count of 0');
  if (histogram.zeroThreshold !== 0) fail('custom buckets: must have zero threshold of 0');
  if (histogram.negativeSpans.length > 0) fail('custom buckets: must not have negative spans');
  if (histogram.negativeBuckets.length > 0) fail('custom buckets: must not have negative buckets');
}

function checkExponential(histogram: AnyHistogram): void {
  const { schema } = histogram;
  if (!(schema >= EXPONENTIAL_SCHEMA_MIN && schema <= EXPONENTIAL_SCHEMA_MAX))
    fail(
      `histogram has an invalid schema, which must be between ${EXPONENTIAL_SCHEMA_MIN} and ${EXPONENTIAL_SCHEMA_MAX} for exponential buckets, or ${CUSTOM_BUCKETS_SCHEMA} for custom buckets, got schema ${schema}`,
    );
  checkSpans('positive side', histogram.positiveSpans, histogram.positiveBuckets.length, 1);
  checkSpans('negative side', histogram.negativeSpans, histogram.negativeBuckets.length, 1);
  sumOfCounts(histogram, 'negative');
  if (histogram.customValues.length > 0)
    fail('histogram with exponential schema must not have custom bounds');
}

/** Spans from number `from` on must not go backwards; together they cover the buckets. */
function checkSpans(where: string, spans: readonly Span[], bucketCount: number, from: number): void {
  for (const [i, { offset }] of spans.entries())
    if (i >= from && offset < 0)
      fail(
        `${where}: span number ${i + 1} with offset ${offset}: histogram has a span whose offset is negative`,
      );
  const covered = countBuckets(spans);
  if (covered !== bucketCount)
    fail(
      `${where}: spans need ${covered} buckets, have ${bucketCount} buckets: histogram spans specify different number of buckets than provided`,
    );
}

function sumOfCounts(histogram: AnyHistogram, side: 'positive' | 'negative'): number {
  let sum = 0;
  for (const [i, count] of absoluteCounts(histogram, side).entries()) {
    if (count < 0)
      fail(
        `${side} side: bucket number ${i + 1} has observation count of ${count}: histogram has a bucket whose observation count is negative`,
      );
    sum += count;
  }
  return sum;
}

function checkTotal(histogram: AnyHistogram, positive: number): void {
  const { count, zeroCount, sum } = histogram;
  const found = sumOfCounts(histogram, 'negative') + positive + zeroCount;
  const text = `${found} observations found in buckets, but the Count field is ${count}: histogram's observation count should`;
  if (Number.isNaN(sum)) {
    if (found > count) fail(`${text} be at least the number of observations found in the buckets`);
  } else if (found !== count)
    fail(`${text} equal the number of observations found in the buckets (in absence of NaN)`);
}

function fail(message: string): never {
  throw new VeronaError('bad_data', message);
}

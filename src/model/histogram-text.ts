import type { AnyHistogram } from './histogram.ts';
import {
  allBuckets,
  type Bucket,
  negativeBuckets,
  positiveBuckets,
  zeroBucket,
} from './histogram-buckets.ts';

/** Prometheus' text of a histogram: `{count:3, sum:1.5, [-0.001,0.001]:1, (0.5,1]:2}`, empty buckets left out. */
export function histogramText(histogram: AnyHistogram): string {
  const number = histogram.kind === 'float' ? formatG : String;
  const parts = [
    ...negativeBuckets(histogram).reverse(),
    zeroBucket(histogram),
    ...positiveBuckets(histogram),
  ]
    .filter(({ count }) => count !== 0)
    .map((bucket) => `${boundsText(bucket)}:${number(bucket.count)}`);
  return `{${[`count:${number(histogram.count)}`, `sum:${formatG(histogram.sum)}`, ...parts].join(', ')}}`;
}

function boundsText({ lower, upper, lowerInclusive, upperInclusive }: Bucket): string {
  return `${lowerInclusive ? '[' : '('}${formatG(lower)},${formatG(upper)}${upperInclusive ? ']' : ')'}`;
}

/** Which ends of a bucket belong to it, as the HTTP API numbers it: 0 the upper, 1 the lower, 2 none, 3 both. */
export type BoundaryRule = 0 | 1 | 2 | 3;

/** The filled buckets in the order and with the numbers of the HTTP API. */
export function apiBuckets(
  histogram: AnyHistogram,
): readonly (readonly [rule: BoundaryRule, lower: number, upper: number, count: number])[] {
  return allBuckets(histogram)
    .filter(({ count }) => count !== 0)
    .map(({ lower, upper, lowerInclusive, upperInclusive, count }) => {
      const rule = lowerInclusive ? (upperInclusive ? 3 : 1) : upperInclusive ? 0 : 2;
      return [rule, lower, upper, count];
    });
}

/** Go's `%g`: the fewest digits, with an exponent of two digits at least below 1e-4 and from a million on. */
export function formatG(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits, exponentText] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent >= -4 && exponent < 6) return String(value);
  return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

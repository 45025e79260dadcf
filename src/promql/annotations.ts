import { formatDuration } from '../model/duration.ts';
import type { Span } from './parser/ast.ts';
import { formatGeneral, formatTwoDigits, quote } from './parser/go-text.ts';
import { positionText } from './parser/position.ts';

/** A remark on an answer that is an answer all the same. */
export interface Annotation {
  readonly level: 'warning' | 'info';
  /** As Prometheus words it, without the place. */
  readonly message: string;
  /** The part of the query it is about. */
  readonly span: Span | undefined;
  /** How often it was true, of remarks that say so. */
  readonly occurrences?: number;
}

/** Remarks with their places, as the API shows them. */
export interface RenderedAnnotations {
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/**
 * The remarks of a query as text, `… (1:5)`. The same words are said once, at the last place they are true of. Beyond
 * `max` of a level the rest is only counted; 0 is no bound.
 */
export function renderAnnotations(
  query: string,
  annotations: Iterable<Annotation>,
  max = 0,
): RenderedAnnotations {
  const byMessage = new Map<string, Annotation>();
  for (const annotation of annotations) {
    const before = byMessage.get(annotation.message);
    byMessage.set(
      annotation.message,
      before === undefined ? annotation : joinAnnotations(before, annotation),
    );
  }
  const texts = (level: Annotation['level']): string[] => {
    const found = [...byMessage.values()].filter((annotation) => annotation.level === level);
    const shown = found
      .slice(0, max === 0 ? undefined : max)
      .map((annotation) => annotationText(query, annotation));
    const rest = found.length - shown.length;
    return rest === 0 ? shown : [...shown, `${rest} more ${level} annotations omitted`];
  };
  return { warnings: texts('warning'), infos: texts('info') };
}

/** Two of the same words as one, at the place of the second. */
export function joinAnnotations(a: Annotation, b: Annotation): Annotation {
  if (a.occurrences === undefined || b.occurrences === undefined) return b;
  return { ...b, occurrences: a.occurrences + b.occurrences };
}

function annotationText(query: string, { message, span, occurrences = 1 }: Annotation): string {
  if (span === undefined || query === '') return message;
  const often = occurrences > 1 ? ` (${occurrences} occurrences)` : '';
  return `${message}${often} (${positionText(query, span.start)})`;
}

type Operation = 'addition' | 'subtraction' | 'aggregation';

/** What there is to warn of. Each is a message for `Annotation`; an empty metric name is left out where Prometheus does. */
export const warningText = {
  invalidQuantile: (q: number) =>
    warning(`quantile value should be between 0 and 1, got ${formatGeneral(q)}`),
  invalidRatio: (ratio: number, cappedTo: number) =>
    warning(
      `ratio value should be between -1 and 1, got ${formatGeneral(ratio)}, capping to ${formatGeneral(cappedTo)}`,
    ),
  badBucketLabel: (metric: string, label: string) =>
    warning(named(`bucket label "le" is missing or has a malformed value of ${quote(label)}`, metric)),
  mixedFloatsHistograms: (metric: string) =>
    warning(`encountered a mix of histograms and floats for metric name ${quote(metric)}`),
  mixedFloatsHistogramsInAggregation: () =>
    warning('encountered a mix of histograms and floats for aggregation'),
  mixedClassicNative: (metric: string) =>
    warning(named('vector contains a mix of classic and native histograms', metric)),
  notCounter: (metric: string) => warning(`this native histogram metric is not a counter: ${quote(metric)}`),
  notGauge: (metric: string) => warning(`this native histogram metric is not a gauge: ${quote(metric)}`),
  mixedSchemas: (metric: string) =>
    warning(
      `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${quote(metric)}`,
    ),
  incompatibleBuckets: (operator: string) =>
    warning(`incompatible bucket layout encountered for binary operator ${operator}`),
  sortInRangeQuery: () =>
    warning('sort is ineffective for range queries since results are always ordered by labels'),
  startOverlap: (metric: string) =>
    warning(`sample has start time that overlaps with previous sample timestamp for metric ${quote(metric)}`),
  counterResetCollision: (operation: Operation) =>
    warning(`conflicting counter resets during histogram ${operation}`),
} as const;

/** What there is to remark without warning. */
export const infoText = {
  possibleNonCounter: (metric: string) =>
    info(`metric might not be a counter, name does not end in _total/_sum/_count/_bucket: ${quote(metric)}`),
  possibleNonCounterType: (metric: string, type: string) =>
    info(
      `metric might not be a counter, __type__ label is not set to "counter" or "histogram", got ${quote(type)}: ${quote(metric)}`,
    ),
  incompatibleTypes: (left: string, operator: string, right: string) =>
    info(
      `incompatible sample types encountered for binary operator ${quote(operator)}: ${left} ${operator} ${right}`,
    ),
  histogramIgnoredInAggregation: (aggregation: string) =>
    info(`ignored histogram in ${aggregation} aggregation`),
  histogramsIgnoredInRange: (metric: string) =>
    info(
      `ignored histograms in a range containing both floats and histograms for metric name ${quote(metric)}`,
    ),
  quantileIsNaN: (metric: string) =>
    info(named('input to histogram_quantile has NaN observations, result is NaN', metric)),
  quantileIsSkewed: (metric: string) =>
    info(named('input to histogram_quantile has NaN observations, result is skewed higher', metric)),
  fractionWithoutNaN: (metric: string) =>
    info(
      named(
        'input to histogram_fraction has NaN observations, which are excluded from all fractions',
        metric,
      ),
    ),
  mismatchedCustomBuckets: (operation: Operation) =>
    info(`mismatched custom buckets were reconciled during ${operation}`),
  looksBackFar: (ms: number) =>
    info(`some samples are ${formatDuration(ms)} apart, so that instant selectors look back as far`),
} as const;

/** Where and how far classic buckets had to be corrected before a quantile could be taken. Times in ms. */
export interface ForcedMonotonicity {
  readonly metric: string;
  readonly mint: number;
  readonly maxt: number;
  readonly minBucket: number;
  readonly maxBucket: number;
  readonly maxDifference: number;
  readonly samples: number;
}

/** The message for all corrections of one call and metric together; `join` adds them up. */
export function forcedMonotonicityText(forced: ForcedMonotonicity): string {
  const text = named(
    'input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)',
    forced.metric,
  );
  const { minBucket, maxBucket, maxDifference, samples, mint, maxt } = forced;
  return info(
    `${text}, from buckets ${formatGeneral(minBucket)} to ${formatGeneral(maxBucket)}, with a max diff of ` +
      `${formatTwoDigits(maxDifference)}, over ${samples} samples from ${rfc3339(mint)} to ${rfc3339(maxt)}`,
  );
}

/** Two corrections of the same metric as one. */
export function joinForcedMonotonicity(a: ForcedMonotonicity, b: ForcedMonotonicity): ForcedMonotonicity {
  return {
    metric: a.metric,
    mint: Math.min(a.mint, b.mint),
    maxt: Math.max(a.maxt, b.maxt),
    minBucket: Math.min(a.minBucket, b.minBucket),
    maxBucket: Math.max(a.maxBucket, b.maxBucket),
    maxDifference: Math.max(a.maxDifference, b.maxDifference),
    samples: a.samples + b.samples,
  };
}

function rfc3339(t: number): string {
  return new Date(Math.floor(t / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

function warning(text: string): string {
  return `PromQL warning: ${text}`;
}

function info(text: string): string {
  return `PromQL info: ${text}`;
}

function named(text: string, metric: string): string {
  return metric === '' ? text : `${text} for metric name ${quote(metric)}`;
}

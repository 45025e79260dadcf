export const METRIC_TYPES = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
] as const;

/** In the order of the numbers of remote write's MetricType (UNKNOWN 0 … STATESET 7). */
export type MetricType = (typeof METRIC_TYPES)[number];

/** What is known of a metric besides its samples. */
export interface Metadata {
  readonly type: MetricType;
  readonly unit: string;
  readonly help: string;
}

const SUFFIXES: Partial<Record<MetricType, readonly string[]>> = {
  histogram: ['_bucket', '_count', '_sum'],
  gaugehistogram: ['_bucket', '_gcount', '_gsum', '_count', '_sum'],
  summary: ['_count', '_sum'],
};

/**
 * The metric family of a series of floats, by which Prometheus files metadata: the parts of classic histograms and
 * summaries belong to one. A counter keeps its `_total`, as in Prometheus' text format. A native histogram is its family.
 */
export function metricFamily(name: string, type: MetricType): string {
  const suffix = SUFFIXES[type]?.find((one) => name.endsWith(one) && name.length > one.length);
  return suffix === undefined ? name : name.slice(0, -suffix.length);
}

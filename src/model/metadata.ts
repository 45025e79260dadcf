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

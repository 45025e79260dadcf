/**
 * OTLP metrics as they arrive, whether as protobuf (`otlp-protobuf.ts`) or JSON (`otlp-json.ts`). Times are ms; counts
 * are exact up to 2⁵³. Fields Verona has no use for (min, max, dropped counts) are not here.
 */
export interface OtlpRequest {
  readonly resourceMetrics: readonly ResourceMetrics[];
}

export interface ResourceMetrics {
  readonly attributes: Attributes;
  readonly scopeMetrics: readonly ScopeMetrics[];
}

export interface ScopeMetrics {
  readonly name: string;
  readonly version: string;
  readonly schemaUrl: string;
  readonly attributes: Attributes;
  readonly metrics: readonly OtlpMetric[];
}

export interface OtlpMetric {
  readonly name: string;
  readonly description: string;
  readonly unit: string;
  /** Undefined for a kind that is not known. */
  readonly data: MetricData | undefined;
}

export type Temporality = 'unspecified' | 'delta' | 'cumulative';
/** In the order of their numbers. */
export const TEMPORALITIES: readonly Temporality[] = ['unspecified', 'delta', 'cumulative'];

export type MetricData =
  | { readonly kind: 'gauge'; readonly points: readonly NumberPoint[] }
  | {
      readonly kind: 'sum';
      readonly points: readonly NumberPoint[];
      readonly temporality: Temporality;
      readonly isMonotonic: boolean;
    }
  | {
      readonly kind: 'histogram';
      readonly points: readonly HistogramPoint[];
      readonly temporality: Temporality;
    }
  | {
      readonly kind: 'exponential_histogram';
      readonly points: readonly ExponentialPoint[];
      readonly temporality: Temporality;
    }
  | { readonly kind: 'summary'; readonly points: readonly SummaryPoint[] };

export interface Point {
  readonly attributes: Attributes;
  /** ms; 0 when not said. */
  readonly startT: number;
  readonly t: number;
  /** The series ended: its values mean nothing. */
  readonly noRecordedValue: boolean;
}

export interface NumberPoint extends Point {
  readonly value: number;
  readonly exemplars: readonly OtlpExemplar[];
}

export interface HistogramPoint extends Point {
  readonly count: number;
  readonly sum: number | undefined;
  /** One more than `bounds`, or none. */
  readonly bucketCounts: readonly number[];
  readonly bounds: readonly number[];
  readonly exemplars: readonly OtlpExemplar[];
}

export interface ExponentialPoint extends Point {
  readonly count: number;
  readonly sum: number | undefined;
  readonly scale: number;
  readonly zeroCount: number;
  readonly zeroThreshold: number;
  readonly positive: ExponentialBuckets;
  readonly negative: ExponentialBuckets;
  readonly exemplars: readonly OtlpExemplar[];
}

/** `counts[i]` belongs to the bucket with index `offset + i`. */
export interface ExponentialBuckets {
  readonly offset: number;
  readonly counts: readonly number[];
}

export interface SummaryPoint extends Point {
  readonly count: number;
  readonly sum: number;
  readonly quantiles: readonly { readonly quantile: number; readonly value: number }[];
}

export interface OtlpExemplar {
  readonly t: number;
  readonly value: number;
  /** Hexadecimal; empty when there is none. */
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

/** In the order sent. */
export type Attributes = readonly (readonly [string, AttributeValue])[];

export type AttributeValue =
  | undefined
  | string
  | boolean
  /** int64 */
  | bigint
  /** double */
  | number
  | Uint8Array
  | readonly AttributeValue[]
  | AttributeMap;

export interface AttributeMap {
  readonly pairs: Attributes;
}

/** Values inside values, deeper than this, are refused. */
export const ATTRIBUTE_DEPTH_MAX = 32;

/** `flags`: the point says only that the series ended. */
export const FLAG_NO_RECORDED_VALUE = 1;

/** The text of a value, as OpenTelemetry's collector has it: texts as they are, bytes in base64, lists and maps as JSON. */
export function attributeText(value: AttributeValue): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'object' && !(value instanceof Uint8Array)) return JSON.stringify(plainValue(value));
  return scalarText(value);
}

function scalarText(value: boolean | bigint | number | Uint8Array): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('base64') : String(value);
}

function plainValue(value: AttributeValue): unknown {
  if (value === undefined) return null;
  if (value instanceof Uint8Array) return scalarText(value);
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object') return value;
  if ('pairs' in value)
    return Object.fromEntries(
      value.pairs
        .map(([key, inner]) => [key, plainValue(inner)] as const)
        .sort((a, b) => (a[0] < b[0] ? -1 : 1)),
    );
  return value.map(plainValue);
}

export function pointCount(metric: OtlpMetric): number {
  return metric.data?.points.length ?? 0;
}

/** Unix nanoseconds as ms. */
export function nanosToMs(nanos: bigint): number {
  return Number(nanos / 1_000_000n);
}

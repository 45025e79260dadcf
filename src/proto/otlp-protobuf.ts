import { WireError, WireReader } from '../encoding/protobuf.ts';
import {
  ATTRIBUTE_DEPTH_MAX,
  type Attributes,
  type AttributeValue,
  type ExponentialBuckets,
  type ExponentialPoint,
  FLAG_NO_RECORDED_VALUE,
  type HistogramPoint,
  type MetricData,
  type NumberPoint,
  nanosToMs,
  type OtlpExemplar,
  type OtlpMetric,
  type OtlpRequest,
  type Point,
  type ResourceMetrics,
  type ScopeMetrics,
  type SummaryPoint,
  TEMPORALITIES,
  type Temporality,
} from './otlp.ts';

/**
 * OTLP metrics as protobuf (opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest):
 *
 *   Request               1 resource_metrics…
 *   ResourceMetrics       1 resource{1 attributes…}, 2 scope_metrics…
 *   ScopeMetrics          1 scope{1 name, 2 version, 3 attributes…}, 2 metrics…, 3 schema_url
 *   Metric                1 name, 2 description, 3 unit, 5 gauge, 7 sum, 9 histogram, 10 exponential_histogram, 11 summary
 *   gauge … summary       1 data_points…, 2 aggregation_temporality enum, 3 is_monotonic (sum)
 *   NumberDataPoint       2 start fixed64 ns, 3 time fixed64 ns, 4 as_double, 6 as_int sfixed64, 5 exemplars…, 7 attributes…, 8 flags
 *   HistogramDataPoint    2 start, 3 time, 4 count fixed64, 5 sum double, 6 bucket_counts fixed64…, 7 explicit_bounds double…,
 *                         8 exemplars…, 9 attributes…, 10 flags
 *   ExponentialHistogram… 1 attributes…, 2 start, 3 time, 4 count fixed64, 5 sum, 6 scale sint32, 7 zero_count fixed64,
 *     DataPoint           8 positive, 9 negative {1 offset sint32, 2 bucket_counts uint64…}, 10 flags, 11 exemplars…, 14 zero_threshold
 *   SummaryDataPoint      2 start, 3 time, 4 count fixed64, 5 sum, 6 quantile_values…{1 quantile, 2 value}, 7 attributes…, 8 flags
 *   Exemplar              2 time fixed64, 3 as_double, 6 as_int sfixed64, 4 span_id, 5 trace_id, 7 filtered_attributes…
 *   KeyValue              1 key, 2 value AnyValue
 *   AnyValue              1 string, 2 bool, 3 int64, 4 double, 5 array{1 values…}, 6 kvlist{1 values…}, 7 bytes
 */
export function readOtlpRequest(bytes: Uint8Array): OtlpRequest {
  const resourceMetrics: ResourceMetrics[] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) if (reader.field === 1) resourceMetrics.push(readResourceMetrics(reader.message()));
  return { resourceMetrics };
}

function readResourceMetrics(reader: WireReader): ResourceMetrics {
  let attributes: Attributes = [];
  const scopeMetrics: ScopeMetrics[] = [];
  while (reader.next()) {
    if (reader.field === 1) attributes = readAttributesOf(reader.message(), 1);
    else if (reader.field === 2) scopeMetrics.push(readScopeMetrics(reader.message()));
  }
  return { attributes, scopeMetrics };
}

/** The attributes in field `field` of a message of which nothing else is of interest. */
function readAttributesOf(reader: WireReader, field: number): Attributes {
  const attributes: [string, AttributeValue][] = [];
  while (reader.next()) if (reader.field === field) attributes.push(readKeyValue(reader.message(), 0));
  return attributes;
}

function readScopeMetrics(reader: WireReader): ScopeMetrics {
  let scope = { name: '', version: '', attributes: [] as Attributes };
  let schemaUrl = '';
  const metrics: OtlpMetric[] = [];
  while (reader.next()) {
    if (reader.field === 1) scope = readScope(reader.message());
    else if (reader.field === 2) metrics.push(readMetric(reader.message()));
    else if (reader.field === 3) schemaUrl = reader.string();
  }
  return { ...scope, schemaUrl, metrics };
}

function readScope(reader: WireReader): { name: string; version: string; attributes: Attributes } {
  let name = '';
  let version = '';
  const attributes: [string, AttributeValue][] = [];
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) version = reader.string();
    else if (reader.field === 3) attributes.push(readKeyValue(reader.message(), 0));
  }
  return { name, version, attributes };
}

function readMetric(reader: WireReader): OtlpMetric {
  let name = '';
  let description = '';
  let unit = '';
  let data: MetricData | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) description = reader.string();
    else if (reader.field === 3) unit = reader.string();
    else data = readData(reader) ?? data;
  }
  return { name, description, unit, data };
}

function readData(reader: WireReader): MetricData | undefined {
  switch (reader.field) {
    case 5:
      return { kind: 'gauge', points: readPoints(reader.message(), readNumberPoint).points };
    case 7:
      return { kind: 'sum', ...readPoints(reader.message(), readNumberPoint) };
    case 9: {
      const { points, temporality } = readPoints(reader.message(), readHistogramPoint);
      return { kind: 'histogram', points, temporality };
    }
    case 10: {
      const { points, temporality } = readPoints(reader.message(), readExponentialPoint);
      return { kind: 'exponential_histogram', points, temporality };
    }
    case 11:
      return { kind: 'summary', points: readPoints(reader.message(), readSummaryPoint).points };
    default:
      return undefined;
  }
}

function readPoints<T>(
  reader: WireReader,
  readPoint: (reader: WireReader) => T,
): { points: T[]; temporality: Temporality; isMonotonic: boolean } {
  const points: T[] = [];
  let temporality: Temporality = 'unspecified';
  let isMonotonic = false;
  while (reader.next()) {
    if (reader.field === 1) points.push(readPoint(reader.message()));
    else if (reader.field === 2) temporality = TEMPORALITIES[reader.int()] ?? 'unspecified';
    else if (reader.field === 3) isMonotonic = reader.bool();
  }
  return { points, temporality, isMonotonic };
}

/** What all points have, while it is read. */
class PointFields implements Point {
  readonly attributes: [string, AttributeValue][] = [];
  startT = 0;
  t = 0;
  noRecordedValue = false;

  /** Reads a field all points have; their times have the same numbers everywhere. False when it is another one. */
  read(reader: WireReader, attributesField: number, flagsField: number): boolean {
    if (reader.field === 2) this.startT = nanosToMs(reader.fixed64());
    else if (reader.field === 3) this.t = nanosToMs(reader.fixed64());
    else if (reader.field === attributesField) this.attributes.push(readKeyValue(reader.message(), 0));
    else if (reader.field === flagsField)
      this.noRecordedValue = (reader.uint() & FLAG_NO_RECORDED_VALUE) !== 0;
    else return false;
    return true;
  }

  plain(): Point {
    return { ...this };
  }
}

function readNumberPoint(reader: WireReader): NumberPoint {
  const fields = new PointFields();
  let value = 0;
  const exemplars: OtlpExemplar[] = [];
  while (reader.next()) {
    if (fields.read(reader, 7, 8)) continue;
    if (reader.field === 4) value = reader.double();
    else if (reader.field === 6) value = reader.sfixed();
    else if (reader.field === 5) exemplars.push(readExemplar(reader.message()));
  }
  return { ...fields.plain(), value, exemplars };
}

function readHistogramPoint(reader: WireReader): HistogramPoint {
  const fields = new PointFields();
  let count = 0;
  let sum: number | undefined;
  const counts: bigint[] = [];
  const bounds: number[] = [];
  const exemplars: OtlpExemplar[] = [];
  while (reader.next()) {
    if (fields.read(reader, 9, 10)) continue;
    if (reader.field === 4) count = Number(reader.fixed64());
    else if (reader.field === 5) sum = reader.double();
    else if (reader.field === 6) reader.fixed64s(counts);
    else if (reader.field === 7) reader.doubles(bounds);
    else if (reader.field === 8) exemplars.push(readExemplar(reader.message()));
  }
  return { ...fields.plain(), count, sum, bucketCounts: counts.map(Number), bounds, exemplars };
}

const NO_BUCKETS: ExponentialBuckets = { offset: 0, counts: [] };

function readExponentialPoint(reader: WireReader): ExponentialPoint {
  const fields = new PointFields();
  let sum: number | undefined;
  const numbers = { count: 0, scale: 0, zeroCount: 0, zeroThreshold: 0 };
  let positive = NO_BUCKETS;
  let negative = NO_BUCKETS;
  const exemplars: OtlpExemplar[] = [];
  while (reader.next()) {
    if (fields.read(reader, 1, 10)) continue;
    if (reader.field === 4) numbers.count = Number(reader.fixed64());
    else if (reader.field === 5) sum = reader.double();
    else if (reader.field === 6) numbers.scale = reader.sint();
    else if (reader.field === 7) numbers.zeroCount = Number(reader.fixed64());
    else if (reader.field === 8) positive = readBuckets(reader.message());
    else if (reader.field === 9) negative = readBuckets(reader.message());
    else if (reader.field === 11) exemplars.push(readExemplar(reader.message()));
    else if (reader.field === 14) numbers.zeroThreshold = reader.double();
  }
  return { ...fields.plain(), ...numbers, sum, positive, negative, exemplars };
}

function readBuckets(reader: WireReader): ExponentialBuckets {
  let offset = 0;
  const counts: number[] = [];
  while (reader.next()) {
    if (reader.field === 1) offset = reader.sint();
    else if (reader.field === 2) reader.uints(counts);
  }
  return { offset, counts };
}

function readSummaryPoint(reader: WireReader): SummaryPoint {
  const fields = new PointFields();
  let count = 0;
  let sum = 0;
  const quantiles: { quantile: number; value: number }[] = [];
  while (reader.next()) {
    if (fields.read(reader, 7, 8)) continue;
    if (reader.field === 4) count = Number(reader.fixed64());
    else if (reader.field === 5) sum = reader.double();
    else if (reader.field === 6) quantiles.push(readQuantile(reader.message()));
  }
  return { ...fields.plain(), count, sum, quantiles };
}

function readQuantile(reader: WireReader): { quantile: number; value: number } {
  let quantile = 0;
  let value = 0;
  while (reader.next()) {
    if (reader.field === 1) quantile = reader.double();
    else if (reader.field === 2) value = reader.double();
  }
  return { quantile, value };
}

function readExemplar(reader: WireReader): OtlpExemplar {
  let t = 0;
  let value = 0;
  let spanId = '';
  let traceId = '';
  const attributes: [string, AttributeValue][] = [];
  while (reader.next()) {
    if (reader.field === 2) t = nanosToMs(reader.fixed64());
    else if (reader.field === 3) value = reader.double();
    else if (reader.field === 4) spanId = hex(reader.view());
    else if (reader.field === 5) traceId = hex(reader.view());
    else if (reader.field === 6) value = reader.sfixed();
    else if (reader.field === 7) attributes.push(readKeyValue(reader.message(), 0));
  }
  return { t, value, traceId, spanId, attributes };
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

function readKeyValue(reader: WireReader, depth: number): [string, AttributeValue] {
  let key = '';
  let value: AttributeValue;
  while (reader.next()) {
    if (reader.field === 1) key = reader.string();
    else if (reader.field === 2) value = readAnyValue(reader.message(), depth);
  }
  return [key, value];
}

function readAnyValue(reader: WireReader, depth: number): AttributeValue {
  if (depth > ATTRIBUTE_DEPTH_MAX)
    throw new WireError(`attribute value deeper than ${ATTRIBUTE_DEPTH_MAX}`, reader.tagStart);
  let value: AttributeValue;
  while (reader.next()) {
    if (reader.field === 1) value = reader.string();
    else if (reader.field === 2) value = reader.bool();
    else if (reader.field === 3) value = BigInt.asIntN(64, reader.uint64());
    else if (reader.field === 4) value = reader.double();
    else if (reader.field === 5) value = readArray(reader.message(), depth + 1);
    else if (reader.field === 6) value = { pairs: readMap(reader.message(), depth + 1) };
    else if (reader.field === 7) value = reader.view();
  }
  return value;
}

function readArray(reader: WireReader, depth: number): AttributeValue[] {
  const values: AttributeValue[] = [];
  while (reader.next()) if (reader.field === 1) values.push(readAnyValue(reader.message(), depth));
  return values;
}

function readMap(reader: WireReader, depth: number): Attributes {
  const entries: [string, AttributeValue][] = [];
  while (reader.next()) if (reader.field === 1) entries.push(readKeyValue(reader.message(), depth));
  return entries;
}

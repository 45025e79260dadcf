import { JsonNode } from './json-node.ts';
import {
  ATTRIBUTE_DEPTH_MAX,
  type Attributes,
  type AttributeValue,
  type ExponentialBuckets,
  FLAG_NO_RECORDED_VALUE,
  type MetricData,
  nanosToMs,
  type OtlpExemplar,
  type OtlpMetric,
  type OtlpRequest,
  type Point,
  type ScopeMetrics,
  TEMPORALITIES,
  type Temporality,
} from './otlp.ts';

/**
 * OTLP metrics as JSON: names in camelCase, 64-bit integers as texts, trace and span ids in hexadecimal, other bytes in
 * base64, enums as numbers. Fields not known are skipped. Throws `bad_data` naming the field.
 */
export function readOtlpJson(text: string): OtlpRequest {
  const resourceMetrics = JsonNode.parse(text)
    .list('resourceMetrics')
    .map((node) => ({
      attributes: readAttributes(node.get('resource'), 'attributes'),
      scopeMetrics: node.list('scopeMetrics').map(readScopeMetrics),
    }));
  return { resourceMetrics };
}

function readScopeMetrics(node: JsonNode): ScopeMetrics {
  const scope = node.get('scope');
  return {
    name: scope?.text('name') ?? '',
    version: scope?.text('version') ?? '',
    schemaUrl: node.text('schemaUrl'),
    attributes: readAttributes(scope, 'attributes'),
    metrics: node.list('metrics').map(readMetric),
  };
}

function readMetric(node: JsonNode): OtlpMetric {
  return {
    name: node.text('name'),
    description: node.text('description'),
    unit: node.text('unit'),
    data: readData(node),
  };
}

function readData(metric: JsonNode): MetricData | undefined {
  let node = metric.get('gauge');
  if (node) return { kind: 'gauge', points: node.list('dataPoints').map(readNumberPoint) };
  node = metric.get('sum');
  if (node)
    return {
      kind: 'sum',
      points: node.list('dataPoints').map(readNumberPoint),
      temporality: readTemporality(node),
      isMonotonic: node.bool('isMonotonic'),
    };
  node = metric.get('histogram');
  if (node)
    return {
      kind: 'histogram',
      points: node.list('dataPoints').map(readHistogramPoint),
      temporality: readTemporality(node),
    };
  node = metric.get('exponentialHistogram');
  if (node)
    return {
      kind: 'exponential_histogram',
      points: node.list('dataPoints').map(readExponentialPoint),
      temporality: readTemporality(node),
    };
  node = metric.get('summary');
  return node ? { kind: 'summary', points: node.list('dataPoints').map(readSummaryPoint) } : undefined;
}

/** A number, or the name of the enum's value, which some senders write. */
function readTemporality(node: JsonNode): Temporality {
  const field = node.get('aggregationTemporality');
  if (!field) return 'unspecified';
  const { value } = field;
  if (typeof value === 'string' && value.startsWith('AGGREGATION_TEMPORALITY_'))
    return TEMPORALITIES.find((name) => value.endsWith(`_${name.toUpperCase()}`)) ?? 'unspecified';
  return TEMPORALITIES[Number(field.asInteger())] ?? 'unspecified';
}

function readPoint(node: JsonNode): Point {
  return {
    attributes: readAttributes(node, 'attributes'),
    startT: nanosToMs(node.integer('startTimeUnixNano') ?? 0n),
    t: nanosToMs(node.integer('timeUnixNano') ?? 0n),
    noRecordedValue: (count(node, 'flags') & FLAG_NO_RECORDED_VALUE) !== 0,
  };
}

function count(node: JsonNode, key: string): number {
  return Number(node.integer(key) ?? 0n);
}

function readNumberPoint(node: JsonNode) {
  return { ...readPoint(node), value: readValue(node), exemplars: readExemplars(node) };
}

function readValue(node: JsonNode): number {
  return node.double('asDouble') ?? count(node, 'asInt');
}

function readHistogramPoint(node: JsonNode) {
  return {
    ...readPoint(node),
    count: count(node, 'count'),
    sum: node.double('sum'),
    bucketCounts: node.list('bucketCounts').map((inner) => Number(inner.asInteger())),
    bounds: node.list('explicitBounds').map((inner) => inner.asDouble()),
    exemplars: readExemplars(node),
  };
}

function readExponentialPoint(node: JsonNode) {
  return {
    ...readPoint(node),
    count: count(node, 'count'),
    sum: node.double('sum'),
    scale: count(node, 'scale'),
    zeroCount: count(node, 'zeroCount'),
    zeroThreshold: node.double('zeroThreshold') ?? 0,
    positive: readBuckets(node.get('positive')),
    negative: readBuckets(node.get('negative')),
    exemplars: readExemplars(node),
  };
}

function readBuckets(node: JsonNode | undefined): ExponentialBuckets {
  if (!node) return { offset: 0, counts: [] };
  return {
    offset: count(node, 'offset'),
    counts: node.list('bucketCounts').map((inner) => Number(inner.asInteger())),
  };
}

function readSummaryPoint(node: JsonNode) {
  const quantiles = node.list('quantileValues').map((inner) => ({
    quantile: inner.double('quantile') ?? 0,
    value: inner.double('value') ?? 0,
  }));
  return { ...readPoint(node), count: count(node, 'count'), sum: node.double('sum') ?? 0, quantiles };
}

function readExemplars(point: JsonNode): OtlpExemplar[] {
  return point.list('exemplars').map((node) => ({
    t: nanosToMs(node.integer('timeUnixNano') ?? 0n),
    value: readValue(node),
    traceId: hexText(node, 'traceId'),
    spanId: hexText(node, 'spanId'),
    attributes: readAttributes(node, 'filteredAttributes'),
  }));
}

function hexText(node: JsonNode, key: string): string {
  const text = node.text(key).toLowerCase();
  if (!/^([0-9a-f]{2})*$/.test(text)) throw node.get(key)!.wrong('hexadecimal');
  return text;
}

function readAttributes(node: JsonNode | undefined, key: string): Attributes {
  return node?.list(key).map((inner) => readKeyValue(inner, 0)) ?? [];
}

function readKeyValue(node: JsonNode, depth: number): [string, AttributeValue] {
  const value = node.get('value');
  return [node.text('key'), value && readAnyValue(value, depth)];
}

function readAnyValue(node: JsonNode, depth: number): AttributeValue {
  if (depth > ATTRIBUTE_DEPTH_MAX) throw node.wrong(`at a depth of ${ATTRIBUTE_DEPTH_MAX} or less`);
  if (node.get('stringValue')) return node.text('stringValue');
  if (node.get('boolValue')) return node.bool('boolValue');
  const integer = node.integer('intValue');
  if (integer !== undefined) return integer;
  const double = node.double('doubleValue');
  if (double !== undefined) return double;
  if (node.get('bytesValue')) return Buffer.from(node.text('bytesValue'), 'base64');
  const array = node.get('arrayValue');
  if (array) return array.list('values').map((inner) => readAnyValue(inner, depth + 1));
  const map = node.get('kvlistValue');
  return map && { pairs: map.list('values').map((inner) => readKeyValue(inner, depth + 1)) };
}

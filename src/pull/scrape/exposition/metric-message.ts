import type { WireReader } from '../../../encoding/protobuf.ts';
import type { Span } from '../../../model/histogram.ts';
import { Labels } from '../../../model/labels.ts';
import type { ExposedExemplar } from './parser.ts';

/** `io.prometheus.client.Metric`: the parts that matter to the type of its family. */
export interface MetricMessage {
  /** Names and values in turn, as sent. */
  readonly labels: string[];
  /** The bytes of the labels, one character each: the same for the same labels in the same order. */
  labelKey: string;
  /** ms; 0 when there is none. */
  timestampMs: number;
  /** Of a counter, gauge or untyped metric. */
  value: number;
  exemplar: ExposedExemplar | undefined;
  /** When a counter, summary or histogram began, ms; 0 when unknown. */
  startT: number;
  count: number;
  countFloat: number;
  sum: number;
  readonly quantiles: { quantile: number; value: number }[];
  readonly buckets: BucketMessage[];
  schema: number;
  zeroThreshold: number;
  zeroCount: number;
  zeroCountFloat: number;
  readonly positive: SideMessage;
  readonly negative: SideMessage;
  /** Of a native histogram; those without a timestamp are left out. */
  readonly exemplars: ExposedExemplar[];
}

export interface BucketMessage {
  upperBound: number;
  count: number;
  countFloat: number;
  exemplar: ExposedExemplar | undefined;
}

interface SideMessage {
  readonly spans: Span[];
  readonly deltas: number[];
  readonly counts: number[];
}

const LABEL = 1;
const GAUGE = 2;
const COUNTER = 3;
const SUMMARY = 4;
const UNTYPED = 5;
const TIMESTAMP = 6;
const HISTOGRAM = 7;

/** Throws `bad_data` when the message does not parse. */
export function readMetric(reader: WireReader): MetricMessage {
  const metric = emptyMetric();
  while (reader.next()) {
    if (reader.field === LABEL) {
      const { valueStart, valueEnd, bytes } = reader;
      metric.labelKey += `${Buffer.from(bytes.buffer, bytes.byteOffset + valueStart, valueEnd - valueStart).toString('latin1')}\xff`;
      readLabel(reader.message(), metric.labels);
    } else if (reader.field === TIMESTAMP) metric.timestampMs = reader.int();
    else if (reader.field === SUMMARY) readSummary(reader.message(), metric);
    else if (reader.field === HISTOGRAM) readHistogram(reader.message(), metric);
    else if (reader.field === GAUGE || reader.field === COUNTER || reader.field === UNTYPED)
      readSimple(reader.message(), metric);
  }
  return metric;
}

function emptyMetric(): MetricMessage {
  return {
    labels: [],
    labelKey: '',
    timestampMs: 0,
    value: 0,
    exemplar: undefined,
    startT: 0,
    count: 0,
    countFloat: 0,
    sum: 0,
    quantiles: [],
    buckets: [],
    schema: 0,
    zeroThreshold: 0,
    zeroCount: 0,
    zeroCountFloat: 0,
    positive: { spans: [], deltas: [], counts: [] },
    negative: { spans: [], deltas: [], counts: [] },
    exemplars: [],
  };
}

function readLabel(reader: WireReader, labels: string[]): void {
  let name = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) value = reader.string();
  }
  labels.push(name, value);
}

function readSimple(reader: WireReader, metric: MetricMessage): void {
  while (reader.next()) {
    if (reader.field === 1) metric.value = reader.double();
    else if (reader.field === 2) metric.exemplar = readExemplar(reader.message());
    else if (reader.field === 3) metric.startT = readTimestamp(reader.message());
  }
}

function readSummary(reader: WireReader, metric: MetricMessage): void {
  while (reader.next()) {
    if (reader.field === 1) metric.count = reader.uint();
    else if (reader.field === 2) metric.sum = reader.double();
    else if (reader.field === 3) metric.quantiles.push(readQuantile(reader.message()));
    else if (reader.field === 4) metric.startT = readTimestamp(reader.message());
  }
}

function readQuantile(reader: WireReader): { quantile: number; value: number } {
  const read = { quantile: 0, value: 0 };
  while (reader.next()) {
    if (reader.field === 1) read.quantile = reader.double();
    else if (reader.field === 2) read.value = reader.double();
  }
  return read;
}

function readHistogram(reader: WireReader, metric: MetricMessage): void {
  while (reader.next()) HISTOGRAM_FIELDS[reader.field]?.(reader, metric);
}

/** By field number. */
const HISTOGRAM_FIELDS: Readonly<Record<number, (reader: WireReader, metric: MetricMessage) => void>> = {
  1: (reader, metric) => (metric.count = reader.uint()),
  2: (reader, metric) => (metric.sum = reader.double()),
  3: (reader, metric) => metric.buckets.push(readBucket(reader.message())),
  4: (reader, metric) => (metric.countFloat = reader.double()),
  5: (reader, metric) => (metric.schema = reader.sint()),
  6: (reader, metric) => (metric.zeroThreshold = reader.double()),
  7: (reader, metric) => (metric.zeroCount = reader.uint()),
  8: (reader, metric) => (metric.zeroCountFloat = reader.double()),
  9: (reader, metric) => metric.negative.spans.push(readSpan(reader.message())),
  10: (reader, metric) => reader.sints(metric.negative.deltas),
  11: (reader, metric) => reader.doubles(metric.negative.counts),
  12: (reader, metric) => metric.positive.spans.push(readSpan(reader.message())),
  13: (reader, metric) => reader.sints(metric.positive.deltas),
  14: (reader, metric) => reader.doubles(metric.positive.counts),
  15: (reader, metric) => (metric.startT = readTimestamp(reader.message())),
  16: (reader, metric) => {
    const exemplar = readExemplar(reader.message());
    if (exemplar.t !== undefined) metric.exemplars.push(exemplar);
  },
};

function readBucket(reader: WireReader): BucketMessage {
  const bucket: BucketMessage = { upperBound: 0, count: 0, countFloat: 0, exemplar: undefined };
  while (reader.next()) {
    if (reader.field === 1) bucket.count = reader.uint();
    else if (reader.field === 2) bucket.upperBound = reader.double();
    else if (reader.field === 3) bucket.exemplar = readExemplar(reader.message());
    else if (reader.field === 4) bucket.countFloat = reader.double();
  }
  return bucket;
}

function readSpan(reader: WireReader): Span {
  let offset = 0;
  let length = 0;
  while (reader.next()) {
    if (reader.field === 1) offset = reader.sint();
    else if (reader.field === 2) length = reader.uint();
  }
  return { offset, length };
}

function readExemplar(reader: WireReader): ExposedExemplar {
  const flat: string[] = [];
  let value = 0;
  let t: number | undefined;
  while (reader.next()) {
    if (reader.field === 1) readLabel(reader.message(), flat);
    else if (reader.field === 2) value = reader.double();
    else if (reader.field === 3) t = readTimestamp(reader.message());
  }
  return { labels: Labels.from(pairsOf(flat)), value, t };
}

/** `google.protobuf.Timestamp` as ms. */
function readTimestamp(reader: WireReader): number {
  let seconds = 0;
  let nanos = 0;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.int();
    else if (reader.field === 2) nanos = reader.int();
  }
  return seconds * 1000 + Math.trunc(nanos / 1_000_000);
}

/** Name, value, name, value … as pairs. */
export function pairsOf(flat: readonly string[]): [string, string][] {
  const pairs: [string, string][] = [];
  for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
  return pairs;
}

import { WireReader, WireWriter } from '../encoding/protobuf.ts';
import {
  type Attributes,
  type AttributeValue,
  type ExponentialBuckets,
  type ExponentialPoint,
  FLAG_NO_RECORDED_VALUE,
  type HistogramPoint,
  type MetricData,
  type NumberPoint,
  type OtlpExemplar,
  type OtlpMetric,
  type OtlpRequest,
  type SummaryPoint,
  TEMPORALITIES,
} from './otlp.ts';

/** What an OTLP receiver answers when it took the request, with what it left out of it. */
export interface PartialSuccess {
  readonly rejectedDataPoints: number;
  /** Empty together with 0 rejected: everything is stored. */
  readonly errorMessage: string;
}

/** ExportMetricsServiceResponse: 1 partial_success {1 rejected_data_points int64, 2 error_message}; no bytes at full success. */
export function encodeOtlpResponse({ rejectedDataPoints, errorMessage }: PartialSuccess): Uint8Array {
  const writer = new WireWriter();
  if (rejectedDataPoints > 0 || errorMessage !== '')
    writer.message(1, () => {
      writer.int(1, rejectedDataPoints);
      writer.string(2, errorMessage);
    });
  return writer.bytes().slice();
}

export function readOtlpResponse(bytes: Uint8Array): PartialSuccess {
  let rejectedDataPoints = 0;
  let errorMessage = '';
  const reader = new WireReader(bytes);
  while (reader.next()) {
    if (reader.field !== 1) continue;
    const inner = reader.message();
    while (inner.next()) {
      if (inner.field === 1) rejectedDataPoints = inner.int();
      else if (inner.field === 2) errorMessage = inner.string();
    }
  }
  return { rejectedDataPoints, errorMessage };
}

/** google.rpc.Status, the body of a failure: 1 code int32, 2 message. */
export function encodeRpcStatus(code: number, message: string): Uint8Array {
  const writer = new WireWriter();
  writer.int(1, code);
  writer.string(2, message);
  return writer.bytes().slice();
}

/** The request as protobuf (layout in `otlp-protobuf.ts`). A fresh array. */
export function encodeOtlpRequest(request: OtlpRequest): Uint8Array {
  const writer = new WireWriter();
  for (const { attributes, scopeMetrics } of request.resourceMetrics)
    writer.message(1, () => {
      writer.message(1, () => writeAttributes(writer, 1, attributes));
      for (const scope of scopeMetrics)
        writer.message(2, () => {
          writer.message(1, () => {
            writer.string(1, scope.name);
            writer.string(2, scope.version);
            writeAttributes(writer, 3, scope.attributes);
          });
          for (const metric of scope.metrics) writer.message(2, () => writeMetric(writer, metric));
          writer.string(3, scope.schemaUrl);
        });
    });
  return writer.bytes().slice();
}

const DATA_FIELDS = { gauge: 5, sum: 7, histogram: 9, exponential_histogram: 10, summary: 11 } as const;

function writeMetric(writer: WireWriter, { name, description, unit, data }: OtlpMetric): void {
  writer.string(1, name);
  writer.string(2, description);
  writer.string(3, unit);
  if (!data) return;
  writer.message(DATA_FIELDS[data.kind], () => {
    writePoints(writer, data);
    if ('temporality' in data) writer.int(2, TEMPORALITIES.indexOf(data.temporality));
    if (data.kind === 'sum') writer.bool(3, data.isMonotonic);
  });
}

function writePoints(writer: WireWriter, data: MetricData): void {
  const write = <T>(points: readonly T[], writePoint: (writer: WireWriter, point: T) => void) => {
    for (const point of points) writer.message(1, () => writePoint(writer, point));
  };
  if (data.kind === 'histogram') write(data.points, writeHistogramPoint);
  else if (data.kind === 'exponential_histogram') write(data.points, writeExponentialPoint);
  else if (data.kind === 'summary') write(data.points, writeSummaryPoint);
  else write(data.points, writeNumberPoint);
}

function writeTimes(writer: WireWriter, { startT, t }: { startT: number; t: number }): void {
  writer.fixed64(2, BigInt(startT) * 1_000_000n);
  writer.fixed64(3, BigInt(t) * 1_000_000n);
}

function writeNumberPoint(writer: WireWriter, point: NumberPoint): void {
  writeTimes(writer, point);
  writer.double(4, point.value);
  writeExemplars(writer, 5, point.exemplars);
  writeAttributes(writer, 7, point.attributes);
  writer.int(8, point.noRecordedValue ? FLAG_NO_RECORDED_VALUE : 0);
}

function writeHistogramPoint(writer: WireWriter, point: HistogramPoint): void {
  writeTimes(writer, point);
  writer.fixed64(4, BigInt(point.count));
  if (point.sum !== undefined) writer.double(5, point.sum);
  for (const count of point.bucketCounts) writer.fixed64(6, BigInt(count));
  writer.packedDoubles(7, point.bounds);
  writeExemplars(writer, 8, point.exemplars);
  writeAttributes(writer, 9, point.attributes);
  writer.int(10, point.noRecordedValue ? FLAG_NO_RECORDED_VALUE : 0);
}

function writeExponentialPoint(writer: WireWriter, point: ExponentialPoint): void {
  writeAttributes(writer, 1, point.attributes);
  writeTimes(writer, point);
  writer.fixed64(4, BigInt(point.count));
  if (point.sum !== undefined) writer.double(5, point.sum);
  writer.sint(6, point.scale);
  writer.fixed64(7, BigInt(point.zeroCount));
  writer.message(8, () => writeBuckets(writer, point.positive));
  writer.message(9, () => writeBuckets(writer, point.negative));
  writer.int(10, point.noRecordedValue ? FLAG_NO_RECORDED_VALUE : 0);
  writeExemplars(writer, 11, point.exemplars);
  writer.double(14, point.zeroThreshold);
}

function writeBuckets(writer: WireWriter, { offset, counts }: ExponentialBuckets): void {
  writer.sint(1, offset);
  writer.packedUints(2, counts);
}

function writeSummaryPoint(writer: WireWriter, point: SummaryPoint): void {
  writeTimes(writer, point);
  writer.fixed64(4, BigInt(point.count));
  writer.double(5, point.sum);
  for (const { quantile, value } of point.quantiles)
    writer.message(6, () => {
      writer.double(1, quantile);
      writer.double(2, value);
    });
  writeAttributes(writer, 7, point.attributes);
  writer.int(8, point.noRecordedValue ? FLAG_NO_RECORDED_VALUE : 0);
}

function writeExemplars(writer: WireWriter, field: number, exemplars: readonly OtlpExemplar[]): void {
  for (const exemplar of exemplars)
    writer.message(field, () => {
      writer.fixed64(2, BigInt(exemplar.t) * 1_000_000n);
      writer.double(3, exemplar.value);
      writer.view(4, Buffer.from(exemplar.spanId, 'hex'));
      writer.view(5, Buffer.from(exemplar.traceId, 'hex'));
      writeAttributes(writer, 7, exemplar.attributes);
    });
}

function writeAttributes(writer: WireWriter, field: number, attributes: Attributes): void {
  for (const [key, value] of attributes)
    writer.message(field, () => {
      writer.string(1, key);
      writer.message(2, () => writeAnyValue(writer, value));
    });
}

function writeAnyValue(writer: WireWriter, value: AttributeValue): void {
  if (value === undefined) return;
  if (typeof value === 'string') writer.string(1, value);
  else if (typeof value === 'boolean') writer.bool(2, value);
  else if (typeof value === 'bigint') writer.uint64(3, value);
  else if (typeof value === 'number') writer.double(4, value);
  else if (value instanceof Uint8Array) writer.view(7, value);
  else if ('pairs' in value) writer.message(6, () => writeAttributes(writer, 1, value.pairs));
  else
    writer.message(5, () => {
      for (const inner of value) writer.message(1, () => writeAnyValue(writer, inner));
    });
}

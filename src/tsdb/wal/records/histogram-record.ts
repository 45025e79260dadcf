import { VeronaError } from '../../../model/errors.ts';
import {
  type AnyHistogram,
  type CounterResetHint,
  CUSTOM_BUCKETS_SCHEMA,
  type FloatHistogram,
  type Histogram,
  type Span,
} from '../../../model/histogram.ts';
import { ByteReader } from '../../format/byte-reader.ts';
import { ByteWriter } from '../../format/byte-writer.ts';
import { RecordType } from './record-type.ts';

export interface HistogramSample {
  readonly ref: number;
  readonly t: number;
  readonly histogram: AnyHistogram;
}

const HINTS: readonly CounterResetHint[] = ['unknown', 'reset', 'not_reset', 'gauge'];

/**
 * Histograms, each relative to the first in time and ref, as `samples`:
 *
 *   ┌──────┬─────────────┬───────────┬─────────────────────────────────────────────┬───
 *   │ type │ first ref 8B│ first t 8B│ ref - first varint │ t - first varint │ hist │ …
 *   └──────┴─────────────┴───────────┴─────────────────────────────────────────────┴───
 *   integer: hint 1B │ schema varint │ zero threshold 8B │ zero count uvarint │ count uvarint │ sum 8B │ spans + │ spans -
 *            │ bucket count uvarint, deltas varint… + │ the same - │ custom bounds: count uvarint, 8B each (schema -53 only)
 *   float:   the same with zero count, count and (absolute) buckets as 8B floats
 *   spans:   count uvarint, ( offset varint │ length uvarint )…
 *
 * All samples of one record are of one kind; `encodeHistogramRecords` makes as many records as there are kinds.
 */
export function encodeHistogramRecords(samples: readonly HistogramSample[]): Uint8Array[] {
  const byType = Map.groupBy(samples, ({ histogram }) => typeOf(histogram));
  return [...byType].map(([type, list]) => encodeRecord(type, list));
}

/** Reads a record of any of the four histogram types. Throws `corrupt`. */
export function decodeHistogramRecord(record: Uint8Array): HistogramSample[] {
  const isFloat = record[0] === RecordType.floatHistograms || record[0] === RecordType.customFloatHistograms;
  const reader = new ByteReader(record, 1);
  const samples: HistogramSample[] = [];
  if (reader.left === 0) return samples;
  const firstRef = reader.be64();
  const firstTime = reader.be64Signed();
  while (reader.left > 0) {
    const ref = firstRef + reader.varint();
    const t = firstTime + reader.varint();
    samples.push({ ref, t, histogram: isFloat ? decodeFloat(reader) : decodeInteger(reader) });
  }
  return samples;
}

function typeOf({ kind, schema }: AnyHistogram): RecordType {
  const isCustom = schema === CUSTOM_BUCKETS_SCHEMA;
  if (kind === 'float') return isCustom ? RecordType.customFloatHistograms : RecordType.floatHistograms;
  return isCustom ? RecordType.customHistograms : RecordType.histograms;
}

function encodeRecord(type: RecordType, samples: readonly HistogramSample[]): Uint8Array {
  const out = new ByteWriter(64 * samples.length);
  out.byte(type);
  out.be64(samples[0].ref);
  out.be64(samples[0].t);
  for (const { ref, t, histogram } of samples) {
    out.varint(ref - samples[0].ref);
    out.varint(t - samples[0].t);
    encodeHistogram(out, histogram);
  }
  return out.copy();
}

function encodeHistogram(out: ByteWriter, h: AnyHistogram): void {
  const count = (value: number) => (h.kind === 'float' ? out.float64(value) : out.uvarint(value));
  const bucket = (value: number) => (h.kind === 'float' ? out.float64(value) : out.varint(value));
  out.byte(HINTS.indexOf(h.counterResetHint));
  out.varint(h.schema);
  out.float64(h.zeroThreshold);
  count(h.zeroCount);
  count(h.count);
  out.float64(h.sum);
  for (const spans of [h.positiveSpans, h.negativeSpans]) {
    out.uvarint(spans.length);
    for (const span of spans) {
      out.varint(span.offset);
      out.uvarint(span.length);
    }
  }
  for (const buckets of [h.positiveBuckets, h.negativeBuckets]) {
    out.uvarint(buckets.length);
    for (const value of buckets) bucket(value);
  }
  if (h.schema !== CUSTOM_BUCKETS_SCHEMA) return;
  out.uvarint(h.customValues.length);
  for (const bound of h.customValues) out.float64(bound);
}

function decodeInteger(reader: ByteReader): Histogram {
  const head = decodeHead(reader, () => reader.uvarint());
  return { kind: 'integer', ...head, ...decodeBuckets(reader, head.schema, () => reader.varint()) };
}

function decodeFloat(reader: ByteReader): FloatHistogram {
  const head = decodeHead(reader, () => reader.float64());
  return { kind: 'float', ...head, ...decodeBuckets(reader, head.schema, () => reader.float64()) };
}

function decodeHead(reader: ByteReader, count: () => number) {
  const hint = HINTS[reader.byte()];
  if (!hint) throw new VeronaError('corrupt', `unknown counter reset hint at ${reader.at - 1}`);
  return {
    counterResetHint: hint,
    schema: reader.varint(),
    zeroThreshold: reader.float64(),
    zeroCount: count(),
    count: count(),
    sum: reader.float64(),
    positiveSpans: decodeList(reader, () => decodeSpan(reader)),
    negativeSpans: decodeList(reader, () => decodeSpan(reader)),
  };
}

function decodeBuckets(reader: ByteReader, schema: number, bucket: () => number) {
  return {
    positiveBuckets: decodeList(reader, bucket),
    negativeBuckets: decodeList(reader, bucket),
    customValues: schema === CUSTOM_BUCKETS_SCHEMA ? decodeList(reader, () => reader.float64()) : [],
  };
}

function decodeSpan(reader: ByteReader): Span {
  return { offset: reader.varint(), length: reader.uvarint() };
}

/** Every element has at least a byte, so `length()` bounds the count. */
function decodeList<T>(reader: ByteReader, element: () => T): T[] {
  const count = reader.length();
  const list: T[] = [];
  for (let i = 0; i < count; i++) list.push(element());
  return list;
}

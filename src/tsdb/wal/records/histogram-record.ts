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
import { readStart, writeStart } from './start-marker.ts';

export interface HistogramSample {
  readonly ref: number;
  readonly t: number;
  readonly histogram: AnyHistogram;
  /** ms; 0 or absent when unknown. */
  readonly startT?: number;
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
 *
 * With start timestamps (types 12 and 13, any schema) refs are relative to the sample before (`start-marker.ts`):
 *
 *   │ type │ first ref varint │ first t varint │ first st varint │ hist │ ( Δref varint │ t - first varint │ st │ hist )…
 */
export function encodeHistogramRecords(samples: readonly HistogramSample[]): Uint8Array[] {
  const byType = Map.groupBy(samples, ({ histogram, startT = 0 }) => typeOf(histogram, startT));
  return [...byType].map(([type, list]) =>
    isStarted(type) ? encodeStarted(type, list) : encodeRecord(type, list),
  );
}

/** Reads a record of any of the histogram types. Throws `corrupt`. */
export function decodeHistogramRecord(record: Uint8Array): HistogramSample[] {
  const type = record[0];
  const isFloat =
    type === RecordType.floatHistograms ||
    type === RecordType.customFloatHistograms ||
    type === RecordType.floatHistogramsST;
  const reader = new ByteReader(record, 1);
  if (isStarted(type)) return decodeStarted(reader, isFloat);
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

function decodeStarted(reader: ByteReader, isFloat: boolean): HistogramSample[] {
  const samples: HistogramSample[] = [];
  while (reader.left > 0) {
    const first = samples[0];
    const last = samples.at(-1);
    const ref = reader.varint() + (last?.ref ?? 0);
    const t = reader.varint() + (first?.t ?? 0);
    const startT =
      last === undefined ? reader.varint() : readStart(reader, first.startT ?? 0, last.startT ?? 0);
    samples.push({ ref, t, histogram: isFloat ? decodeFloat(reader) : decodeInteger(reader), startT });
  }
  return samples;
}

function encodeStarted(type: RecordType, samples: readonly HistogramSample[]): Uint8Array {
  const out = new ByteWriter(64 * samples.length);
  out.byte(type);
  for (const [i, { ref, t, histogram, startT = 0 }] of samples.entries()) {
    out.varint(i === 0 ? ref : ref - samples[i - 1].ref);
    out.varint(i === 0 ? t : t - samples[0].t);
    if (i === 0) out.varint(startT);
    else writeStart(out, startT, samples[0].startT ?? 0, samples[i - 1].startT ?? 0);
    encodeHistogram(out, histogram);
  }
  return out.copy();
}

function isStarted(type: number): boolean {
  return type === RecordType.histogramsST || type === RecordType.floatHistogramsST;
}

function typeOf({ kind, schema }: AnyHistogram, startT: number): RecordType {
  if (startT !== 0) return kind === 'float' ? RecordType.floatHistogramsST : RecordType.histogramsST;
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

import { WireError, WireReader, WireType } from '../encoding/protobuf.ts';
import { putUvarint, uvarintSize } from '../encoding/varint.ts';
import { LABEL_BYTES_MAX } from './head-memory.ts';

/** A TimeSeries of a write request, its own fields checked, those inside its samples and labels not. */
export interface PlainTimeSeries {
  readonly start: number;
  readonly end: number;
  /** The label fields one after the other as sent; for 2.0 made from symbols. */
  labels: Uint8Array;
  /** Start and end of each sample. */
  readonly samples: (readonly [number, number])[];
  /** Has exemplars or histograms. */
  hasOthers: boolean;
  metadataStart: number;
  metadataEnd: number;
}

/** Reads the TimeSeries at body[start … end), of remote write 2.0 when there are symbols. Throws `WireError`. */
export function readTimeSeries(
  body: Uint8Array,
  start: number,
  end: number,
  symbols?: readonly Uint8Array[],
): PlainTimeSeries {
  const series: PlainTimeSeries = {
    start,
    end,
    labels: new Uint8Array(),
    samples: [],
    hasOthers: false,
    metadataStart: 0,
    metadataEnd: 0,
  };
  const labelBytes: number[] = [];
  const refs: number[] = [];
  const reader = new WireReader(body, start, end);
  while (reader.next()) {
    if (reader.field === 1) {
      if (symbols) reader.uints(refs);
      else labelBytes.push(...fieldBytes(reader));
    } else readOther(reader, series, symbols !== undefined);
  }
  series.labels = symbols ? labelsOfRefs(refs, symbols, start) : Uint8Array.from(labelBytes);
  return series;
}

function fieldBytes(reader: WireReader): Uint8Array {
  reader.expect(WireType.bytes);
  return reader.bytes.subarray(reader.tagStart, reader.valueEnd);
}

function readOther(reader: WireReader, series: PlainTimeSeries, isV2: boolean): void {
  const { field } = reader;
  if (field > (isV2 ? 5 : 4)) return;
  reader.expect(WireType.bytes);
  if (field === 2) series.samples.push([reader.valueStart, reader.valueEnd]);
  else if (field === 5) {
    series.metadataStart = reader.valueStart;
    series.metadataEnd = reader.valueEnd;
  } else series.hasOthers = true;
}

function labelsOfRefs(refs: readonly number[], symbols: readonly Uint8Array[], offset: number): Uint8Array {
  if (refs.length % 2 === 1) throw new WireError('odd number of label references', offset);
  const out: number[] = [];
  for (let i = 0; i < refs.length; i += 2) {
    const name = symbols[refs[i]];
    const value = symbols[refs[i + 1]];
    if (!name || !value) throw new WireError('symbol reference out of range', offset);
    const size = 2 + uvarintSize(name.length) + name.length + uvarintSize(value.length) + value.length;
    if (out.length + 1 + uvarintSize(size) + size > LABEL_BYTES_MAX)
      throw new WireError('label set too long', offset);
    out.push(0x0a, ...uvarint(size), 0x0a, ...uvarint(name.length), ...name);
    out.push(0x12, ...uvarint(value.length), ...value);
  }
  return Uint8Array.from(out);
}

function uvarint(value: number): Uint8Array {
  const out = new Uint8Array(uvarintSize(value));
  putUvarint(out, 0, value);
  return out;
}

/**
 * Label bytes that may be made of the references in a 2.0 request of this size: a few references can stand for long
 * labels, again and again.
 */
export function labelBudget(bodyLength: number): number {
  return Math.max(2 ** 20, 64 * bodyLength);
}

/** The symbols of a 2.0 request up to the first field that cannot be read. */
export function readSymbols(body: Uint8Array): Uint8Array[] {
  const symbols: Uint8Array[] = [];
  const reader = new WireReader(body);
  try {
    while (reader.next())
      if (reader.field === 4 && reader.wireType === WireType.bytes) symbols.push(reader.view());
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
  }
  return symbols;
}

/** Time (all 64 bits) and value of the sample at body[start … end); what is not there is 0. Throws `WireError`. */
export function readSample(body: Uint8Array, start: number, end: number): { t: bigint; v: number } {
  const sample = { t: 0n, v: 0 };
  const reader = new WireReader(body, start, end);
  while (reader.next()) {
    if (reader.field === 1) sample.v = reader.double();
    else if (reader.field === 2) sample.t = BigInt.asIntN(64, reader.uint64());
  }
  return sample;
}

/** Whether these label fields have the form of `encoding/label-bytes.ts`. Throws `WireError` at `offset` when they do not parse. */
export function isCanonical(labels: Uint8Array, offset: number): boolean {
  let canonical = true;
  let previous: Uint8Array | undefined;
  const reader = new WireReader(labels);
  try {
    while (reader.next()) {
      const label = readLabel(reader.message());
      canonical &&= label.value.length > 0 && (!previous || Buffer.compare(previous, label.name) < 0);
      canonical &&= Buffer.compare(fieldBytes(reader), canonicalField(label.name, label.value)) === 0;
      previous = label.name;
    }
  } catch (error) {
    if (error instanceof WireError) throw new WireError(error.reason, offset);
    throw error;
  }
  return canonical;
}

function readLabel(reader: WireReader): { name: Uint8Array; value: Uint8Array } {
  const label = { name: new Uint8Array(), value: new Uint8Array() };
  while (reader.next()) {
    if (reader.field === 1) label.name = reader.view() as Uint8Array<ArrayBuffer>;
    else if (reader.field === 2) label.value = reader.view() as Uint8Array<ArrayBuffer>;
  }
  return label;
}

function canonicalField(name: Uint8Array, value: Uint8Array): Uint8Array {
  const inner = [0x0a, ...uvarint(name.length), ...name, 0x12, ...uvarint(value.length), ...value];
  return Uint8Array.from([0x0a, ...uvarint(inner.length), ...inner]);
}

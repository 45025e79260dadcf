import { afterVarint, encodeLabels, labelEnd, textEnd } from '../../../encoding/label-bytes.ts';
import { VeronaError } from '../../../model/errors.ts';
import { Labels } from '../../../model/labels.ts';
import { ByteReader } from '../../format/byte-reader.ts';
import { ByteWriter } from '../../format/byte-writer.ts';
import { RecordType } from './record-type.ts';

/**
 * Series and the numbers they have in the log:
 *
 *   ┌────────┬──────────────────────────────────────────────────────────────────────────┬───
 *   │ type 1 │ ref 8B BE │ label count uvarint │ ( length uvarint │ name │ length │ value )… │ …
 *   └────────┴──────────────────────────────────────────────────────────────────────────┴───
 */
export class SeriesRecordWriter {
  readonly #out = new ByteWriter(4096);

  constructor() {
    this.#out.byte(RecordType.series);
  }

  /** Bytes so far; 1 when there is no series. */
  get length(): number {
    return this.#out.length;
  }

  /** `labelBytes` are canonical (`encoding/label-bytes.ts`). */
  add(ref: number, labelBytes: Uint8Array): void {
    this.#out.be64(ref);
    this.#out.uvarint(countLabels(labelBytes));
    // Both forms have lengths as minimal varints: name and value are copied with theirs.
    for (let at = 0; at < labelBytes.length; ) {
      const nameAt = afterVarint(labelBytes, at + 1) + 1;
      const nameEnd = textEnd(labelBytes, nameAt);
      at = textEnd(labelBytes, nameEnd + 1);
      this.#out.range(labelBytes, nameAt, nameEnd);
      this.#out.range(labelBytes, nameEnd + 1, at);
    }
  }

  /** The record, a view that is valid until the next `add`; the writer is empty afterwards. */
  take(): Uint8Array {
    const record = this.#out.view();
    this.#out.clear();
    this.#out.byte(RecordType.series);
    return record;
  }
}

function countLabels(bytes: Uint8Array): number {
  let count = 0;
  for (let at = 0; at < bytes.length; at = labelEnd(bytes, at)) count++;
  return count;
}

/**
 * Calls `visit` for each series with its canonical label bytes, which are a view into memory that is reused: valid
 * during the call only. Label sets that are not in canonical form are brought into it. Throws `corrupt`.
 */
export function visitSeriesRecord(
  record: Uint8Array,
  visit: (ref: number, labelBytes: Uint8Array) => void,
): void {
  const reader = new ByteReader(record, 1);
  while (reader.left > 0) {
    const start = reader.at;
    const ref = reader.be64();
    const size = decodeLabelBytes(reader);
    if (size >= 0) visit(ref, scratch.subarray(0, size));
    else {
      reader.at = start + 8;
      visit(ref, encodeLabels(decodeAnyLabels(reader)));
    }
  }
}

let scratch = new Uint8Array(4096);

/** Puts the canonical bytes of the label set at the reader into `scratch`; -1 when the set is not in canonical form. */
function decodeLabelBytes(reader: ByteReader): number {
  const count = reader.length();
  let at = 0;
  let isCanonical = true;
  let lastStart = 0;
  let lastEnd = -1;
  const { bytes } = reader;
  for (let i = 0; i < count; i++) {
    const nameLength = reader.length();
    const nameStart = reader.at;
    reader.skip(nameLength);
    const valueLength = reader.length();
    const valueStart = reader.at;
    reader.skip(valueLength);
    if (
      valueLength === 0 ||
      (lastEnd >= 0 && !isLess(bytes, lastStart, lastEnd, nameStart, nameStart + nameLength))
    )
      isCanonical = false;
    lastStart = nameStart;
    lastEnd = nameStart + nameLength;
    const pair = 2 + sizeOf(nameLength) + nameLength + sizeOf(valueLength) + valueLength;
    if (at + pair + 6 > scratch.length) grow(at + pair + 6);
    scratch[at++] = 0x0a;
    at = put(at, pair);
    scratch[at++] = 0x0a;
    at = put(at, nameLength);
    at = copy(bytes, nameStart, nameLength, at);
    scratch[at++] = 0x12;
    at = put(at, valueLength);
    at = copy(bytes, valueStart, valueLength, at);
  }
  return isCanonical ? at : -1;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

function decodeAnyLabels(reader: ByteReader): Labels {
  const count = reader.length();
  const pairs: [string, string][] = [];
  for (let i = 0; i < count; i++) pairs.push([decodeText(reader), decodeText(reader)]);
  return Labels.from(pairs);
}

function decodeText(reader: ByteReader): string {
  const bytes = reader.take(reader.length());
  try {
    return decoder.decode(bytes);
  } catch {
    throw new VeronaError('corrupt', `label is not UTF-8 at ${reader.at - bytes.length}`);
  }
}

function isLess(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  while (a < aEnd && b < bEnd) {
    if (bytes[a] !== bytes[b]) return bytes[a] < bytes[b];
    a++;
    b++;
  }
  return a === aEnd && b < bEnd;
}

function copy(bytes: Uint8Array, start: number, length: number, at: number): number {
  if (length > 64) scratch.set(bytes.subarray(start, start + length), at);
  else for (let i = 0; i < length; i++) scratch[at + i] = bytes[start + i];
  return at + length;
}

function put(at: number, value: number): number {
  while (value >= 128) {
    scratch[at++] = (value & 127) | 128;
    value >>>= 7;
  }
  scratch[at++] = value;
  return at;
}

function sizeOf(value: number): number {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : value < 268435456 ? 4 : 5;
}

function grow(size: number): void {
  const grown = new Uint8Array(size * 2);
  grown.set(scratch);
  scratch = grown;
}

import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireError, WireReader } from '../encoding/protobuf.ts';
import { compareStrings, Labels } from '../model/labels.ts';

/**
 * Canonical label bytes of what a peer sent as repeated Label: a view when they are canonical already, else made anew
 * (sorted, empty values dropped). Throws `WireError` for bytes that do not decode and for a name given twice.
 */
export function canonicalLabels(bytes: Uint8Array): Uint8Array {
  return isCanonical(bytes) ? bytes : encodeLabels(decodeReceived(bytes));
}

function decodeReceived(bytes: Uint8Array): Labels {
  const pairs: [string, string][] = [];
  const reader = new WireReader(bytes);
  while (reader.next()) if (reader.field === 1) pairs.push(readPair(reader.message()));
  pairs.sort(([a], [b]) => compareStrings(a, b));
  for (let i = 1; i < pairs.length; i++)
    if (pairs[i][0] === pairs[i - 1][0])
      throw new WireError(`label ${JSON.stringify(pairs[i][0])} twice in one series`, 0);
  return Labels.from(pairs);
}

function readPair(reader: WireReader): [string, string] {
  let name = '';
  let value = '';
  while (reader.next()) {
    if (reader.field === 1) name = reader.string();
    else if (reader.field === 2) value = reader.string();
  }
  return [name, value];
}

/** Whether the bytes are pairs of minimal form, sorted by unique non-empty names, with non-empty values in UTF-8. */
function isCanonical(bytes: Uint8Array): boolean {
  let at = 0;
  let lastStart = 0;
  let lastEnd = -1;
  while (at < bytes.length) {
    if (bytes[at++] !== 0x0a) return false;
    const pair = lengthAt(bytes, at);
    if (pair < 0) return false;
    at += lengthSize(pair);
    const pairEnd = at + pair;
    const nameStart = textStart(bytes, at, 0x0a, pairEnd);
    if (nameStart < 0) return false;
    const nameEnd = nameStart + lengthAt(bytes, at + 1);
    const valueStart = textStart(bytes, nameEnd, 0x12, pairEnd);
    if (valueStart < 0 || valueStart + lengthAt(bytes, nameEnd + 1) !== pairEnd) return false;
    if (lastEnd >= 0 && compareRanges(bytes, lastStart, lastEnd, nameStart, nameEnd) >= 0) return false;
    lastStart = nameStart;
    lastEnd = nameEnd;
    at = pairEnd;
  }
  return isUtf8(bytes);
}

/** Where the text of the field with this tag begins; -1 unless it is there, not empty, minimal and within `end`. */
function textStart(bytes: Uint8Array, at: number, tag: number, end: number): number {
  if (end > bytes.length || at + 2 > end || bytes[at] !== tag) return -1;
  const length = lengthAt(bytes, at + 1);
  const start = at + 1 + lengthSize(length);
  return length <= 0 || start + length > end ? -1 : start;
}

/** A minimal varint of at most 4 bytes, or -1. */
function lengthAt(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = 0; i < 4; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) return -1;
    value |= (byte & 127) << (7 * i);
    if (byte < 128) return byte === 0 && i > 0 ? -1 : value;
  }
  return -1;
}

function lengthSize(value: number): number {
  return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

function compareRanges(
  bytes: Uint8Array,
  aStart: number,
  aEnd: number,
  bStart: number,
  bEnd: number,
): number {
  const length = Math.min(aEnd - aStart, bEnd - bStart);
  for (let i = 0; i < length; i++) {
    const order = bytes[aStart + i] - bytes[bStart + i];
    if (order !== 0) return order;
  }
  return aEnd - aStart - (bEnd - bStart);
}

/** Bytes below 128 are ASCII; others (text, or a length above 127) make a closer look necessary. */
function isUtf8(bytes: Uint8Array): boolean {
  if (isAscii(bytes)) return true;
  try {
    decodeReceived(bytes);
    return true;
  } catch {
    return false;
  }
}

function isAscii(bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (bytes[i] >= 128) return false;
  return true;
}

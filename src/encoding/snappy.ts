import { VeronaError } from '../model/errors.ts';
import { type ByteCursor, putUvarint, readUvarint } from './varint.ts';

/**
 * Snappy blocks (google/snappy, format_description.txt): a length, then elements that append to the output.
 *
 *   ┌──────────────┬─────────┬─────────┬─────
 *   │ uvarint size │ element │ element │ …      low two bits of an element's first byte:
 *   └──────────────┴─────────┴─────────┴─────
 *   00 literal  upper six bits = length-1, 60…63: length-1 in the next 1…4 bytes; then the bytes
 *   01 copy     length 4…11, offset 11 bits: 3 high bits of the tag and one byte
 *   10 copy     length 1…64, offset two bytes
 *   11 copy     length 1…64, offset four bytes
 */
export function snappyDecompress(body: Uint8Array, sizeMax: number): Uint8Array {
  const cursor: ByteCursor = { bytes: body, at: 0, end: body.length };
  const size = decodedSize(cursor, sizeMax);
  const out = new Uint8Array(size);
  let length = 0;
  while (cursor.at < body.length) {
    const start = cursor.at;
    const tag = body[cursor.at++];
    length =
      (tag & 3) === 0 ? literal(cursor, tag, out, length, start) : copy(cursor, tag, out, length, start);
  }
  if (length !== size) throw bad(body.length, 'decodes to less than announced');
  return out;
}

/** An element of 3 bytes appends 64 at most, so a longer output than this cannot come out. */
const SNAPPY_EXPANSION_MAX = 22;

function decodedSize(cursor: ByteCursor, sizeMax: number): number {
  let size: number;
  try {
    size = readUvarint(cursor);
  } catch {
    throw bad(0, 'no length');
  }
  if (cursor.at > 5 || size > 0xffffffff) throw bad(0, 'no length');
  if (size > sizeMax)
    throw new VeronaError('too_large', `snappy: decodes to ${size} bytes, ${sizeMax} allowed`);
  if (size > SNAPPY_EXPANSION_MAX * cursor.end) throw bad(0, 'length beyond what the input can hold');
  return size;
}

function literal(cursor: ByteCursor, tag: number, out: Uint8Array, at: number, start: number): number {
  const { bytes, end } = cursor;
  let length = (tag >>> 2) + 1;
  if (length > 60) {
    const extra = length - 60;
    if (cursor.at + extra > end) throw bad(start, 'element cut off');
    length = 1;
    for (let i = 0; i < extra; i++) length += bytes[cursor.at++] * 256 ** i;
  }
  if (length > end - cursor.at) throw bad(start, 'element cut off');
  if (length > out.length - at) throw bad(start, 'output longer than announced');
  out.set(bytes.subarray(cursor.at, cursor.at + length), at);
  cursor.at += length;
  return at + length;
}

function copy(cursor: ByteCursor, tag: number, out: Uint8Array, at: number, start: number): number {
  const { bytes, end } = cursor;
  const kind = tag & 3;
  const offsetBytes = kind === 3 ? 4 : kind;
  if (offsetBytes > end - cursor.at) throw bad(start, 'element cut off');
  const length = kind === 1 ? ((tag >>> 2) & 7) + 4 : (tag >>> 2) + 1;
  let offset = kind === 1 ? (tag >>> 5) * 256 : 0;
  for (let i = 0; i < offsetBytes; i++) offset += bytes[cursor.at++] * 256 ** i;
  if (offset === 0 || offset > at) throw bad(start, 'copy from outside the output');
  if (length > out.length - at) throw bad(start, 'output longer than announced');
  // Byte by byte: the source may overlap what is written.
  for (let i = 0; i < length; i++) out[at + i] = out[at - offset + i];
  return at + length;
}

function bad(offset: number, reason: string): VeronaError {
  return new VeronaError('bad_data', `snappy: ${reason} at ${offset}`);
}

const HASH_BITS = 14;
const BLOCK_SIZE = 65536;

/** The block form of `bytes`: matches of four bytes and more found through a hash table, per 64 KiB. */
export function snappyCompress(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(32 + bytes.length + Math.floor(bytes.length / 6));
  let at = putUvarint(out, 0, bytes.length);
  for (let start = 0; start < bytes.length; start += BLOCK_SIZE)
    at = encodeBlock(bytes, start, Math.min(bytes.length, start + BLOCK_SIZE), out, at);
  return out.slice(0, at);
}

function encodeBlock(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  const lastSeen = new Int32Array(1 << HASH_BITS).fill(-1);
  const word = (i: number) => bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
  let pending = start;
  for (let i = start; i + 4 <= end; ) {
    const slot = Math.imul(word(i), 0x1e35a7bd) >>> (32 - HASH_BITS);
    const candidate = lastSeen[slot];
    lastSeen[slot] = i;
    if (candidate < 0 || word(candidate) !== word(i)) {
      i++;
      continue;
    }
    let length = 4;
    while (i + length < end && bytes[candidate + length] === bytes[i + length]) length++;
    at = putLiteral(bytes, pending, i, out, at);
    at = putCopy(i - candidate, length, out, at);
    i += length;
    pending = i;
  }
  return putLiteral(bytes, pending, end, out, at);
}

function putLiteral(bytes: Uint8Array, start: number, end: number, out: Uint8Array, at: number): number {
  const length = end - start;
  if (length === 0) return at;
  if (length <= 60) out[at++] = (length - 1) << 2;
  else {
    out[at++] = length <= 256 ? 60 << 2 : 61 << 2;
    out[at++] = (length - 1) & 255;
    if (length > 256) out[at++] = (length - 1) >>> 8;
  }
  out.set(bytes.subarray(start, end), at);
  return at + length;
}

function putCopy(offset: number, length: number, out: Uint8Array, at: number): number {
  for (; length > 0; ) {
    // Never leaves a rest shorter than the four bytes a match begins with.
    const part = length >= 68 ? 64 : length > 64 ? 60 : length;
    out[at++] = ((part - 1) << 2) | 2;
    out[at++] = offset & 255;
    out[at++] = offset >>> 8;
    length -= part;
  }
  return at;
}

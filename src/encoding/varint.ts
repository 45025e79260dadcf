import { VeronaError } from '../model/errors.ts';

/**
 * Base-128 varints, lowest group first, the high bit meaning "more follows". Up to 64 bits take up to 10 bytes.
 * Values beyond 2⁵³ need the `big` forms; the plain ones refuse them.
 */
export const VARINT_SIZE_MAX = 10;

/** A place in bytes that moves as values are read. */
export interface ByteCursor {
  readonly bytes: Uint8Array;
  at: number;
  /** Nothing at or after it is read. */
  readonly end: number;
}

/** The unsigned varint at the cursor. Throws `bad_data` when it is cut off, longer than 10 bytes or beyond 2⁵³. */
export function readUvarint(cursor: ByteCursor): number {
  const start = cursor.at;
  const value = readBigUvarint(cursor);
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new VeronaError('bad_data', `varint too large at ${start}`);
  return Number(value);
}

/** As `readUvarint`, 64 bits; bits beyond the 64th are dropped, as Go's protobuf does. */
export function readBigUvarint(cursor: ByteCursor): bigint {
  const { bytes, end, at: start } = cursor;
  let value = 0n;
  for (let i = 0; i < VARINT_SIZE_MAX; i++) {
    if (start + i >= end) throw new VeronaError('bad_data', `varint cut off at ${start}`);
    const byte = bytes[start + i];
    value |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) {
      cursor.at = start + i + 1;
      return BigInt.asUintN(64, value);
    }
  }
  throw new VeronaError('bad_data', `varint longer than ${VARINT_SIZE_MAX} bytes at ${start}`);
}

/** A zigzag varint (0, -1, 1, -2 …), as Go's `binary.PutVarint` writes it. Throws as `readUvarint`. */
export function readVarint(cursor: ByteCursor): number {
  const start = cursor.at;
  const value = Number(unzigzag(readBigUvarint(cursor)));
  if (!Number.isSafeInteger(value)) throw new VeronaError('bad_data', `varint too large at ${start}`);
  return value;
}

/** Bytes of an unsigned integer ≤ 2⁵³ as a varint. */
export function uvarintSize(value: number): number {
  if (value >= LOW) return 4 + uvarintSize(Math.floor(value / LOW));
  return value < 2 ** 7 ? 1 : value < 2 ** 14 ? 2 : value < 2 ** 21 ? 3 : 4;
}

/** The first four groups are counted in 32 bits: a time takes one division instead of six. */
const LOW = 2 ** 28;

/** Writes an unsigned integer ≤ 2⁵³ and returns the place after it; there is room. */
export function putUvarint(out: Uint8Array, at: number, value: number): number {
  if (value >= LOW) {
    const high = Math.floor(value / LOW);
    const low = value - high * LOW;
    for (let shift = 0; shift < 28; shift += 7) out[at++] = (low >> shift) | 128;
    value = high;
  }
  for (; value >= 128; value >>= 7) out[at++] = value | 128;
  out[at++] = value;
  return at;
}

/** Writes 64 unsigned bits and returns the place after them; there is room. */
export function putBigUvarint(out: Uint8Array, at: number, value: bigint): number {
  for (; value >= 128n; value >>= 7n) out[at++] = Number(value & 127n) | 128;
  out[at++] = Number(value);
  return at;
}

/** Writes a signed integer, |value| ≤ 2⁵³, in zigzag form and returns the place after it; there is room. */
export function putVarint(out: Uint8Array, at: number, value: number): number {
  return putBigUvarint(out, at, zigzag(BigInt(value)));
}

export function zigzag(value: bigint): bigint {
  return value >= 0n ? value << 1n : (-value << 1n) - 1n;
}

export function unzigzag(value: bigint): bigint {
  return (value & 1n) === 0n ? value >> 1n : -((value + 1n) >> 1n);
}

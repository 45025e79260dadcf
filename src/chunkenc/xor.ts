import { VeronaError } from '../model/errors.ts';
import { assert } from '../platform/assert.ts';
import { BitReader, BitWriter } from './bits.ts';
import type { ChunkAppender } from './chunk.ts';
import { ChunkEncoding } from './encoding.ts';
import { XorValue } from './xor-value.ts';

/**
 * A chunk of float samples:
 *
 *   ┌──────────────┬────────────┬──────────┬──────────────┬──────────┬─────────────┬──────────┬─────
 *   │ count 2B BE  │ t₀ varint  │ v₀ 8B BE │ Δ₁ uvarint   │ v₁ (xor) │ ΔΔ₂ (bits)  │ v₂ (xor) │ …
 *   └──────────────┴────────────┴──────────┴──────────────┴──────────┴─────────────┴──────────┴─────
 *
 *   ΔΔ: 0 → same delta; 10 → 14 bits; 110 → 17 bits; 1110 → 20 bits; 1111 → 64 bits (two's complement, the highest
 *   pattern of the short forms being positive). Values: see `XorValue`.
 */
export const CHUNK_SAMPLES_MAX = 65535;
const HEADER_SIZE = 2;
const TWO_32 = 2 ** 32;

/** Samples as columns; own memory of the caller. */
export interface FloatColumns {
  /** ms, ascending. */
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** One per sample, ms, 0 when unknown; only from encodings that hold them. */
  readonly startTimes?: Float64Array;
}

export class XorAppender implements ChunkAppender {
  readonly encoding = ChunkEncoding.xor;
  readonly #out = new BitWriter();
  readonly #value = new XorValue();
  #count = 0;
  #t = 0;
  #delta = 0;

  constructor() {
    this.#out.write(0, 8 * HEADER_SIZE);
  }

  /** Continues a chunk. Throws `corrupt`. */
  static resume(chunk: Uint8Array): XorAppender {
    const { timestamps, values } = decodeXor(chunk, 0, chunk.length);
    const appender = new XorAppender();
    for (let i = 0; i < timestamps.length; i++) appender.append(timestamps[i], values[i]);
    return appender;
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#out.byteLength;
  }

  /** Time of the newest sample; only with `count` > 0. */
  get lastTime(): number {
    return this.#t;
  }

  /** `t` is later than `lastTime`; at most `CHUNK_SAMPLES_MAX` samples. A stale value keeps its bits when it comes straight from a typed array. */
  append(t: number, v: number): void {
    assert(this.#count === 0 || t > this.#t, 'samples of a chunk ascend in time');
    this.appendAgain(t, v);
  }

  /** As `append`, but `t` may be `lastTime` again: only in the counter part of an aggregate chunk. */
  appendAgain(t: number, v: number): void {
    assert(this.#count < CHUNK_SAMPLES_MAX, 'a chunk takes no more samples');
    assert(this.#count === 0 || t >= this.#t, 'samples of a chunk do not go back in time');
    const delta = t - this.#t;
    if (this.#count === 0) {
      writeVarint(this.#out, t);
      this.#value.writeFirst(this.#out, v);
    } else if (this.#count === 1) {
      writeUvarint(this.#out, delta);
      this.#value.writeNext(this.#out, v);
    } else {
      this.#writeDod(delta - this.#delta);
      this.#value.writeNext(this.#out, v);
    }
    this.#t = t;
    this.#delta = delta;
    this.#count++;
  }

  /** The chunk so far. A view, valid until the next append. */
  bytes(): Uint8Array {
    const bytes = this.#out.bytes();
    bytes[0] = this.#count >>> 8;
    bytes[1] = this.#count;
    return bytes;
  }

  #writeDod(dod: number): void {
    const out = this.#out;
    if (dod === 0) out.write(0, 1);
    else if (dod >= -8191 && dod <= 8192) out.write(0x8000 | (dod & 0x3fff), 16);
    else if (dod >= -65535 && dod <= 65536) out.write(0xc0000 | (dod & 0x1ffff), 20);
    else if (dod >= -524287 && dod <= 524288) out.write(0xe00000 | (dod & 0xfffff), 24);
    else {
      out.write(15, 4);
      out.write64(Math.floor(dod / TWO_32), dod >>> 0);
    }
  }
}

/**
 * The samples of the XOR chunk at bytes[start … start + length). Throws `corrupt`; trailing bytes are ignored. With
 * `repeats`, a time may be there again (see `appendAgain`).
 */
export function decodeXor(bytes: Uint8Array, start: number, length: number, repeats = false): FloatColumns {
  const end = checkedEnd(bytes, start, length, HEADER_SIZE);
  const count = (bytes[start] << 8) | bytes[start + 1];
  // Every sample but the first takes two bits at least.
  if (count > 4 * length) throw new VeronaError('corrupt', `${count} samples in a chunk of ${length} bytes`);
  const timestamps = new Float64Array(count);
  const valueWords = new Uint32Array(2 * count);
  const from = new BitReader(bytes, start + HEADER_SIZE, end);
  const value = new XorValue();
  let t = 0;
  let delta = 0;
  for (let i = 0; i < count; i++) {
    if (i === 0) {
      t = readVarint(from);
      value.readFirst(from);
    } else {
      delta = i === 1 ? readUvarint(from) : delta + readDod(from);
      t += delta;
      value.readNextBits(from);
    }
    timestamps[i] = t;
    valueWords[2 * i] = value.low;
    valueWords[2 * i + 1] = value.high;
  }
  checkTimes(timestamps, repeats);
  return { timestamps, values: new Float64Array(valueWords.buffer) };
}

/** The end of a chunk that must lie inside `bytes` and have a whole header. */
export function checkedEnd(bytes: Uint8Array, start: number, length: number, headerSize: number): number {
  if (start < 0 || length < headerSize || start + length > bytes.length)
    throw new VeronaError('corrupt', `chunk of ${length} bytes at ${start} in ${bytes.length} bytes`);
  return start + length;
}

/** Times must be integers that a number can hold, each later than the one before, or the same again if it may `repeat`. */
export function checkTimes(timestamps: Float64Array, repeats = false): void {
  const least = repeats ? 0 : 1;
  for (let i = 0; i < timestamps.length; i++) {
    const t = timestamps[i];
    if (!Number.isSafeInteger(t) || (i > 0 && t - timestamps[i - 1] < least))
      throw new VeronaError('corrupt', `time of sample ${i} is ${t}, after ${timestamps[i - 1] ?? 'none'}`);
  }
}

export function writeUvarint(out: BitWriter, value: number): void {
  while (value >= 128) {
    out.write((value % 128) | 128, 8);
    value = Math.floor(value / 128);
  }
  out.write(value, 8);
}

/** As `writeUvarint`, the sign in the lowest bit. */
export function writeVarint(out: BitWriter, value: number): void {
  writeUvarint(out, value >= 0 ? 2 * value : -2 * value - 1);
}

export function readVarint(from: BitReader): number {
  const zigzag = readUvarint(from);
  return zigzag % 2 === 0 ? zigzag / 2 : -(zigzag + 1) / 2;
}

/** Go's uvarint in whole bytes, wherever they begin. */
export function readUvarint(from: BitReader): number {
  let value = 0;
  for (let scale = 1; ; scale *= 128) {
    const byte = from.read(8);
    value += (byte & 127) * scale;
    if (byte < 128) return value;
    if (scale > 2 ** 63) throw new VeronaError('corrupt', `varint too long at byte ${from.offset}`);
  }
}

function readDod(from: BitReader): number {
  if (from.bit() === 0) return 0;
  if (from.bit() === 0) return signed(from.read(14), 14);
  if (from.bit() === 0) return signed(from.read(17), 17);
  if (from.bit() === 0) return signed(from.read(20), 20);
  const high = from.read(32);
  return (high | 0) * TWO_32 + from.read(32);
}

function signed(bits: number, length: number): number {
  return bits > 2 ** (length - 1) ? bits - 2 ** length : bits;
}

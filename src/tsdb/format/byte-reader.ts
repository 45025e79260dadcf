import { VeronaError } from '../../model/errors.ts';

const TWO_32 = 0x1_0000_0000;

/** The unsigned 32 bits at bytes[at], which are there, big endian; for one number without a reader. */
export function be32At(bytes: Uint8Array, at: number): number {
  return ((bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3]) >>> 0;
}

/**
 * Reads the integers of Prometheus' formats: big endian, varints as Go's `encoding/binary`. Reading past the end, or a
 * number that JavaScript cannot hold where it must be exact, throws `corrupt` with the offset.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  /** Made when first needed: it costs more than a short series entry of varints. */
  #dataView: DataView | undefined;
  /** Next byte to read. */
  at: number;
  readonly end: number;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
  }

  get #view(): DataView {
    this.#dataView ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
    return this.#dataView;
  }

  get left(): number {
    return this.end - this.at;
  }

  byte(): number {
    this.#need(1);
    return this.bytes[this.at++];
  }

  be32(): number {
    this.#need(4);
    const value = this.#view.getUint32(this.at);
    this.at += 4;
    return value;
  }

  /** Unsigned, exact; more than 2^53 is `corrupt`. */
  be64(): number {
    this.#need(8);
    const value = this.#view.getUint32(this.at) * TWO_32 + this.#view.getUint32(this.at + 4);
    if (value > Number.MAX_SAFE_INTEGER) throw this.#wrong('number beyond 2^53');
    this.at += 8;
    return value;
  }

  /** Signed; beyond 2^53 the nearest number. */
  be64Signed(): number {
    this.#need(8);
    const value = this.#view.getInt32(this.at) * TWO_32 + this.#view.getUint32(this.at + 4);
    this.at += 8;
    return value;
  }

  /** Reads the float through memory, so that a NaN keeps its bits when it is stored at once. */
  float64(): number {
    this.#need(8);
    const value = this.#view.getFloat64(this.at);
    this.at += 8;
    return value;
  }

  /** Exact; more than 2^53 is `corrupt`. */
  uvarint(): number {
    const value = this.#uvarint();
    if (typeof value === 'number') return value;
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.#wrong('number beyond 2^53');
    return Number(value);
  }

  /** A length of something in this buffer: at most what is left of it. */
  length(): number {
    const value = this.uvarint();
    if (value > this.left) throw this.#wrong(`length ${value} exceeds the ${this.left} bytes left`);
    return value;
  }

  /** Zigzag; beyond 2^53 the nearest number. */
  varint(): number {
    const value = this.#uvarint();
    if (typeof value === 'number') return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
    return Number((value >> 1n) ^ -(value & 1n));
  }

  /** A difference that Go wrote as uvarint though it may be negative, which wraps at 2^64; the nearest number beyond 2^53. */
  wrappedUvarint(): number {
    const value = this.#uvarint();
    return typeof value === 'number' ? value : Number(BigInt.asIntN(64, value));
  }

  /** The next `count` bytes, a view. */
  take(count: number): Uint8Array {
    this.#need(count);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  skip(count: number): void {
    this.#need(count);
    this.at += count;
  }

  #uvarint(): number | bigint {
    const { bytes, end } = this;
    let value = 0;
    let scale = 1;
    // Seven groups of seven bits stay exact in a number.
    for (let i = 0; i < 7; i++) {
      if (this.at >= end) throw this.#wrong('varint ends early');
      const byte = bytes[this.at++];
      if (byte < 128) return value + byte * scale;
      value += (byte - 128) * scale;
      scale *= 128;
    }
    let wide = BigInt(value);
    for (let i = 7; i < 10; i++) {
      if (this.at >= end) throw this.#wrong('varint ends early');
      const byte = bytes[this.at++];
      wide |= BigInt(byte & 127) << BigInt(7 * i);
      if (byte < 128) {
        if (i === 9 && byte > 1) break;
        return wide;
      }
    }
    throw this.#wrong('varint exceeds 64 bits');
  }

  #need(count: number): void {
    if (count > this.end - this.at) throw this.#wrong(`${count} bytes wanted, ${this.left} left`);
  }

  #wrong(what: string): VeronaError {
    return new VeronaError('corrupt', `${what} at ${this.at}`);
  }
}

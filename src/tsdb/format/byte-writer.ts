const TWO_32 = 0x1_0000_0000;
const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);
const encoder = new TextEncoder();

/** Grows as it is written: the integers of Prometheus' formats, big endian, varints as Go's `encoding/binary`. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** What was written; a view, valid until the next write or `clear`. */
  view(start = 0): Uint8Array {
    return this.#bytes.subarray(start, this.#length);
  }

  /** A copy of what was written. */
  copy(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
  }

  byte(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  be16(value: number): void {
    this.#room(2);
    this.#view.setUint16(this.#length, value);
    this.#length += 2;
  }

  be32(value: number): void {
    this.#room(4);
    this.#view.setUint32(this.#length, value);
    this.#length += 4;
  }

  /** A safe integer, two's complement when negative. */
  be64(value: number): void {
    this.#room(8);
    this.#view.setInt32(this.#length, Math.floor(value / TWO_32));
    this.#view.setUint32(this.#length + 4, value >>> 0);
    this.#length += 8;
  }

  float64(value: number): void {
    this.#room(8);
    this.#view.setFloat64(this.#length, value);
    this.#length += 8;
  }

  uvarint(value: number): void {
    this.#room(10);
    let at = this.#length;
    while (value >= TWO_32) {
      this.#bytes[at++] = (value % 128) | 128;
      value = Math.floor(value / 128);
    }
    while (value >= 128) {
      this.#bytes[at++] = (value & 127) | 128;
      value >>>= 7;
    }
    this.#bytes[at++] = value;
    this.#length = at;
  }

  /** Zigzag; numbers beyond 64 bits become the largest or smallest that fits. */
  varint(value: number): void {
    if (value >= -(2 ** 51) && value <= 2 ** 51) {
      this.uvarint(value >= 0 ? value * 2 : -value * 2 - 1);
      return;
    }
    const wide = value >= 2 ** 63 ? INT64_MAX : value <= -(2 ** 63) ? INT64_MIN : BigInt(value);
    let rest = BigInt.asUintN(64, (wide << 1n) ^ (wide >> 63n));
    for (; rest >= 128n; rest >>= 7n) this.byte(Number(rest & 127n) | 128);
    this.byte(Number(rest));
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** source[start … end), which is short: a loop is faster than a view and a call for some dozens of bytes. */
  range(source: Uint8Array, start: number, end: number): void {
    this.#room(end - start);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = start; i < end; i++) bytes[at++] = source[i];
    this.#length = at;
  }

  /** Bytes after their length as uvarint. */
  prefixed(value: Uint8Array): void {
    this.uvarint(value.length);
    this.bytes(value);
  }

  /** UTF-8 after its length as uvarint. */
  string(value: string): void {
    this.prefixed(encoder.encode(value));
  }

  /** Zeros up to a multiple of `size`, counted from `origin` bytes before the first byte written here. */
  pad(size: number, origin = 0): void {
    const missing = (size - ((origin + this.#length) % size)) % size;
    this.#room(missing);
    this.#bytes.fill(0, this.#length, this.#length + missing);
    this.#length += missing;
  }

  /** Puts a number into four bytes written before. */
  setBe32(at: number, value: number): void {
    this.#view.setUint32(at, value);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

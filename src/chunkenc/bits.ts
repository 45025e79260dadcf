import { VeronaError } from '../model/errors.ts';

/**
 * Bits in the order of Prometheus' chunks: the first bit written is the highest of the first byte. 64-bit values
 * come as two unsigned 32-bit words. The buffer grows; `bytes()` may be asked at any time and writing goes on.
 */
export class BitWriter {
  #buffer: Uint8Array;
  /** Whole words written, in bytes. */
  #at = 0;
  /** The bits of the word under way, from the top, and how many. */
  #word = 0;
  #used = 0;

  constructor(capacity = 128) {
    this.#buffer = new Uint8Array(Math.max(8, capacity));
  }

  get byteLength(): number {
    return this.#at + ((this.#used + 7) >>> 3);
  }

  /** Appends the low `length` (0 … 32) bits of `value`. */
  write(value: number, length: number): void {
    if (length === 0) return;
    const bits = length === 32 ? value : value & ((1 << length) - 1);
    const free = 32 - this.#used;
    if (length < free) {
      this.#word |= bits << (free - length);
      this.#used += length;
      return;
    }
    const rest = length - free;
    this.#flush(this.#word | (bits >>> rest));
    this.#word = rest === 0 ? 0 : bits << (32 - rest);
    this.#used = rest;
  }

  /** Appends the low `length` (0 … 64) bits of high·2³² + low. */
  write64(high: number, low: number, length = 64): void {
    if (length > 32) this.write(high, length - 32);
    this.write(low, Math.min(32, length));
  }

  /** The bits so far, the last byte filled with zeros. A view, valid until the next write; bytes may be patched through it. */
  bytes(): Uint8Array {
    this.#reserve();
    putWord(this.#buffer, this.#at, this.#word);
    return this.#buffer.subarray(0, this.byteLength);
  }

  #flush(word: number): void {
    this.#reserve();
    putWord(this.#buffer, this.#at, word);
    this.#at += 4;
  }

  #reserve(): void {
    if (this.#at + 4 <= this.#buffer.length) return;
    const larger = new Uint8Array(2 * this.#buffer.length);
    larger.set(this.#buffer);
    this.#buffer = larger;
  }
}

function putWord(buffer: Uint8Array, at: number, word: number): void {
  buffer[at] = word >>> 24;
  buffer[at + 1] = word >>> 16;
  buffer[at + 2] = word >>> 8;
  buffer[at + 3] = word;
}

/** Reads what `BitWriter` wrote. Reading past the end throws `corrupt`; nothing else is checked here. */
export class BitReader {
  readonly #bytes: Uint8Array;
  readonly #start: number;
  /** In bits, from the beginning of `bytes`. */
  #at: number;
  readonly #end: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#start = start;
    this.#at = start * 8;
    this.#end = end * 8;
  }

  get bitsLeft(): number {
    return this.#end - this.#at;
  }

  /** Bytes begun since the start: where to look when something is wrong. */
  get offset(): number {
    return (this.#at >>> 3) - this.#start;
  }

  bit(): number {
    if (this.#at >= this.#end) throw this.#exhausted(1);
    const bit = (this.#bytes[this.#at >>> 3] >>> (7 - (this.#at & 7))) & 1;
    this.#at++;
    return bit;
  }

  /** The next `length` (1 … 32) bits, unsigned. */
  read(length: number): number {
    if (this.#at + length > this.#end) throw this.#exhausted(length);
    const bytes = this.#bytes;
    const p = this.#at >>> 3;
    const shift = this.#at & 7;
    this.#at += length;
    // Bytes past the end of the array read as undefined, which the shifts turn into zero.
    let word = (bytes[p] << 24) | (bytes[p + 1] << 16) | (bytes[p + 2] << 8) | bytes[p + 3];
    if (shift > 0) word = (word << shift) | (bytes[p + 4] >>> (8 - shift));
    return word >>> (32 - length);
  }

  #exhausted(length: number): VeronaError {
    return new VeronaError('corrupt', `chunk ends at byte ${this.offset}, ${length} more bits expected`);
  }
}

const scratch = new Float64Array(1);
const words = new Uint32Array(scratch.buffer);

/** The bits of a float: call, then read `floatWords[1]` (high) and `floatWords[0]` (low) before the next call. */
export function splitFloat(value: number): Uint32Array {
  scratch[0] = value;
  return words;
}

export function joinFloat(high: number, low: number): number {
  words[1] = high;
  words[0] = low;
  return scratch[0];
}

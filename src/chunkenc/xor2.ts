import { VeronaError } from '../model/errors.ts';
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../model/sample.ts';
import { assert } from '../platform/assert.ts';
import { BitReader, BitWriter, splitFloat } from './bits.ts';
import type { ChunkAppender } from './chunk.ts';
import { ChunkEncoding } from './encoding.ts';
import { StartTimeReader, StartTimeWriter } from './start-times.ts';
import {
  CHUNK_SAMPLES_MAX,
  checkedEnd,
  checkTimes,
  type FloatColumns,
  readUvarint,
  readVarint,
  writeUvarint,
  writeVarint,
} from './xor.ts';
import { XorValue } from './xor-value.ts';

/**
 * A chunk of float samples that may have start timestamps (Prometheus 3, `xor2-encoding`):
 *
 *   ┌─────────────┬────────────────┬───────────┬──────────┬─────────────┬──────────────┬───────┬──────────────────────┬───
 *   │ count 2B BE │ start times 1B │ t₀ varint │ v₀ 8B BE │ st₀, if any │ Δ₁ uvarint   │ value │ st₁, if any │ sample │ …
 *   └─────────────┴────────────────┴───────────┴──────────┴─────────────┴──────────────┴───────┴──────────────────────┴───
 *
 *   sample   0                    same Δ, same value
 *            10 ⟨change⟩          same Δ, another value: 0 ⟨bits in the window⟩ or 1 ⟨new window⟩
 *            110 ⟨ΔΔ: 13⟩ ⟨value⟩   1110 ⟨ΔΔ: 20⟩ ⟨value⟩   11110 ⟨ΔΔ: 64⟩ ⟨value⟩      two's complement
 *            11111                same Δ, stale
 *   value    0 same   10 ⟨bits in the window⟩   110 ⟨new window⟩   111 stale
 *
 * Windows are those of `XorValue`; values are compared with the last one that was not stale. Start times: `start-times.ts`.
 */
const HEADER_SIZE = 3;
const TWO_32 = 2 ** 32;
const VALUE_CODES = { reused: { bits: 0b10, length: 2 }, fresh: { bits: 0b110, length: 3 } };
const CHANGE_CODES = { reused: { bits: 0, length: 1 }, fresh: { bits: 1, length: 1 } };

export class Xor2Appender implements ChunkAppender {
  readonly encoding = ChunkEncoding.xor2;
  readonly #out = new BitWriter();
  readonly #value = new XorValue();
  readonly #startTimes = new StartTimeWriter();
  #count = 0;
  #t = 0;
  #delta = 0;

  constructor() {
    this.#out.write(0, 8 * HEADER_SIZE);
  }

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#out.byteLength;
  }

  get lastTime(): number {
    return this.#t;
  }

  /** `t` is later than `lastTime`; at most `CHUNK_SAMPLES_MAX` samples; `startT` 0 when unknown. Stale values as in `XorAppender`. */
  append(t: number, v: number, startT = 0): void {
    assert(this.#count < CHUNK_SAMPLES_MAX, 'a chunk takes no more samples');
    assert(this.#count === 0 || t > this.#t, 'samples of a chunk ascend in time');
    const words = splitFloat(v);
    const high = words[1];
    const low = words[0];
    const delta = t - this.#t;
    if (this.#count === 0) this.#writeFirst(t, high, low);
    else if (this.#count === 1) {
      writeUvarint(this.#out, delta);
      this.#writeValue(high, low);
    } else this.#writeNext(delta - this.#delta, high, low);
    this.#startTimes.write(this.#out, this.#count, t, this.#t, startT);
    this.#delta = this.#count === 0 ? 0 : delta;
    this.#t = t;
    this.#count++;
  }

  /** The chunk so far. A view, valid until the next append. */
  bytes(): Uint8Array {
    const bytes = this.#out.bytes();
    bytes[0] = this.#count >>> 8;
    bytes[1] = this.#count;
    bytes[2] = this.#startTimes.header;
    return bytes;
  }

  #writeFirst(t: number, high: number, low: number): void {
    writeVarint(this.#out, t);
    this.#out.write64(high, low);
    if (isStaleBits(high, low)) return;
    this.#value.high = high;
    this.#value.low = low;
  }

  #writeNext(dod: number, high: number, low: number): void {
    const out = this.#out;
    if (dod === 0) {
      if (isStaleBits(high, low)) out.write(0b11111, 5);
      else if (this.#isSame(high, low)) out.write(0, 1);
      else {
        out.write(0b10, 2);
        this.#value.writeChange(out, high, low, CHANGE_CODES.reused, CHANGE_CODES.fresh);
      }
      return;
    }
    if (dod >= -4096 && dod <= 4095) out.write((0b110 << 13) | (dod & 0x1fff), 16);
    else if (dod >= -524_288 && dod <= 524_287) out.write((0b1110 << 20) | (dod & 0xfffff), 24);
    else {
      out.write(0b11110, 5);
      out.write64(Math.floor(dod / TWO_32), dod >>> 0);
    }
    this.#writeValue(high, low);
  }

  #writeValue(high: number, low: number): void {
    if (isStaleBits(high, low)) this.#out.write(0b111, 3);
    else if (this.#isSame(high, low)) this.#out.write(0, 1);
    else this.#value.writeChange(this.#out, high, low, VALUE_CODES.reused, VALUE_CODES.fresh);
  }

  #isSame(high: number, low: number): boolean {
    return high === this.#value.high && low === this.#value.low;
  }
}

/** The samples of the chunk at bytes[start … start + length). Throws `corrupt`; trailing bytes are ignored. */
export function decodeXor2(bytes: Uint8Array, start: number, length: number): FloatColumns {
  const end = checkedEnd(bytes, start, length, HEADER_SIZE);
  const count = (bytes[start] << 8) | bytes[start + 1];
  const header = bytes[start + 2];
  // Every sample but the first takes a bit at least.
  if (count > 8 * length) throw new VeronaError('corrupt', `${count} samples in a chunk of ${length} bytes`);
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  const words = new Uint32Array(values.buffer);
  const startTimes = header === 0 ? undefined : new Float64Array(count);
  const reader = new SampleReader(new BitReader(bytes, start + HEADER_SIZE, end), header);
  for (let i = 0; i < count; i++) {
    const startT = reader.next(i);
    timestamps[i] = reader.t;
    words[2 * i] = reader.low;
    words[2 * i + 1] = reader.high;
    if (startTimes) startTimes[i] = startT;
  }
  checkTimes(timestamps);
  return { timestamps, values, ...(startTimes && { startTimes }) };
}

/** Leaves one sample after the other in `t`, `high` and `low`. */
class SampleReader {
  t = 0;
  high = 0;
  low = 0;
  readonly #from: BitReader;
  /** The last one that was not stale. */
  readonly #value = new XorValue();
  readonly #startTimes: StartTimeReader;
  #delta = 0;

  constructor(from: BitReader, header: number) {
    this.#from = from;
    this.#startTimes = new StartTimeReader(header);
  }

  /** Reads sample `index`; returns its start timestamp. */
  next(index: number): number {
    const previousT = this.t;
    if (index === 0) this.#readFirst();
    else if (index === 1) {
      this.#delta = readUvarint(this.#from);
      this.t += this.#delta;
      this.#readValue();
    } else this.#readJoint();
    return this.#startTimes.read(this.#from, index, this.t, previousT);
  }

  #readFirst(): void {
    this.t = readVarint(this.#from);
    this.high = this.#from.read(32);
    this.low = this.#from.read(32);
    if (isStaleBits(this.high, this.low)) return;
    this.#value.high = this.high;
    this.#value.low = this.low;
  }

  #readJoint(): void {
    const from = this.#from;
    let ones = 0;
    while (ones < 5 && from.bit() === 1) ones++;
    if (ones === 2) this.#delta += signed(from.read(13), 13);
    else if (ones === 3) this.#delta += signed(from.read(20), 20);
    else if (ones === 4) {
      const high = from.read(32);
      this.#delta += (high | 0) * TWO_32 + from.read(32);
    }
    this.t += this.#delta;
    if (ones === 0) this.#take();
    else if (ones === 1) this.#readChange();
    else if (ones === 5) this.#takeStale();
    else this.#readValue();
  }

  #readChange(): void {
    if (this.#from.bit() === 1) this.#value.readNewWindow(this.#from);
    else this.#value.readInWindow(this.#from);
    this.#take();
  }

  #readValue(): void {
    let ones = 0;
    while (ones < 3 && this.#from.bit() === 1) ones++;
    if (ones === 1) this.#value.readInWindow(this.#from);
    else if (ones === 2) this.#value.readNewWindow(this.#from);
    if (ones === 3) this.#takeStale();
    else this.#take();
  }

  #take(): void {
    this.high = this.#value.high;
    this.low = this.#value.low;
  }

  #takeStale(): void {
    this.high = STALE_NAN_HIGH;
    this.low = STALE_NAN_LOW;
  }
}

function isStaleBits(high: number, low: number): boolean {
  return high === STALE_NAN_HIGH && low === STALE_NAN_LOW;
}

function signed(bits: number, length: number): number {
  return bits >= 2 ** (length - 1) ? bits - 2 ** length : bits;
}

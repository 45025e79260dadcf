import { VeronaError } from '../model/errors.ts';
import { type BitReader, type BitWriter, joinFloat, splitFloat } from './bits.ts';

/** The low `length` bits of `bits`: what tells a reader what comes next. */
export interface BitCode {
  readonly bits: number;
  readonly length: number;
}

const REUSED_WINDOW: BitCode = { bits: 0b10, length: 2 };
const NEW_WINDOW: BitCode = { bits: 0b11, length: 2 };
/** Leading zeros of a window that was never written. */
const NO_WINDOW = 255;

/**
 * One float that changes from sample to sample, written as the XOR with its previous bits (Gorilla):
 *
 *   0                                            same bits as before
 *   10 ⟨bits⟩                                    the XOR inside the previous window of significant bits
 *   11 ⟨leading: 5⟩ ⟨significant: 6⟩ ⟨bits⟩      a new window; 64 significant bits are written as 0
 */
export class XorValue {
  high = 0;
  low = 0;
  #leading = NO_WINDOW;
  #trailing = 0;

  get value(): number {
    return joinFloat(this.high, this.low);
  }

  /** Sets the value without writing; the first one of a chunk is stored in full. */
  set(value: number): void {
    const words = splitFloat(value);
    this.high = words[1];
    this.low = words[0];
  }

  writeFirst(out: BitWriter, value: number): void {
    this.set(value);
    out.write64(this.high, this.low);
  }

  writeNext(out: BitWriter, value: number): void {
    const words = splitFloat(value);
    this.writeNextBits(out, words[1], words[0]);
  }

  writeNextBits(out: BitWriter, high: number, low: number): void {
    if (high === this.high && low === this.low) out.write(0, 1);
    else this.writeChange(out, high, low, REUSED_WINDOW, NEW_WINDOW);
  }

  /** Writes bits that differ from the last ones, behind the code of a window that is used again or of a new one. */
  writeChange(out: BitWriter, high: number, low: number, reused: BitCode, fresh: BitCode): void {
    const xorHigh = (high ^ this.high) >>> 0;
    const xorLow = (low ^ this.low) >>> 0;
    this.high = high;
    this.low = low;
    // Leading zeros have five bits on disk: more than 31 count as 31.
    const leading = Math.min(31, Math.clz32(xorHigh));
    const trailing = xorLow === 0 ? 32 + trailingZeros(xorHigh) : trailingZeros(xorLow);
    if (this.#leading !== NO_WINDOW && leading >= this.#leading && trailing >= this.#trailing)
      out.write(reused.bits, reused.length);
    else {
      this.#leading = leading;
      this.#trailing = trailing;
      out.write(fresh.bits, fresh.length);
      out.write((leading << 6) | ((64 - leading - trailing) & 63), 11);
    }
    this.#writeSignificant(out, xorHigh, xorLow);
  }

  readFirst(from: BitReader): number {
    this.high = from.read(32);
    this.low = from.read(32);
    return this.value;
  }

  readNext(from: BitReader): number {
    this.readNextBits(from);
    return this.value;
  }

  /** Leaves the bits in `high` and `low`. Throws `corrupt` for a window that reaches beyond the word. */
  readNextBits(from: BitReader): void {
    if (from.bit() === 0) return;
    if (from.bit() === 1) this.readNewWindow(from);
    else this.readInWindow(from);
  }

  /** After the code of a new window. */
  readNewWindow(from: BitReader): void {
    this.#leading = from.read(5);
    const significant = from.read(6) || 64;
    this.#trailing = 64 - this.#leading - significant;
    if (this.#trailing < 0)
      throw new VeronaError(
        'corrupt',
        `XOR window of ${this.#leading} + ${significant} bits at byte ${from.offset}`,
      );
    this.#readSignificant(from);
  }

  /** After the code of a window that is used again. */
  readInWindow(from: BitReader): void {
    // An appender that was resumed starts with all 64 bits.
    if (this.#leading === NO_WINDOW) this.#leading = 0;
    this.#readSignificant(from);
  }

  #writeSignificant(out: BitWriter, xorHigh: number, xorLow: number): void {
    const length = 64 - this.#leading - this.#trailing;
    const shift = this.#trailing;
    if (shift === 0) out.write64(xorHigh, xorLow, length);
    else if (shift >= 32) out.write(xorHigh >>> (shift - 32), length);
    else out.write64(xorHigh >>> shift, (xorLow >>> shift) | (xorHigh << (32 - shift)), length);
  }

  #readSignificant(from: BitReader): void {
    const length = 64 - this.#leading - this.#trailing;
    const top = length > 32 ? from.read(length - 32) : 0;
    const bottom = from.read(Math.min(32, length));
    const shift = this.#trailing;
    if (shift === 0) {
      this.high = (this.high ^ top) >>> 0;
      this.low = (this.low ^ bottom) >>> 0;
    } else if (shift >= 32) this.high = (this.high ^ (bottom << (shift - 32))) >>> 0;
    else {
      this.high = (this.high ^ ((top << shift) | (bottom >>> (32 - shift)))) >>> 0;
      this.low = (this.low ^ (bottom << shift)) >>> 0;
    }
  }
}

function trailingZeros(word: number): number {
  return 31 - Math.clz32(word & -word);
}

import type { BitReader, BitWriter } from './bits.ts';
import { readVarbitInt, writeVarbitInt } from './varbit.ts';
import { readVarint, writeVarint } from './xor.ts';

/**
 * Start timestamps in chunks of Prometheus 3, each behind the sample it belongs to. A byte in the chunk's header says
 * which samples have one:
 *
 *   bit 7      the first sample has one:  t₀ - st₀ varint
 *   bits 6–0   n > 0: from sample n on every sample has one, relative to the time of the sample before:
 *              sample n: tₙ₋₁ - stₙ varbit; later ones: the change of that difference, varbit
 *
 * Samples without one have that of the sample before. 0 is unknown. A change at sample 127 or later begins at 127.
 */
const FIRST_KNOWN = 0x80;
const CHANGE_MAX = 0x7f;

export class StartTimeWriter {
  /** The byte in the header, so far. */
  header = 0;
  #startT = 0;
  #difference = 0;

  /** To be called for every sample, `index` from 0, after the rest of it was written. */
  write(out: BitWriter, index: number, t: number, previousT: number, startT: number): void {
    if (index === 0) {
      if (startT !== 0) {
        this.header = FIRST_KNOWN;
        writeVarint(out, t - startT);
      }
    } else {
      const changes = (this.header & CHANGE_MAX) !== 0;
      if (!changes && startT === this.#startT && index !== CHANGE_MAX) return;
      const difference = previousT - startT;
      if (!changes) this.header |= index;
      writeVarbitInt(out, changes ? difference - this.#difference : difference);
      this.#difference = difference;
    }
    this.#startT = startT;
  }
}

export class StartTimeReader {
  readonly #isFirstKnown: boolean;
  readonly #changeAt: number;
  #startT = 0;
  #difference = 0;

  constructor(header: number) {
    this.#isFirstKnown = (header & FIRST_KNOWN) !== 0;
    this.#changeAt = header & CHANGE_MAX;
  }

  /** The start timestamp of the sample that was read last. */
  read(from: BitReader, index: number, t: number, previousT: number): number {
    if (index === 0) {
      if (this.#isFirstKnown) this.#startT = t - readVarint(from);
    } else if (this.#changeAt > 0 && index >= this.#changeAt) {
      const read = readVarbitInt(from);
      this.#difference = index === this.#changeAt ? read : this.#difference + read;
      this.#startT = previousT - this.#difference;
    }
    return this.#startT;
  }
}

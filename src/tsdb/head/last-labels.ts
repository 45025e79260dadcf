import type { ValuePostings } from './head-index.ts';

/** One label of the series before, and where the index has it. */
interface LastPair {
  readonly name: string;
  readonly value: string;
  readonly values: ValuePostings;
  /** The id of its postings list; 0 when one series had it. */
  list: number;
}

/**
 * The labels of the series added to the index last, by position. Series come target by target, so that most labels of
 * the next one are in the same place: comparing 26 bytes replaces two texts and two look-ups.
 */
export class LastLabels {
  readonly pairs: LastPair[] = [];
  #bytes = new Uint8Array(512);
  /** Where each pair ends in `#bytes`, and where those of the series being added end. */
  #ends: number[] = [];
  #nextEnds: number[] = [];
  #count = 0;

  /** Whether pair `i` was bytes[start … end). */
  has(i: number, bytes: Uint8Array, start: number, end: number): boolean {
    if (i >= this.#count) return false;
    const from = i === 0 ? 0 : this.#ends[i - 1];
    if (this.#ends[i] - from !== end - start) return false;
    const own = this.#bytes;
    for (let k = end - start - 1; k >= 0; k--) if (own[from + k] !== bytes[start + k]) return false;
    return true;
  }

  /** Pair `i` of the series being added ends at `end`. */
  note(i: number, end: number): void {
    this.#nextEnds[i] = end;
  }

  /** From now on these `count` labels are the last ones; what differed was put into `pairs`. */
  keep(bytes: Uint8Array, count: number): void {
    if (bytes.length > this.#bytes.length) this.#bytes = new Uint8Array(2 * bytes.length);
    this.#bytes.set(bytes);
    [this.#ends, this.#nextEnds] = [this.#nextEnds, this.#ends];
    this.#count = count;
  }

  /** To be called when series leave the index: lists may be other ones afterwards. */
  clear(): void {
    this.#count = 0;
  }
}

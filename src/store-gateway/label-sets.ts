import { compareLabelBytes } from '../storage/compare-label-bytes.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';

const BYTES_FIRST = 64 * 1024;
const PLACES_FIRST = 2048;
/** Places of the table for each set. */
const ROOM = 2;

/** Distinct label sets by their canonical bytes, in one piece of memory: open addressing with linear probing. */
export class LabelSets {
  #bytes = new Uint8Array(BYTES_FIRST);
  /** Where each set begins, and the last one ends. */
  #starts: Uint32Array = new Uint32Array(PLACES_FIRST / ROOM + 1);
  #count = 0;
  /** Number + 1 of the set at a place; 0 for none. */
  #table: Uint32Array = new Uint32Array(PLACES_FIRST);

  /** Memory it takes. */
  get sizeBytes(): number {
    return this.#bytes.length + this.#starts.byteLength + this.#table.byteLength;
  }

  /** Adds those of all series of a batch. */
  addAll({ seriesCount, labelBytes, labelOffsets }: SeriesBatch): void {
    let last = -2;
    for (let i = 0; i < seriesCount; i++) {
      const [start, end] = [labelOffsets[i], labelOffsets[i + 1]];
      // Sources have much the same series in the same order.
      if (last + 1 < this.#count && last >= 0 && this.#isSet(last + 1, labelBytes, start, end)) last++;
      else last = this.#add(labelBytes, start, end);
    }
  }

  /** Each of them in the order of labels; views. */
  sorted(): Uint8Array[] {
    const all = Array.from({ length: this.#count }, (_, i) =>
      this.#bytes.subarray(this.#starts[i], this.#starts[i + 1]),
    );
    return all.sort(compareLabelBytes);
  }

  /** The number of the set, which may be new. */
  #add(bytes: Uint8Array, start: number, end: number): number {
    if (ROOM * (this.#count + 1) > this.#table.length) this.#grow();
    const mask = this.#table.length - 1;
    for (let place = hash(bytes, start, end) & mask; ; place = (place + 1) & mask) {
      const number = this.#table[place] - 1;
      if (number >= 0 && this.#isSet(number, bytes, start, end)) return number;
      if (number < 0) {
        this.#table[place] = this.#count + 1;
        return this.#append(bytes, start, end);
      }
    }
  }

  #append(bytes: Uint8Array, start: number, end: number): number {
    const at = this.#starts[this.#count];
    const size = at + end - start;
    if (size > this.#bytes.length) this.#bytes = grown(this.#bytes, new Uint8Array(2 * size));
    this.#bytes.set(bytes.subarray(start, end), at);
    this.#starts[++this.#count] = size;
    return this.#count - 1;
  }

  #grow(): void {
    const size = 2 * this.#table.length;
    this.#starts = grown(this.#starts, new Uint32Array(size / ROOM + 1));
    this.#table = new Uint32Array(size);
    for (let number = 0; number < this.#count; number++) {
      let place = hash(this.#bytes, this.#starts[number], this.#starts[number + 1]) & (size - 1);
      while (this.#table[place] !== 0) place = (place + 1) & (size - 1);
      this.#table[place] = number + 1;
    }
  }

  #isSet(number: number, bytes: Uint8Array, start: number, end: number): boolean {
    let at = this.#starts[number];
    if (this.#starts[number + 1] - at !== end - start) return false;
    while (start < end) if (this.#bytes[at++] !== bytes[start++]) return false;
    return true;
  }
}

/** Four bytes at a time, with a final mix. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let h = end - start;
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const word = bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
    h = Math.imul(((h << 13) | (h >>> 19)) ^ word, 0x9e3779b1);
  }
  for (; at < end; at++) h = Math.imul(h ^ bytes[at], 0x01000193);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d);
  return (h ^ (h >>> 13)) >>> 0;
}

function grown<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

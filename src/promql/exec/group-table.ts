import { secretWords } from '../../platform/secret.ts';
import type { ByteRange, LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';

/** Empty places of the table. */
const NONE = -1;
const SLOTS_MIN = 64;
/** A word per byte: who sends labels cannot make them meet in one slot. The numbers of groups do not depend on it. */
const SECRET = secretWords(256);

/**
 * Numbers the groups of rows in the order in which they are met: rows with the same labels under a grouping have the
 * same number. An open-addressing table over the label bytes that count, so that no row costs a string.
 */
export class GroupTable {
  readonly grouping: LabelGrouping;
  /** Group by slot; its hash and where its bytes are in `#bytes`, by group. */
  #slots = new Int32Array(SLOTS_MIN).fill(NONE);
  #hashes = new Int32Array(SLOTS_MIN);
  #ends = new Uint32Array(SLOTS_MIN);
  #bytes = new Uint8Array(1024);
  #count = 0;
  readonly #row: ByteRange = { bytes: new Uint8Array(), start: 0, end: 0 };

  constructor(grouping: LabelGrouping) {
    this.grouping = grouping;
  }

  /** One number per distinct label set, the metric name included. */
  static ofWholeRows(): GroupTable {
    return new GroupTable(LabelGrouping.everything());
  }

  /** How many groups there are; the next new one gets this number. */
  get count(): number {
    return this.#count;
  }

  /** The group of a row, made when it is new. */
  idOf(column: LabelColumn, i: number): number {
    const hash = this.#hashRow(column, i);
    const slot = this.#find(hash);
    return this.#slots[slot] === NONE ? this.#insert(slot, hash) : this.#slots[slot];
  }

  /** The group of a row, or -1 when no row of it was met. */
  find(column: LabelColumn, i: number): number {
    return this.#slots[this.#find(this.#hashRow(column, i))];
  }

  /** Finds the ranges of a row that count and hashes them. */
  #hashRow(column: LabelColumn, i: number): number {
    const row = this.#row;
    column.bytesOf(i, row);
    this.grouping.findRanges(row, column.metadataHidden);
    const { ranges, rangeCount } = this.grouping;
    const { bytes } = row;
    let hash = SECRET[0];
    for (let r = 0; r < rangeCount; r++) {
      const end = ranges[2 * r + 1];
      for (let at = ranges[2 * r]; at < end; at++)
        hash = Math.imul((hash << 5) | (hash >>> 27), 0x9e3779b1) ^ SECRET[bytes[at]];
    }
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    return hash ^ (hash >>> 13);
  }

  /** The slot where the row hashed last is, or would be. */
  #find(hash: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; this.#slots[slot] !== NONE; slot = (slot + 1) & mask) {
      const group = this.#slots[slot];
      if (this.#hashes[group] === hash && this.#equals(group)) return slot;
    }
    return slot;
  }

  #equals(group: number): boolean {
    const { ranges, rangeCount } = this.grouping;
    const { bytes } = this.#row;
    const known = this.#bytes;
    const knownEnd = this.#ends[group];
    let knownAt = group === 0 ? 0 : this.#ends[group - 1];
    for (let r = 0; r < rangeCount; r++) {
      const end = ranges[2 * r + 1];
      if (end - ranges[2 * r] > knownEnd - knownAt) return false;
      for (let at = ranges[2 * r]; at < end; at++) if (bytes[at] !== known[knownAt++]) return false;
    }
    return knownAt === knownEnd;
  }

  #insert(slot: number, hash: number): number {
    const group = this.#count++;
    this.#slots[slot] = group;
    if (group === this.#hashes.length) this.#growGroups();
    this.#hashes[group] = hash;
    this.#ends[group] = this.#keepBytes(group === 0 ? 0 : this.#ends[group - 1]);
    if (2 * this.#count > this.#slots.length) this.#growSlots();
    return group;
  }

  #keepBytes(at: number): number {
    const { ranges, rangeCount } = this.grouping;
    for (let r = 0; r < rangeCount; r++) {
      const part = this.#row.bytes.subarray(ranges[2 * r], ranges[2 * r + 1]);
      if (at + part.length > this.#bytes.length) {
        const larger = new Uint8Array(2 * (at + part.length));
        larger.set(this.#bytes.subarray(0, at));
        this.#bytes = larger;
      }
      this.#bytes.set(part, at);
      at += part.length;
    }
    return at;
  }

  #growGroups(): void {
    const hashes = new Int32Array(2 * this.#hashes.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
    const ends = new Uint32Array(hashes.length);
    ends.set(this.#ends);
    this.#ends = ends;
  }

  #growSlots(): void {
    const slots = new Int32Array(2 * this.#slots.length).fill(NONE);
    const mask = slots.length - 1;
    for (let group = 0; group < this.#count; group++) {
      let slot = this.#hashes[group] & mask;
      while (slots[slot] !== NONE) slot = (slot + 1) & mask;
      slots[slot] = group;
    }
    this.#slots = slots;
  }
}

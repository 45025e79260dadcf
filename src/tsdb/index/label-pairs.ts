import { secretWords } from '../../platform/secret.ts';
import { compareLabelBytes } from '../../storage/compare-label-bytes.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { appendPair } from './pair-bytes.ts';
import type { Symbols } from './symbols.ts';

const SLOTS_MIN = 1024;
const BYTES_MIN = 64 * 1024;
/** Pairs of one index whose refs are kept. */
const CACHED_MAX = 65_536;
/** A word per byte: who sends labels cannot make them meet in one slot. */
const SECRET = secretWords(256);

/**
 * Numbers the label pairs of many indexes: equal pairs have one number, from 1 up, whatever index they come from, so that
 * label sets of different blocks are compared number by number. A pair is looked up by its bytes once per index; from
 * then on its number is found by the refs of its symbols.
 */
export class LabelPairs {
  /** The canonical label bytes of pair `n` are #bytes[#starts[n] … #starts[n + 1]). */
  #bytes = new Uint8Array(BYTES_MIN);
  #starts = new Uint32Array(SLOTS_MIN);
  #hashes = new Int32Array(SLOTS_MIN);
  /** Pair by slot, 0 in empty ones; at most half of them are taken. */
  #slots = new Int32Array(2 * SLOTS_MIN);
  #count = 0;
  readonly #scratch = new ByteWriter();
  readonly #indexes = new WeakMap<Symbols, IndexPairs>();

  /** Memory in use for the pairs; beside it each index takes up to 768 KiB. */
  get sizeBytes(): number {
    return this.#bytes.length + 4 * (2 * this.#hashes.length + this.#slots.length);
  }

  /** The numbers of the pairs of the index with these symbols. */
  of(symbols: Symbols): IndexPairs {
    let pairs = this.#indexes.get(symbols);
    if (pairs === undefined) {
      pairs = new IndexPairs(symbols, this);
      this.#indexes.set(symbols, pairs);
    }
    return pairs;
  }

  /** The number of a pair, given in UTF-8. */
  numberOf(name: Uint8Array, value: Uint8Array): number {
    this.#scratch.clear();
    appendPair(this.#scratch, name, value);
    const pair = this.#scratch.view();
    const hash = hashOf(pair);
    const mask = this.#slots.length - 1;
    let slot = hash & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const known = this.#slots[slot];
      if (this.#hashes[known] === hash && this.#equals(known, pair)) return known;
    }
    return this.#insert(slot, hash, pair);
  }

  /** Orders two different pairs as `compareLabels` does: by name, then by value. */
  compare(a: number, b: number): number {
    return compareLabelBytes(this.#bytesOf(a), this.#bytesOf(b));
  }

  /** Appends the canonical label bytes of a pair. */
  write(pair: number, out: ByteWriter): void {
    out.range(this.#bytes, this.#starts[pair], this.#starts[pair + 1]);
  }

  #bytesOf(pair: number): Uint8Array {
    return this.#bytes.subarray(this.#starts[pair], this.#starts[pair + 1]);
  }

  #equals(known: number, pair: Uint8Array): boolean {
    const start = this.#starts[known];
    if (this.#starts[known + 1] - start !== pair.length) return false;
    for (let i = 0; i < pair.length; i++) if (this.#bytes[start + i] !== pair[i]) return false;
    return true;
  }

  #insert(slot: number, hash: number, pair: Uint8Array): number {
    const number = ++this.#count;
    if (number + 1 >= this.#hashes.length) this.#grow();
    const start = this.#starts[number];
    if (start + pair.length > this.#bytes.length) {
      const larger = new Uint8Array(2 * (start + pair.length));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    this.#bytes.set(pair, start);
    this.#starts[number + 1] = start + pair.length;
    this.#hashes[number] = hash;
    if (2 * number > this.#slots.length) this.#rehash();
    else this.#slots[slot] = number;
    return number;
  }

  #grow(): void {
    const starts = new Uint32Array(2 * this.#starts.length);
    starts.set(this.#starts);
    this.#starts = starts;
    const hashes = new Int32Array(starts.length);
    hashes.set(this.#hashes);
    this.#hashes = hashes;
  }

  #rehash(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let number = 1; number <= this.#count; number++) {
      let slot = this.#hashes[number] & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number;
    }
    this.#slots = slots;
  }
}

/** The numbers of the pairs of the index with these symbols, by the refs of the symbols: a direct-mapped cache. */
export class IndexPairs {
  readonly #symbols: Symbols;
  readonly #all: LabelPairs;
  readonly #mask: number;
  /** By the low bits of a value's ref: the refs of the pair seen last, plus 1, and its number. */
  readonly #values: Uint32Array;
  readonly #names: Uint32Array;
  readonly #numbers: Uint32Array;

  constructor(symbols: Symbols, all: LabelPairs) {
    this.#symbols = symbols;
    this.#all = all;
    const size = Math.min(CACHED_MAX, 2 ** Math.ceil(Math.log2(symbols.count + 1)));
    this.#mask = size - 1;
    this.#values = new Uint32Array(size);
    this.#names = new Uint32Array(size);
    this.#numbers = new Uint32Array(size);
  }

  /** Throws `corrupt` when the index has no such symbols. */
  numberOf(name: number, value: number): number {
    const slot = value & this.#mask;
    if (this.#values[slot] === value + 1 && this.#names[slot] === name + 1) return this.#numbers[slot];
    const number = this.#all.numberOf(this.#symbols.bytesOf(name), this.#symbols.bytesOf(value));
    this.#values[slot] = value + 1;
    this.#names[slot] = name + 1;
    this.#numbers[slot] = number;
    return number;
  }
}

function hashOf(bytes: Uint8Array): number {
  let hash = SECRET[0];
  for (let i = 0; i < bytes.length; i++)
    hash = Math.imul((hash << 5) | (hash >>> 27), 0x9e3779b1) ^ SECRET[bytes[i]];
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
  return hash ^ (hash >>> 13);
}

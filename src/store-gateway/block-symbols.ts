import { putUvarint, uvarintSize } from '../encoding/varint.ts';
import type { IndexHeader } from './index-header.ts';

/** Of canonical label bytes, see `encoding/label-bytes.ts`. */
const TAG_PAIR = 0x0a;
const TAG_NAME = 0x0a;
const TAG_VALUE = 0x12;
/** Symbols beyond so many bytes are forgotten before others are looked up. */
const KEPT_BYTES_MAX = 1024 * 1024;
const LENGTH_BYTES_MAX = 5;

/**
 * The symbols of a block as one query needs them: those it has seen are remembered, up to a number. Those of many series are
 * looked up together in their order, so that each part of the header is walked once and each text is copied once: one by one
 * they were 8 of the 22 µs that a series of one of many blocks took.
 */
export class BlockSymbols {
  readonly #header: IndexHeader;
  readonly #keptMax: number;
  readonly #slots = new Map<number, number>();
  /** By slot where its field, its text and what follows begin in `#fields`. */
  #places = new Uint32Array(3 * 64);
  /** Symbols as fields of label bytes: length, text. */
  #fields = new Uint8Array(2048);
  #fieldsEnd = 0;
  /** Texts of label names: there are few. */
  readonly #names = new Map<number, string>();

  constructor(header: IndexHeader, keptMax: number) {
    this.#header = header;
    this.#keptMax = keptMax;
  }

  textOf(number: number): string {
    const slot = this.#slotOf(number);
    return Buffer.from(this.#fields.buffer, this.#places[slot + 1], this.#sizeOf(slot, 1)).toString();
  }

  /** Texts of some symbols, in their order. */
  textsOf(numbers: ReadonlySet<number>): string[] {
    this.#makeRoom();
    this.#lookUp(new Set([...numbers].filter((number) => !this.#slots.has(number))));
    return Array.from(numbers, (number) => this.textOf(number));
  }

  /** The number of the value of a label of a series (numbers of name, value, name, value …); -1 when it has none. */
  valueNumber(labelSymbols: readonly number[], name: string): number {
    for (let i = 0; i < labelSymbols.length; i += 2)
      if (this.#nameOf(labelSymbols[i]) === name) return labelSymbols[i + 1];
    return -1;
  }

  /** The value of a label of a series; empty when it has none. */
  valueOf(labelSymbols: readonly number[], name: string): string {
    const number = this.valueNumber(labelSymbols, name);
    return number < 0 ? '' : this.textOf(number);
  }

  /** Canonical label bytes of series from the numbers of their symbols (name, value, name, value …), in one piece. Throws `corrupt`. */
  labelBytes(series: readonly (readonly number[])[]): Uint8Array[] {
    const slots = this.#slotsOf(series);
    const ends = new Uint32Array(series.length);
    let size = 0;
    for (let i = 0, at = 0; i < series.length; i++) {
      for (const last = at + series[i].length; at < last; at += 2) {
        const pair = this.#sizeOfPair(slots[at], slots[at + 1]);
        size += 1 + uvarintSize(pair) + pair;
      }
      ends[i] = size;
    }
    const out = new Uint8Array(size);
    this.#putPairs(out, slots);
    return series.map((_, i) => out.subarray(i === 0 ? 0 : ends[i - 1], ends[i]));
  }

  /** Slots of all symbols of some series, one after the other. */
  #slotsOf(series: readonly (readonly number[])[]): Uint32Array {
    const slots = new Uint32Array(series.reduce((sum, { length }) => sum + length, 0));
    const missing = new Set<number>();
    this.#makeRoom();
    const fill = () => {
      let at = 0;
      for (const symbols of series)
        for (let i = 0; i < symbols.length; i++) {
          const slot = this.#slots.get(symbols[i]);
          if (slot === undefined) missing.add(symbols[i]);
          else slots[at] = slot;
          at++;
        }
    };
    fill();
    if (missing.size > 0) {
      this.#lookUp(missing);
      fill();
    }
    return slots;
  }

  #putPairs(out: Uint8Array, slots: Uint32Array): void {
    let at = 0;
    for (let i = 0; i < slots.length; i += 2) {
      out[at++] = TAG_PAIR;
      at = putUvarint(out, at, this.#sizeOfPair(slots[i], slots[i + 1]));
      out[at++] = TAG_NAME;
      at = this.#putField(out, at, slots[i]);
      out[at++] = TAG_VALUE;
      at = this.#putField(out, at, slots[i + 1]);
    }
  }

  #putField(out: Uint8Array, at: number, slot: number): number {
    const fields = this.#fields;
    const end = this.#places[slot + 2];
    // Most are too short for a view to be worth while.
    for (let i = this.#places[slot]; i < end; i++) out[at++] = fields[i];
    return at;
  }

  #sizeOfPair(name: number, value: number): number {
    return 2 + this.#sizeOf(name, 0) + this.#sizeOf(value, 0);
  }

  /** Bytes of a field, or with `part` 1 of its text. */
  #sizeOf(slot: number, part: number): number {
    return this.#places[slot + 2] - this.#places[slot + part];
  }

  #slotOf(number: number): number {
    const known = this.#slots.get(number);
    if (known !== undefined) return known;
    this.#makeRoom();
    this.#lookUp(new Set([number]));
    return this.#slots.get(number) as number;
  }

  #lookUp(missing: ReadonlySet<number>): void {
    this.#header.readSymbols(Uint32Array.from(missing).sort(), (number, bytes, start, end) =>
      this.#keep(number, bytes, start, end),
    );
  }

  #keep(number: number, bytes: Uint8Array, start: number, end: number): void {
    const slot = 3 * this.#slots.size;
    if (slot === this.#places.length) this.#places = grown(this.#places, new Uint32Array(2 * slot));
    const size = this.#fieldsEnd + LENGTH_BYTES_MAX + end - start;
    if (size > this.#fields.length) this.#fields = grown(this.#fields, new Uint8Array(2 * size));
    let at = this.#fieldsEnd;
    this.#places[slot] = at;
    at = putUvarint(this.#fields, at, end - start);
    this.#places[slot + 1] = at;
    while (start < end) this.#fields[at++] = bytes[start++];
    this.#places[slot + 2] = at;
    this.#fieldsEnd = at;
    this.#slots.set(number, slot);
  }

  /** Forgets all when there are too many. */
  #makeRoom(): void {
    if (this.#slots.size < this.#keptMax && this.#fieldsEnd < KEPT_BYTES_MAX) return;
    this.#slots.clear();
    this.#fieldsEnd = 0;
  }

  #nameOf(number: number): string {
    const known = this.#names.get(number);
    if (known !== undefined) return known;
    const text = this.textOf(number);
    if (this.#names.size >= this.#keptMax) this.#names.clear();
    this.#names.set(number, text);
    return text;
  }
}

function grown<T extends Uint8Array | Uint32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

import { asciiText } from '../../encoding/ascii-text.ts';
import { afterVarint, labelEnd, textEnd, visitLabels } from '../../encoding/label-bytes.ts';
import { compareStrings } from '../../model/labels.ts';
import { LastLabels } from './last-labels.ts';
import { PostingsLists } from './postings-lists.ts';
import { SLICE_WORK, type Sliced } from './slices.ts';
import type { SlotSet } from './slot-set.ts';

/** Where the index finds the label bytes of a slot; `HeadMemory` is one. */
export interface LabelSource {
  labelBytesOf(slot: number): Uint8Array;
}

/**
 * The values of one label name and who has them: a slot (> 0) when one series does, else the negated id of a
 * postings list. Most values of a label like `pod` or `instance` belong to few series, so the number is the list.
 */
export type ValuePostings = Map<string, number>;

/** Values by label name: which lists a set of series is in. */
export type ListsOfSeries = Map<string, Set<string>>;

/** What one list costs, in entries of a list. */
const REMOVE_WORK = 16;

/** Called when a label gets a value it did not have; selections keep their results up to date with it. */
export type OnNewValue = (name: string, value: string) => void;

/**
 * The inverted index of the head: label name → value → slots, in memory only (it is rebuilt from the log). Lists
 * are in the order of `add`. A value's string is kept once, as the key of its map.
 *
 * Slots must be removed from here before they are given to another series.
 */
export class HeadIndex {
  readonly #names = new Map<string, ValuePostings>();
  readonly #lists = new PostingsLists();
  readonly #source: LabelSource;
  readonly #onNewValue: OnNewValue;
  readonly #last = new LastLabels();
  #all = new Uint32Array(1024);
  #seriesCount = 0;
  #slotMax = 0;

  constructor(source: LabelSource, onNewValue: OnNewValue = () => {}) {
    this.#source = source;
    this.#onNewValue = onNewValue;
  }

  get seriesCount(): number {
    return this.#seriesCount;
  }

  /** The largest slot ever added. */
  get slotMax(): number {
    return this.#slotMax;
  }

  /** `labelBytes` are canonical and may be reused afterwards. */
  add(slot: number, labelBytes: Uint8Array): void {
    const last = this.#last;
    let i = 0;
    for (let at = 0; at < labelBytes.length; i++) {
      const end = labelEnd(labelBytes, at);
      const pair = last.pairs[i];
      if (!last.has(i, labelBytes, at, end)) this.#addOther(i, labelBytes, at, end, slot);
      else if (pair.list > 0) this.#lists.append(pair.list, slot);
      else pair.list = this.#addTo(pair.values, pair.name, pair.value, slot);
      last.note(i, end);
      at = end;
    }
    last.keep(labelBytes, i);
    this.#addToAll(slot);
  }

  /** A label that the series before did not have in this place. */
  #addOther(i: number, bytes: Uint8Array, start: number, end: number, slot: number): void {
    const nameAt = afterVarint(bytes, start + 1) + 1;
    const nameEnd = textEnd(bytes, nameAt);
    const name = utf8(bytes, afterVarint(bytes, nameAt), nameEnd);
    const value = utf8(bytes, afterVarint(bytes, nameEnd + 1), end);
    let values = this.#names.get(name);
    if (values === undefined) this.#names.set(name, (values = new Map()));
    const list = this.#addTo(values, name, value, slot);
    this.#last.pairs[i] = { name, value, values, list };
  }

  #addToAll(slot: number): void {
    if (this.#seriesCount === this.#all.length) {
      const all = new Uint32Array(this.#seriesCount + (this.#seriesCount >> 2));
      all.set(this.#all);
      this.#all = all;
    }
    this.#all[this.#seriesCount++] = slot;
    if (slot > this.#slotMax) this.#slotMax = slot;
  }

  /** Every slot; a view, valid until the next change. */
  all(): Uint32Array {
    return this.#all.subarray(0, this.#seriesCount);
  }

  /** The values of a label with their postings; undefined when no series has it. Not to be changed. */
  values(name: string): ReadonlyMap<string, number> | undefined {
    return this.#names.get(name);
  }

  names(): IterableIterator<string> {
    return this.#names.keys();
  }

  /** How many series one entry of `values` means. */
  countOf(postings: number): number {
    return postings > 0 ? 1 : this.#lists.lengthOf(-postings);
  }

  /** Writes the slots of one entry of `values` to `out` from `at`; returns the end. */
  copyPostings(postings: number, out: Uint32Array, at: number): number {
    if (postings > 0) {
      out[at] = postings;
      return at + 1;
    }
    const slots = this.#lists.view(-postings);
    out.set(slots, at);
    return at + slots.length;
  }

  labelBytesOf(slot: number): Uint8Array {
    return this.#source.labelBytesOf(slot);
  }

  /** The lists that series are in; their label bytes must still be there. */
  *findLists(slots: Uint32Array): Sliced<ListsOfSeries> {
    const lists: ListsOfSeries = new Map();
    let work = 0;
    for (const slot of slots) {
      this.#noteLists(slot, lists);
      if (++work % (SLICE_WORK / 16) === 0) yield;
    }
    return lists;
  }

  /**
   * Takes series out of every list; `lists` cover them. Others may be added meanwhile. To be run to its end before one of
   * these slots is used again.
   */
  *remove(gone: SlotSet, lists: ListsOfSeries): Sliced<void> {
    let work = 0;
    for (const [name, values] of lists)
      for (const value of values) {
        work += REMOVE_WORK + this.#removeFrom(name, value, gone);
        if (work < SLICE_WORK) continue;
        work = 0;
        yield;
      }
    this.#removeFromAll(gone);
  }

  /** Bytes of the postings lists; the strings and maps of values come on top. */
  get postingsBytes(): number {
    return this.#lists.sizeBytes + this.#all.byteLength;
  }

  /** The id of the list the slot is in then; 0 when it is the only one with this value. */
  #addTo(values: ValuePostings, name: string, value: string, slot: number): number {
    const known = values.get(value);
    if (known === undefined) {
      values.set(value, slot);
      this.#onNewValue(name, value);
      return 0;
    }
    const list = known > 0 ? this.#lists.create(known, slot) : -known;
    if (known > 0) values.set(value, -list);
    else this.#lists.append(list, slot);
    return list;
  }

  #noteLists(slot: number, touched: ListsOfSeries): void {
    const bytes = this.#source.labelBytesOf(slot);
    visitLabels(bytes, 0, bytes.length, (nameStart, nameEnd, valueStart, valueEnd) => {
      const name = utf8(bytes, nameStart, nameEnd);
      let values = touched.get(name);
      if (values === undefined) touched.set(name, (values = new Set()));
      values.add(utf8(bytes, valueStart, valueEnd));
    });
  }

  /** The length of the list it was. */
  #removeFrom(name: string, value: string, gone: SlotSet): number {
    const values = this.#names.get(name);
    const postings = values?.get(value);
    if (values === undefined || postings === undefined) return 0;
    // Lists may be freed or given to other values here.
    this.#last.clear();
    const length = this.countOf(postings);
    if (postings > 0) {
      if (gone.has(postings)) values.delete(value);
    } else {
      const left = this.#lists.retain(-postings, (slot) => !gone.has(slot));
      if (left === 1) values.set(value, this.#lists.view(-postings)[0]);
      if (left === 0) values.delete(value);
      if (left < 2) this.#lists.remove(-postings);
    }
    if (values.size === 0) this.#names.delete(name);
    return length;
  }

  #removeFromAll(gone: SlotSet): void {
    let kept = 0;
    for (let i = 0; i < this.#seriesCount; i++) if (!gone.has(this.#all[i])) this.#all[kept++] = this.#all[i];
    this.#seriesCount = kept;
  }
}

/** Text of bytes that were checked to be UTF-8 when their series was made. */
export function utf8(bytes: Uint8Array, start: number, end: number): string {
  const ascii = asciiText(bytes, start, end);
  return ascii ?? Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString('utf8');
}

export function sortedStrings(strings: Iterable<string>): string[] {
  return [...strings].sort(compareStrings);
}

import { decodeLabels, encodeLabels, isAsciiLabels } from '../../encoding/label-bytes.ts';
import { type HeadMemory, LABEL_BYTES_MAX } from '../../kernel/head-memory.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { SeriesRecordWriter } from '../wal/records/series-record.ts';
import { HeadIndex, type ListsOfSeries } from './head-index.ts';
import { MatchedValues } from './matched-values.ts';
import { RememberedSelects } from './remembered-selects.ts';
import { selectSlots } from './select-slots.ts';
import { parseSentLabels } from './sent-labels.ts';
import { runAtOnce, type Sliced } from './slices.ts';
import { SlotSet } from './slot-set.ts';

/** Why a series may not be made. */
export interface Refusal {
  readonly outcome: 'series_limit' | 'invalid_labels';
  readonly reason: string;
}

/** What the caller allows, asked once per new series: limits on names, values, their number, and series. */
export interface SeriesPolicy {
  admit(labels: Labels, seriesCount: number): Refusal | undefined;
  /** The same question about canonical label bytes in ASCII: true only if `admit` refuses nothing. */
  admitsBytes(labelBytes: Uint8Array, seriesCount: number): boolean;
}

export const admitAll: SeriesPolicy = { admit: () => undefined, admitsBytes: () => true };

/** Series that were made, as the log has them. */
export interface NewSeries {
  readonly count: number;
  /** A record of type series; empty when there are none. */
  readonly record: Uint8Array;
}

/** Which series there are: their labels in the head's memory, the index over them, and their numbers. */
export class SeriesTable {
  readonly memory: HeadMemory;
  readonly #matched = new MatchedValues();
  readonly #remembered = new RememberedSelects();
  readonly index: HeadIndex;
  /** Slots that hold no series now. */
  readonly #freed = new Set<number>();
  #leaving: SlotSet | undefined;
  #generation = 0;
  #lastRef = 0;
  /** Series made since the last `takeUnlogged`. */
  #unlogged = new SeriesRecordWriter();
  #unloggedCount = 0;

  constructor(memory: HeadMemory) {
    this.memory = memory;
    // A selection that is under way may ask for a series that was collected meanwhile.
    const labelBytesOf = (slot: number) => (this.#freed.has(slot) ? NO_BYTES : memory.labelBytesOf(slot));
    this.index = new HeadIndex({ labelBytesOf }, (name, value) => this.#matched.noteValue(name, value));
  }

  /** Grows whenever series go. */
  get generation(): number {
    return this.#generation;
  }

  /** Whether a slot still holds the series that had it under this number. */
  holds(slot: number, ref: number): boolean {
    return !this.#freed.has(slot) && this.memory.walRefOf(slot) === ref;
  }

  labelsOf(slot: number): Labels {
    return decodeLabels(this.memory.labelBytesOf(slot));
  }

  /** The slots of the series that all matchers select; a fresh array, in no order. */
  *select(matchers: readonly Matcher[]): Sliced<Uint32Array> {
    const known = this.#remembered.of(matchers);
    if (known !== undefined) return known;
    const { version } = this.#remembered;
    const slots = yield* selectSlots(this.index, this.#matched, matchers);
    if (this.#leaving === undefined) this.#remembered.keep(matchers, slots, version);
    return slots;
  }

  selectAtOnce(matchers: readonly Matcher[]): Uint32Array {
    return runAtOnce(this.select(matchers));
  }

  /**
   * Answers the `newSeries` event of the request under way: the slot that its samples go to, made when `policy` admits
   * it. A label set in the usual form is looked at as bytes only, which takes a third of the time.
   */
  adoptNew(policy: SeriesPolicy): number | Refusal {
    const { memory } = this;
    const { labels, labelsCanonical } = memory.event;
    if (labelsCanonical && isUsual(labels) && policy.admitsBytes(labels, memory.seriesCount)) {
      const ref = ++this.#lastRef;
      const slot = memory.adoptNew(ref);
      const bytes = memory.labelBytesOf(slot);
      this.#noteUnlogged(ref, bytes);
      this.#noteMade(slot, bytes);
      return slot;
    }
    const found = this.resolveSent(labels, labelsCanonical, policy);
    memory.adopt(typeof found === 'number' ? found : 0);
    return found;
  }

  /** The slot of label bytes as a client sent them, made when `policy` admits it. */
  resolveSent(bytes: Uint8Array, canonical: boolean, policy: SeriesPolicy): number | Refusal {
    let labels: Labels;
    try {
      const parsed = canonical ? decodeLabels(bytes) : parseSentLabels(bytes);
      if ('duplicate' in parsed) return invalid(`label name "${parsed.duplicate}" is not unique`);
      labels = parsed;
    } catch (error) {
      return invalid(`invalid labels: ${(error as Error).message}`);
    }
    return this.#resolve(labels, canonical ? bytes.slice() : encodeLabels(labels), policy);
  }

  /** The slot of a label set given as name, value, name, value … in any order. */
  resolveFlat(flat: readonly string[], policy: SeriesPolicy): number | Refusal {
    const pairs: [string, string][] = [];
    for (let i = 0; i < flat.length; i += 2) pairs.push([flat[i], flat[i + 1]]);
    const names = new Set<string>();
    for (const [name] of pairs) {
      if (names.has(name)) return invalid(`label name "${name}" is not unique`);
      names.add(name);
    }
    return this.resolve(Labels.from(pairs), policy);
  }

  /** The slot of a label set, made when `policy` admits it. */
  resolve(labels: Labels, policy: SeriesPolicy): number | Refusal {
    return this.#resolve(labels, encodeLabels(labels), policy);
  }

  #resolve(labels: Labels, bytes: Uint8Array, policy: SeriesPolicy): number | Refusal {
    const known = this.memory.find(bytes);
    if (known !== 0) return known;
    if (labels.size === 0) return invalid('empty label set');
    if (bytes.length > LABEL_BYTES_MAX)
      return invalid(`label set of ${bytes.length} bytes exceeds ${LABEL_BYTES_MAX}`);
    const refusal = policy.admit(labels, this.memory.seriesCount);
    if (refusal !== undefined) return refusal;
    const ref = ++this.#lastRef;
    this.#noteUnlogged(ref, bytes);
    return this.#create(bytes, ref);
  }

  /** The slot of a series that the log has under `ref`; a second ref of the same labels means the same slot. */
  restore(ref: number, labelBytes: Uint8Array): number {
    if (ref > this.#lastRef) this.#lastRef = ref;
    const slot = this.memory.find(labelBytes);
    return slot !== 0 ? slot : this.#create(labelBytes, ref);
  }

  /** Refs up to this one are never given again. */
  reserveRefs(ref: number): void {
    if (ref > this.#lastRef) this.#lastRef = ref;
  }

  /** The series made since the last call, which the log does not know yet; a view, valid until the next one is made. */
  takeUnlogged(): NewSeries {
    const count = this.#unloggedCount;
    if (count === 0) return { count, record: NO_BYTES };
    const record = this.#unlogged.take();
    // The room of a huge request is not kept.
    if (record.length > UNLOGGED_KEPT_BYTES) this.#unlogged = new SeriesRecordWriter();
    this.#unloggedCount = 0;
    return { count, record };
  }

  #noteUnlogged(ref: number, labelBytes: Uint8Array): void {
    this.#unlogged.add(ref, labelBytes);
    this.#unloggedCount++;
  }

  /** First step of collecting series: finds the lists they are in, and changes nothing. */
  findLists(slots: Uint32Array): Sliced<ListsOfSeries> {
    return this.index.findLists(slots);
  }

  /** Slots of series that are gone but may still be in the lists of the index; undefined when there are none. */
  get leaving(): SlotSet | undefined {
    return this.#leaving;
  }

  /**
   * Second step: frees series by `free`, which may refuse by false, then takes those out of the index; `lists` cover
   * them. Until the end no slot is used again, so that none in a list means another series. Returns how many went.
   */
  *collect(slots: Uint32Array, lists: ListsOfSeries, free: (slot: number) => boolean): Sliced<number> {
    const leaving = new SlotSet(this.index.slotMax);
    this.#leaving = leaving;
    this.#remembered.forgetAll();
    let count = 0;
    for (const [i, slot] of slots.entries()) {
      if (free(slot)) {
        leaving.add(slot);
        this.#freed.add(slot);
        this.#generation++;
        count++;
      }
      if (i % FREED_PER_SLICE === FREED_PER_SLICE - 1) yield;
    }
    yield* this.index.remove(leaving, lists);
    this.#matched.clear();
    this.#remembered.forgetAll();
    this.memory.reuseCollected();
    this.#leaving = undefined;
    return count;
  }

  #create(labelBytes: Uint8Array, ref: number): number {
    const slot = this.memory.create(labelBytes, ref);
    this.#noteMade(slot, labelBytes);
    return slot;
  }

  #noteMade(slot: number, labelBytes: Uint8Array): void {
    this.#freed.delete(slot);
    this.#remembered.forgetAll();
    this.index.add(slot, labelBytes);
  }
}

const NO_BYTES = new Uint8Array();
/** Series freed between two turns of the event loop: some milliseconds. */
const FREED_PER_SLICE = 2048;
const UNLOGGED_KEPT_BYTES = 2 * 1024 * 1024;

/** Neither empty nor too long, and ASCII: nothing can be wrong with the text. */
function isUsual(labelBytes: Uint8Array): boolean {
  return labelBytes.length > 0 && labelBytes.length <= LABEL_BYTES_MAX && isAsciiLabels(labelBytes);
}

function invalid(reason: string): Refusal {
  return { outcome: 'invalid_labels', reason };
}

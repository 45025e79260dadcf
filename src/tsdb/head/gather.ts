import type { GatheredSeries } from '../../kernel/head-memory.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Interval } from '../block/tombstones.ts';
import type { ClosedChunks } from './closed-chunks.ts';
import type { Deletions } from './deletions.ts';
import { type ExtraChunks, type HeadSlice, withExtraChunks } from './head-slice.ts';
import type { HeadStore } from './head-store.ts';
import type { Sliced } from './slices.ts';
import { sortSlots } from './sort-slots.ts';

/** One slice holds at most so many series, and about so many bytes; the first ones less, so that a query soon has something to do. */
export const SLICE_SERIES_MAX = 1_000;
const SLICE_SERIES_FIRST = 250;
/** Of series that give a few bytes each. */
const SLICE_SMALL_SERIES_MAX = 4 * SLICE_SERIES_MAX;
export const SLICE_BYTES_MAX = 4 * 1024 * 1024;
const SLICE_SERIES_MIN = 16;

export interface GatherRequest {
  readonly matchers: readonly Matcher[];
  /** ms, inclusive. */
  readonly mint: number;
  readonly maxt: number;
  /** Samples in order before this are not wanted, because a block has them; late ones are. */
  readonly inOrderMint: number;
  readonly sorted: boolean;
  /** Only which series there are: no chunks. */
  readonly labelsOnly?: boolean;
  /** Only the newest sample of each series in range is looked at; others may come along. */
  readonly newestOnly?: boolean;
  /** Only samples that came in order. */
  readonly withoutLate?: boolean;
}

/**
 * Hands out the series that match, slice by slice; `undefined` is a point where the event loop may turn. Series that
 * are collected meanwhile are left out. Each call of `next` takes some milliseconds at most. To be ended by `return`.
 */
export class Gatherer {
  readonly #store: HeadStore;
  readonly #closed: ClosedChunks;
  readonly #deletions: Deletions;
  /** One set of slots collected since it began, per gathering under way. */
  readonly #underWay = new Set<Set<number>>();

  constructor(store: HeadStore, closed: ClosedChunks, deletions: Deletions) {
    this.#store = store;
    this.#closed = closed;
    this.#deletions = deletions;
  }

  /** To be called when a slot is freed. */
  noteCollected(slot: number): void {
    for (const collected of this.#underWay) collected.add(slot);
  }

  *gather(request: GatherRequest): Generator<HeadSlice | undefined, void> {
    const collected = new Set<number>();
    // Series that are gone, but not yet from every list.
    const { leaving } = this.#store.table;
    this.#underWay.add(collected);
    try {
      let slots = yield* turning(this.#store.table.select(request.matchers));
      if (leaving !== undefined) slots = slots.filter((slot) => !leaving.has(slot));
      if (request.sorted) slots = yield* turning(this.#sort(slots, collected));
      let length = SLICE_SERIES_FIRST;
      const most = request.newestOnly ? SLICE_SMALL_SERIES_MAX : SLICE_SERIES_MAX;
      for (let at = 0; at < slots.length; ) {
        const slice = this.#slice(live(slots.subarray(at, at + length), collected), request);
        at += length;
        length = nextLength(length, slice, most);
        const isLast = at >= slots.length;
        if (slice !== undefined && slice.gathered.seriesCount > 0)
          yield isLast ? { ...slice, isLast } : slice;
        else if (!isLast) yield undefined;
      }
    } finally {
      this.#underWay.delete(collected);
    }
  }

  #sort(slots: Uint32Array, collected: ReadonlySet<number>): Sliced<Uint32Array> {
    const { memory, table } = this.#store;
    const sorter = {
      sortByLabels: (run: Uint32Array) => memory.sortByLabels(run),
      labelBytesOf: (slot: number) => table.index.labelBytesOf(slot),
    };
    return sortSlots(sorter, live(slots, collected));
  }

  #slice(slots: Uint32Array, request: GatherRequest): HeadSlice | undefined {
    if (slots.length === 0) return undefined;
    this.#closed.collect();
    const mint = Math.max(request.mint, request.inOrderMint);
    const gathered = this.#store.memory.gather(slots, mint, request.maxt, this.#mayGiveNewest(request));
    if (this.#closed.hasUnwritten) this.#bringUnwritten(gathered);
    const extras = this.#extras(slots, mint, request);
    const whole = needsRebuild(gathered, extras)
      ? withExtraChunks(gathered, (series) => extras[series] ?? NONE)
      : gathered;
    const deletions = this.#deletions.isEmpty ? NO_DELETIONS : this.#deletionsOf(whole);
    return { gathered: request.labelsOnly ? withoutChunks(whole) : whole, deletions };
  }

  /** What was deleted or came late may leave another sample the newest. */
  #mayGiveNewest({ newestOnly = false, withoutLate = false }: GatherRequest): boolean {
    return newestOnly && this.#deletions.isEmpty && (withoutLate || this.#store.late.isEmpty);
  }

  /** Open chunks of rare series and late samples, by position; empty when no series has any. */
  #extras(slots: Uint32Array, mint: number, request: GatherRequest): ExtraChunks[] {
    const { mint: lateMint, maxt, withoutLate = false } = request;
    const extras: ExtraChunks[] = [];
    const { late, rareCount } = this.#store;
    if ((late.isEmpty || withoutLate) && rareCount === 0) return extras;
    for (let i = 0; i < slots.length; i++) {
      const open = this.#store.rareOf(slots[i])?.openChunk();
      const own = open !== undefined && open.mint <= maxt && open.maxt >= mint ? [open] : [];
      const lates = withoutLate ? [] : late.chunks(slots[i], lateMint, maxt);
      if (own.length > 0 || lates.length > 0) extras[i] = [...own, ...lates];
    }
    return extras;
  }

  /** Chunks closed a moment ago are not on disk yet: their bytes come along. */
  #bringUnwritten(gathered: GatheredSeries): void {
    const parts: Uint8Array[] = [];
    let length = gathered.chunkData.length;
    for (let c = 0; c < gathered.chunkRef.length; c++) {
      const chunk = gathered.chunkRef[c] < 0 ? undefined : this.#closed.unwritten(gathered.chunkRef[c]);
      if (chunk === undefined) continue;
      gathered.chunkRef[c] = -1;
      gathered.chunkEncoding[c] = chunk.encoding;
      gathered.chunkDataOffset[c] = length;
      gathered.chunkDataLength[c] = chunk.bytes.length;
      length += chunk.bytes.length;
      parts.push(chunk.bytes);
    }
    if (parts.length === 0) return;
    const data = new Uint8Array(length);
    data.set(gathered.chunkData);
    let at = gathered.chunkData.length;
    for (const part of parts) {
      data.set(part, at);
      at += part.length;
    }
    gathered.chunkData = data;
  }

  #deletionsOf(gathered: GatheredSeries): ReadonlyMap<number, readonly Interval[]> {
    const found = new Map<number, readonly Interval[]>();
    for (let i = 0; i < gathered.seriesCount; i++) {
      const bytes = gathered.labelBytes.subarray(gathered.labelOffsets[i], gathered.labelOffsets[i + 1]);
      const slot = this.#store.memory.find(bytes);
      const intervals = slot === 0 ? undefined : this.#deletions.of(slot);
      if (intervals !== undefined) found.set(i, intervals);
    }
    return found;
  }
}

const NONE: ExtraChunks = [];
const NO_DELETIONS: ReadonlyMap<number, readonly Interval[]> = new Map();

/** Sliced work inside a gathering. */
function* turning<T>(work: Sliced<T>): Generator<undefined, T> {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    yield undefined;
  }
}

function live(slots: Uint32Array, collected: ReadonlySet<number>): Uint32Array {
  return collected.size === 0 ? slots : slots.filter((slot) => !collected.has(slot));
}

/** Fewer series per slice after one that was too large, slowly more again after small ones. */
function nextLength(length: number, slice: HeadSlice | undefined, most: number): number {
  if (slice === undefined) return length;
  const bytes = slice.gathered.labelBytes.length + slice.gathered.chunkData.length;
  if (bytes > SLICE_BYTES_MAX) return Math.max(SLICE_SERIES_MIN, length >>> 1);
  return bytes < SLICE_BYTES_MAX / 4 ? Math.min(most, length * 2) : length;
}

/** Whether there is anything to add, or a series without chunks to leave out. */
function needsRebuild(gathered: GatheredSeries, extras: readonly ExtraChunks[]): boolean {
  if (extras.length > 0) return true;
  for (let i = 0; i < gathered.seriesCount; i++)
    if (gathered.chunkStarts[i] === gathered.chunkStarts[i + 1]) return true;
  return false;
}

function withoutChunks(gathered: GatheredSeries): GatheredSeries {
  return {
    ...gathered,
    chunkStarts: new Uint32Array(gathered.seriesCount + 1),
    chunkMint: new Float64Array(),
    chunkMaxt: new Float64Array(),
    chunkEncoding: new Uint8Array(),
    chunkRef: new Float64Array(),
    chunkDataOffset: new Uint32Array(),
    chunkDataLength: new Uint32Array(),
    chunkData: new Uint8Array(),
  };
}

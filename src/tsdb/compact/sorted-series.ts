import { VeronaError } from '../../model/errors.ts';
import type { Tombstones } from '../block/tombstones.ts';
import type { IndexToc } from '../index/index-format.ts';
import type { RankedSymbols } from '../index/index-writer.ts';
import { type IndexBytes, walkSection } from '../index/sampled-section.ts';
import { SeriesCursor, type SeriesWalk } from '../index/series-cursor.ts';
import { SymbolTable } from '../index/symbol-table.ts';
import { nextTurn } from '../next-turn.ts';

/** Other labels for a series, as text: name, value, name, value … in any order of names; undefined leaves the series out. */
export type LabelChange = (labels: readonly string[]) => readonly string[] | undefined;

export interface SortOptions {
  /** ms, the end exclusive: chunks that are wholly outside are left out. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly tombstones: Tombstones;
  readonly change: LabelChange | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What was not as an index should be. */
export interface SortReport {
  /** Symbols, label names or series came in another order. */
  isSorted: boolean;
  /** Series that were there again under the same labels. */
  joinedSeries: number;
  /** Chunks wholly outside of the block's time. */
  outsideChunks: number;
}

/** Series of a block that is put in order: their labels and places are in memory meanwhile, 8 bytes a label and 16 a series. */
const SERIES_MAX = 20_000_000;
const SERIES_PER_TURN = 4096;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/**
 * The series of one index in the order of their labels, whatever order they and their label names stand in, or of the labels
 * they are to get instead. Equal ones are joined into one. Throws `corrupt` for what no order heals: checksums, unknown
 * symbols, a label name twice, and equal series of which samples are deleted.
 */
export class SortedSeries implements SeriesWalk {
  readonly symbols: RankedSymbols;
  readonly report: SortReport;
  /** The time of all chunks that are not left out: the block's, or longer when chunks reach beyond it. The end exclusive. */
  readonly minTime: number;
  readonly maxTime: number;
  ref = 0;
  labelCount = 0;
  labels = new Uint32Array(0);
  chunkCount = 0;
  mint = new Float64Array(64);
  maxt = new Float64Array(64);
  chunkRef = new Float64Array(64);
  readonly #places: SeriesPlaces;
  readonly #cursor: SeriesCursor;
  readonly #options: SortOptions;
  readonly #seriesStart: number;
  #at = 0;

  private constructor(
    symbols: RankedSymbols,
    places: SeriesPlaces,
    cursor: SeriesCursor,
    options: SortOptions,
    seriesStart: number,
    { report, minTime, maxTime }: FirstLook,
  ) {
    this.symbols = symbols;
    this.#places = places;
    this.#cursor = cursor;
    this.#options = options;
    this.#seriesStart = seriesStart;
    this.report = report;
    this.minTime = minTime;
    this.maxTime = maxTime;
  }

  /** Reads the symbols and walks over all series once. */
  static async open(index: IndexBytes, toc: IndexToc, options: SortOptions): Promise<SortedSeries> {
    const table = new SymbolTable();
    const ids: number[] = [];
    let isOrdered = true;
    await walkSection(index, toc.symbols, 'symbols', (reader) => {
      const bytes = reader.take(reader.length());
      const known = table.count;
      ids.push(table.intern(bytes, 0, bytes.length));
      if (table.count === known) isOrdered = false;
    });
    const cursor = new SeriesCursor(index, toc, Uint32Array.from(ids), { anyOrder: true });
    const places = new SeriesPlaces();
    const look = await lookAtAll(cursor, places, table, options);
    const sorted = table.sorted();
    isOrdered &&= options.change !== undefined || sorted.every((id, rank) => id === rank);
    const rankOf = new Uint32Array(table.count);
    for (let rank = 0; rank < sorted.length; rank++) rankOf[sorted[rank]] = rank;
    const isSorted = places.sort(rankOf) && isOrdered;
    const symbols = { count: sorted.length, bytesOf: (rank: number) => table.bytesOf(sorted[rank]) };
    look.report.isSorted = isSorted;
    return new SortedSeries(symbols, places, cursor, options, toc.series, look);
  }

  get progress(): readonly [done: number, all: number] {
    return [this.#seriesStart + this.#at, this.#seriesStart + this.#places.count];
  }

  next(): boolean {
    if (this.#at >= this.#places.count) return false;
    this.chunkCount = 0;
    this.labels = this.#places.labelsAt(this.#at);
    this.labelCount = this.labels.length / 2;
    this.ref = this.#places.refAt(this.#at);
    const first = this.#at;
    do this.#takeChunks(this.#places.refAt(this.#at++));
    while (this.#at < this.#places.count && this.#places.isSame(first, this.#at));
    this.report.joinedSeries += this.#at - first - 1;
    return true;
  }

  #takeChunks(ref: number): void {
    const { tombstones, minTime, maxTime } = this.#options;
    if (ref !== this.ref && (tombstones.has(ref) || tombstones.has(this.ref)))
      throw new VeronaError('corrupt', `series ${this.ref} and ${ref} are the same, and samples are deleted`);
    this.#cursor.seek(ref);
    const { chunkCount, mint, maxt, chunkRef } = this.#cursor;
    for (let i = 0; i < chunkCount; i++) {
      if (isOutside(mint[i], maxt[i], minTime, maxTime)) continue;
      if (this.chunkCount === this.mint.length) this.#grow();
      this.mint[this.chunkCount] = mint[i];
      this.maxt[this.chunkCount] = maxt[i];
      this.chunkRef[this.chunkCount++] = chunkRef[i];
    }
  }

  #grow(): void {
    for (const column of ['mint', 'maxt', 'chunkRef'] as const) {
      const larger = new Float64Array(2 * this.mint.length);
      larger.set(this[column]);
      this[column] = larger;
    }
  }
}

interface FirstLook {
  readonly report: SortReport;
  readonly minTime: number;
  readonly maxTime: number;
}

async function lookAtAll(
  cursor: SeriesCursor,
  places: SeriesPlaces,
  table: SymbolTable,
  { minTime, maxTime, change, signal }: SortOptions,
): Promise<FirstLook> {
  const report = { isSorted: true, joinedSeries: 0, outsideChunks: 0 };
  let [first, end] = [minTime, maxTime];
  for (let i = 1; cursor.next(); i++) {
    for (let c = 0; c < cursor.chunkCount; c++)
      if (isOutside(cursor.mint[c], cursor.maxt[c], minTime, maxTime)) report.outsideChunks++;
      else [first, end] = [Math.min(first, cursor.mint[c]), Math.max(end, cursor.maxt[c] + 1)];
    const ids = cursor.labels.subarray(0, 2 * cursor.labelCount);
    const labels = change ? changed(ids, table, change) : ids;
    if (labels) places.add(cursor.ref, labels);
    if (i % SERIES_PER_TURN !== 0) continue;
    signal?.throwIfAborted();
    await nextTurn();
  }
  return { report, minTime: first, maxTime: end };
}

function isOutside(mint: number, maxt: number, minTime: number, maxTime: number): boolean {
  return maxt < minTime || mint >= maxTime;
}

/** Empty values are labels that are not there. */
function changed(ids: Uint32Array, table: SymbolTable, change: LabelChange): number[] | undefined {
  const texts = Array.from(ids, (id) => decoder.decode(table.bytesOf(id)));
  const after = change(texts);
  if (!after) return undefined;
  const labels: number[] = [];
  for (let i = 0; i < after.length; i += 2) {
    if (after[i + 1] === '') continue;
    for (const text of [after[i], after[i + 1]]) {
      const bytes = encoder.encode(text);
      labels.push(table.intern(bytes, 0, bytes.length));
    }
  }
  if (labels.length === 0)
    throw new VeronaError('bad_data', `no label is left of {${texts.join(', ').slice(0, 200)}}`);
  return labels;
}

/** Labels and refs of all series, and their order. */
class SeriesPlaces {
  #refs = new Uint32Array(1024);
  /** Where the labels of each begin; one more than there are series. */
  #starts = new Uint32Array(1024);
  #labels = new Uint32Array(16 * 1024);
  #order = new Uint32Array(0);
  count = 0;

  add(ref: number, labels: ArrayLike<number>): void {
    if (this.count >= SERIES_MAX)
      throw new VeronaError('limit', `more than ${SERIES_MAX} series cannot be put in order`);
    const start = this.#starts[this.count];
    const end = start + labels.length;
    if (end > this.#labels.length) this.#labels = grown(this.#labels, end);
    if (this.count + 2 > this.#starts.length) {
      this.#starts = grown(this.#starts, this.count + 2);
      this.#refs = grown(this.#refs, this.count + 2);
    }
    for (let i = 0; i < labels.length; i++) this.#labels[start + i] = labels[i];
    this.#refs[this.count++] = ref;
    this.#starts[this.count] = end;
  }

  /** Turns symbol ids into ranks and orders labels and series by them; whether they were in order. */
  sort(rankOf: Uint32Array): boolean {
    let isSorted = true;
    for (let i = 0; i < this.#starts[this.count]; i++) this.#labels[i] = rankOf[this.#labels[i]];
    for (let i = 0; i < this.count; i++)
      if (!this.#sortNames(this.#starts[i], this.#starts[i + 1])) isSorted = false;
    this.#order = Uint32Array.from({ length: this.count }, (_, i) => i);
    for (let i = 1; i < this.count; i++)
      if (this.#compare(i - 1, i) > 0) {
        isSorted = false;
        this.#order.sort((a, b) => this.#compare(a, b) || a - b);
        break;
      }
    return isSorted;
  }

  refAt(place: number): number {
    return this.#refs[this.#order[place]];
  }

  labelsAt(place: number): Uint32Array<ArrayBuffer> {
    const series = this.#order[place];
    return this.#labels.slice(this.#starts[series], this.#starts[series + 1]);
  }

  isSame(place: number, other: number): boolean {
    return this.#compare(this.#order[place], this.#order[other]) === 0;
  }

  /** Pairs by name, by insertion: they are few, and nearly in order. */
  #sortNames(start: number, end: number): boolean {
    const labels = this.#labels;
    let isSorted = true;
    for (let i = start + 2; i < end; i += 2)
      for (let k = i; k > start && labels[k] <= labels[k - 2]; k -= 2) {
        if (labels[k] === labels[k - 2])
          throw new VeronaError('corrupt', `series ${this.#refs[this.#seriesOf(start)]} has a label twice`);
        isSorted = false;
        for (const at of [k, k + 1]) [labels[at - 2], labels[at]] = [labels[at], labels[at - 2]];
      }
    return isSorted;
  }

  #seriesOf(start: number): number {
    return this.#starts.indexOf(start);
  }

  #compare(a: number, b: number): number {
    const labels = this.#labels;
    let [i, k] = [this.#starts[a], this.#starts[b]];
    const [iEnd, kEnd] = [this.#starts[a + 1], this.#starts[b + 1]];
    for (; i < iEnd && k < kEnd; i++, k++) if (labels[i] !== labels[k]) return labels[i] - labels[k];
    return iEnd - i - (kEnd - k);
  }
}

function grown(column: Uint32Array, atLeast: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(Math.max(atLeast, 2 * column.length));
  larger.set(column);
  return larger;
}

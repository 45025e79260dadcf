import { crc32c } from '../../encoding/crc32c.ts';
import { visitLabels } from '../../encoding/label-bytes.ts';
import { VeronaError } from '../../model/errors.ts';
import { assert } from '../../platform/assert.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { FileWriter } from '../format/file-writer.ts';
import { nextTurn } from '../next-turn.ts';
import { encodeChunkMetas, encodeToc, INDEX_MAGIC, INDEX_VERSION, SERIES_ALIGN } from './index-format.ts';
import { PostingsGroup, PostingsPlaces } from './postings-group.ts';
import { SymbolTable } from './symbol-table.ts';

/** Entries of postings lists made in one pass over the series: 8 bytes each. */
const POSTINGS_PER_PASS = 4 * 1024 * 1024;
/** Refs of a list that is written without looking whether the buffer is full. */
const SHORT_LIST = 16_384;
const SPOOL_READ_BYTES = 128 * 1024;
/** Postings lists written between two turns of the event loop. */
const LISTS_PER_TURN = 1024;

/** Symbols that are ordered already, by rank; more of them than a block uses is fine. */
export interface RankedSymbols {
  readonly count: number;
  /** A view. */
  bytesOf(rank: number): Uint8Array;
}

/**
 * Writes the index of a block in one pass over its series, which come in order. Symbols have to stand before the series
 * in the file but which ones are used is known only after them, so series wait in a spool file beside it. Memory:
 * symbols, 4 bytes per series, the places of postings lists, and `POSTINGS_PER_PASS` entries.
 */
export class IndexWriter {
  readonly #disk: Disk;
  readonly #path: string;
  readonly #spool: FileWriter;
  readonly #symbols = new SymbolTable();
  readonly #ranked: RankedSymbols | undefined;
  /** 1 for ranks that a series has. */
  readonly #used: Uint8Array;
  readonly #chunks = new ByteWriter(1024);
  #seriesCount = 0;
  #lastLabels = new Uint8Array(0);
  #lastRanks = new Uint32Array(64);
  #lastRankCount = 0;

  private constructor(disk: Disk, path: string, spool: DiskFile, ranked: RankedSymbols | undefined) {
    this.#disk = disk;
    this.#path = path;
    this.#spool = new FileWriter(spool);
    this.#ranked = ranked;
    this.#used = new Uint8Array(ranked?.count ?? 0);
  }

  /** With `ranked`, series come by `addRanked`; else by `add`. */
  static async create(disk: Disk, path: string, ranked?: RankedSymbols): Promise<IndexWriter> {
    return new IndexWriter(disk, path, await disk.open(`${path}.spool`, 'create'), ranked);
  }

  /** As `add`, with labels as `labelCount` pairs of ranks: name, value, name, value … */
  addRanked(
    labels: Uint32Array,
    labelCount: number,
    count: number,
    mint: ArrayLike<number>,
    maxt: ArrayLike<number>,
    ref: ArrayLike<number>,
  ): void {
    this.#checkRanks(labels, 2 * labelCount);
    this.#encodeChunks(count, mint, maxt, ref);
    const { out } = this.#spool;
    const start = out.length;
    out.be32(0);
    out.uvarint(labelCount);
    for (let i = 0; i < 2 * labelCount; i++) {
      this.#used[labels[i]] = 1;
      out.uvarint(labels[i]);
    }
    this.#endEntry(start);
  }

  /**
   * Adds the next series. `labelBytes` are canonical and sort after the last ones; chunks are ordered by time without
   * overlap. Throws `corrupt` when they are not.
   */
  add(
    labelBytes: Uint8Array,
    count: number,
    mint: ArrayLike<number>,
    maxt: ArrayLike<number>,
    ref: ArrayLike<number>,
  ): void {
    this.#checkOrder(labelBytes);
    this.#encodeChunks(count, mint, maxt, ref);
    const { out } = this.#spool;
    const start = out.length;
    out.be32(0);
    let labels = 0;
    visitLabels(labelBytes, 0, labelBytes.length, () => labels++);
    out.uvarint(labels);
    visitLabels(labelBytes, 0, labelBytes.length, (nameStart, nameEnd, valueStart, valueEnd) => {
      out.uvarint(this.#symbols.intern(labelBytes, nameStart, nameEnd));
      out.uvarint(this.#symbols.intern(labelBytes, valueStart, valueEnd));
    });
    this.#endEntry(start);
  }

  get isFull(): boolean {
    return this.#spool.isFull;
  }

  /** To be awaited now and then, so that what was added gets out of memory. */
  drain(): Promise<void> {
    return this.#spool.drain();
  }

  /** Writes the index, durable. */
  async finish(): Promise<void> {
    await this.#spool.flush();
    const writer = new FileWriter(await this.#disk.open(this.#path, 'create'));
    try {
      const symbols = this.#ranked ?? this.#symbols;
      const sorted = this.#ranked ? placesOf(this.#used) : this.#symbols.sorted();
      await new IndexBody(writer, this.#spool.file, symbols, sorted, this.#seriesCount).write();
    } finally {
      await this.#closeSpool();
      await writer.finish();
    }
  }

  /** Gives up; removes the spool file. */
  async abort(): Promise<void> {
    await this.#closeSpool();
  }

  async #closeSpool(): Promise<void> {
    await this.#spool.file.close();
    await this.#disk.remove(`${this.#path}.spool`);
  }

  #encodeChunks(
    count: number,
    mint: ArrayLike<number>,
    maxt: ArrayLike<number>,
    ref: ArrayLike<number>,
  ): void {
    for (let i = 0; i < count; i++)
      if (maxt[i] < mint[i] || (i > 0 && mint[i] <= maxt[i - 1]))
        throw new VeronaError('corrupt', `chunks overlap or are out of order at ${mint[i]}`);
    this.#chunks.clear();
    encodeChunkMetas(this.#chunks, count, mint, maxt, ref);
  }

  #endEntry(start: number): void {
    const { out } = this.#spool;
    out.bytes(this.#chunks.view());
    out.setBe32(start, out.length - start - 4);
    this.#seriesCount++;
  }

  #checkRanks(labels: Uint32Array, length: number): void {
    if (this.#seriesCount > 0 && compareRanks(this.#lastRanks, this.#lastRankCount, labels, length) >= 0)
      throw new VeronaError('corrupt', `series ${this.#seriesCount} of the index is out of order`);
    if (length > this.#lastRanks.length) this.#lastRanks = new Uint32Array(2 * length);
    for (let i = 0; i < length; i++) this.#lastRanks[i] = labels[i];
    this.#lastRankCount = length;
  }

  #checkOrder(labelBytes: Uint8Array): void {
    if (this.#seriesCount > 0 && compareLabelBytes(this.#lastLabels, labelBytes) >= 0)
      throw new VeronaError('corrupt', `series ${this.#seriesCount} of the index is out of order`);
    this.#lastLabels = labelBytes.slice();
  }
}

/** Writes the sections one after another. */
class IndexBody {
  readonly #writer: FileWriter;
  readonly #spool: DiskFile;
  readonly #symbols: RankedSymbols;
  readonly #sorted: Uint32Array;
  /** Place of a symbol in the sorted table, by its number. */
  readonly #rank: Uint32Array;
  readonly #seriesRefs: Uint32Array;
  /** Postings entries by rank of their label name. */
  readonly #entriesByName: Uint32Array;
  readonly #places = new PostingsPlaces();
  #allOffset = 0;

  /** `sorted`: the numbers of the symbols to write, in their order. */
  constructor(
    writer: FileWriter,
    spool: DiskFile,
    symbols: RankedSymbols,
    sorted: Uint32Array,
    seriesCount: number,
  ) {
    this.#writer = writer;
    this.#spool = spool;
    this.#symbols = symbols;
    this.#sorted = sorted;
    this.#rank = new Uint32Array(symbols.count);
    for (let i = 0; i < this.#sorted.length; i++) this.#rank[this.#sorted[i]] = i;
    this.#seriesRefs = new Uint32Array(seriesCount);
    this.#entriesByName = new Uint32Array(sorted.length);
  }

  async write(): Promise<void> {
    const { out } = this.#writer;
    out.be32(INDEX_MAGIC);
    out.byte(INDEX_VERSION);
    const symbols = this.#writer.position;
    await this.#writeSymbols();
    const series = this.#writer.position;
    await this.#writeSeries();
    const postings = this.#writer.position;
    await this.#writePostings();
    const labelOffsetTable = this.#writer.position;
    for (const number of [4, 0, crc32c(new Uint8Array(4))]) out.be32(number);
    const postingsOffsetTable = this.#writer.position;
    await this.#writeOffsetTable();
    encodeToc(out, {
      symbols,
      series,
      labelIndices: postings,
      labelOffsetTable,
      postings,
      postingsOffsetTable,
    });
  }

  async #writeSymbols(): Promise<void> {
    await this.#section(async (section) => {
      section.be32(this.#sorted.length);
      for (const id of this.#sorted) {
        section.prefixed(this.#symbols.bytesOf(id));
        if (section.isFull) await section.drain();
      }
    });
  }

  async #writeSeries(): Promise<void> {
    const content = new ByteWriter(1024);
    let i = 0;
    await this.#eachSpooled((reader) => {
      content.clear();
      const labels = reader.uvarint();
      content.uvarint(labels);
      for (let k = 0; k < labels; k++) {
        const name = this.#rank[reader.uvarint()];
        content.uvarint(name);
        content.uvarint(this.#rank[reader.uvarint()]);
        this.#entriesByName[name]++;
      }
      content.bytes(reader.take(reader.left));
      const { out } = this.#writer;
      out.pad(SERIES_ALIGN, this.#writer.origin);
      const ref = this.#writer.position / SERIES_ALIGN;
      if (ref >= 2 ** 32) throw new VeronaError('limit', 'index: series section exceeds 64 GiB');
      this.#seriesRefs[i++] = ref;
      out.prefixed(content.view());
      out.be32(crc32c(content.view()));
    });
  }

  async #writePostings(): Promise<void> {
    this.#writer.out.pad(4, this.#writer.origin);
    this.#allOffset = await this.#writeList(this.#seriesRefs);
    const counts = this.#entriesByName;
    const names: number[] = [];
    for (let name = 0; name < counts.length; name++) if (counts[name] > 0) names.push(name);
    for (let from = 0; from < names.length; ) {
      let to = from + 1;
      for (let entries = counts[names[from]]; to < names.length; to++) {
        entries += counts[names[to]];
        if (entries > POSTINGS_PER_PASS) break;
      }
      await this.#writeGroup(names.slice(from, to));
      from = to;
    }
  }

  /** Collects the postings of some label names in one pass over the series, and writes them ordered by name and value. */
  async #writeGroup(names: readonly number[]): Promise<void> {
    const group = new PostingsGroup(names, (name) => this.#entriesByName[name]);
    let i = 0;
    await this.#eachSpooled((reader) => {
      const ref = this.#seriesRefs[i++];
      for (let labels = reader.uvarint(); labels > 0; labels--) {
        const name = this.#rank[reader.uvarint()];
        group.add(name, this.#rank[reader.uvarint()], ref);
      }
    });
    assert(group.isComplete, 'both passes see the same labels');
    let done = 0;
    for (const { name, value, refs } of group.lists()) {
      if (++done % LISTS_PER_TURN === 0) await nextTurn();
      const isShort = refs.length <= SHORT_LIST;
      this.#places.push(name, value, isShort ? this.#writeShortList(refs) : await this.#writeList(refs));
      if (this.#writer.isFull) await this.#writer.flush();
    }
  }

  /** As `writeList`, in one go. */
  #writeShortList(refs: Uint32Array): number {
    const offset = this.#writer.position;
    const { out } = this.#writer;
    out.be32(4 + 4 * refs.length);
    const start = out.length;
    out.be32(refs.length);
    for (let i = 0; i < refs.length; i++) out.be32(refs[i]);
    out.be32(crc32c(out.view(start)));
    return offset;
  }

  async #writeList(refs: Uint32Array): Promise<number> {
    const offset = this.#writer.position;
    await this.#section(async (section) => {
      section.be32(refs.length);
      for (let i = 0; i < refs.length; i++) {
        section.be32(refs[i]);
        if ((i & 0xffff) === 0xffff) await section.drain();
      }
    });
    await this.#writer.drain();
    return offset;
  }

  async #writeOffsetTable(): Promise<void> {
    const empty = new Uint8Array(0);
    await this.#section(async (section) => {
      section.be32(this.#places.count + 1);
      section.offsetEntry(empty, empty, this.#allOffset);
      let name = -1;
      let nameBytes: Uint8Array = empty;
      for (let i = 0; i < this.#places.count; i++) {
        if (this.#places.nameAt(i) !== name) {
          name = this.#places.nameAt(i);
          nameBytes = this.#symbols.bytesOf(this.#sorted[name]);
        }
        const value = this.#symbols.bytesOf(this.#sorted[this.#places.valueAt(i)]);
        section.offsetEntry(nameBytes, value, this.#places.offsetAt(i));
        if (section.isFull) await section.drain();
      }
    });
  }

  /** Writes a section whose length and checksum become known as it is written. */
  async #section(fill: (section: Section) => Promise<void>): Promise<void> {
    const at = this.#writer.position;
    this.#writer.out.be32(0);
    const section = new Section(this.#writer);
    await fill(section);
    const { length, sum } = section.end();
    if (length >= 2 ** 32) throw new VeronaError('limit', 'index: section exceeds 4 GiB');
    this.#writer.out.be32(sum);
    if (at >= this.#writer.origin) this.#writer.out.setBe32(at - this.#writer.origin, length);
    else {
      const field = new ByteWriter(4);
      field.be32(length);
      await this.#writer.file.writeAt([field.view()], at);
    }
  }

  async #eachSpooled(visit: (reader: ByteReader) => void): Promise<void> {
    const size = await this.#spool.size();
    let block = new Uint8Array(SPOOL_READ_BYTES);
    let offset = 0;
    while (offset < size) {
      const length = await this.#spool.readAt(block, offset);
      const used = visitFramed(block.subarray(0, length), visit);
      // An entry larger than the block: read again with more room.
      if (used === 0) block = new Uint8Array(block.length * 2);
      offset += used;
      await this.#writer.drain();
      await nextTurn();
    }
  }
}

/** A section being written: counts its bytes and their checksum as the buffer is emptied. */
class Section {
  readonly #writer: FileWriter;
  #from: number;
  #length = 0;
  #sum = 0;

  constructor(writer: FileWriter) {
    this.#writer = writer;
    this.#from = writer.out.length;
  }

  be32(value: number): void {
    this.#writer.out.be32(value);
  }

  prefixed(bytes: Uint8Array): void {
    this.#writer.out.prefixed(bytes);
  }

  offsetEntry(name: Uint8Array, value: Uint8Array, offset: number): void {
    this.#writer.out.uvarint(2);
    this.#writer.out.prefixed(name);
    this.#writer.out.prefixed(value);
    this.#writer.out.uvarint(offset);
  }

  get isFull(): boolean {
    return this.#writer.isFull;
  }

  async drain(): Promise<void> {
    if (!this.#writer.isFull) return;
    this.#count();
    await this.#writer.flush();
    this.#from = 0;
  }

  end(): { length: number; sum: number } {
    this.#count();
    return { length: this.#length, sum: this.#sum };
  }

  #count(): void {
    const { out } = this.#writer;
    const bytes = out.view(this.#from);
    this.#sum = crc32c(bytes, 0, bytes.length, this.#sum);
    this.#length += bytes.length;
    this.#from = out.length;
  }
}

function visitFramed(block: Uint8Array, visit: (reader: ByteReader) => void): number {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  let at = 0;
  while (at + 4 <= block.length) {
    const length = view.getUint32(at);
    if (at + 4 + length > block.length) break;
    visit(new ByteReader(block, at + 4, at + 4 + length));
    at += 4 + length;
  }
  return at;
}

/** The order of `compareLabels`, over labels as ranks of ordered symbols. Lengths count ranks. */
export function compareRanks(a: Uint32Array, aLength: number, b: Uint32Array, bLength: number): number {
  const length = Math.min(aLength, bLength);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
  return aLength - bLength;
}

/** Where the ones are. */
function placesOf(used: Uint8Array): Uint32Array {
  const places = new Uint32Array(used.reduce((sum, one) => sum + one, 0));
  let at = 0;
  for (let i = 0; i < used.length; i++) if (used[i] === 1) places[at++] = i;
  return places;
}

/** The order of `compareLabels`, over canonical label bytes. */
export function compareLabelBytes(a: Uint8Array, b: Uint8Array): number {
  const left = textRanges(a);
  const right = textRanges(b);
  for (let i = 0; i < left.length && i < right.length; i += 2) {
    const order = Buffer.compare(a.subarray(left[i], left[i + 1]), b.subarray(right[i], right[i + 1]));
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function textRanges(bytes: Uint8Array): number[] {
  const ranges: number[] = [];
  visitLabels(bytes, 0, bytes.length, (a, b, c, d) => ranges.push(a, b, c, d));
  return ranges;
}

import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError, wrapError } from '../../model/errors.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Disk } from '../../platform/disk.ts';
import { CachedFile, type PageCache } from '../chunks/page-cache.ts';
import { be32At } from '../format/byte-reader.ts';
import type { ByteWriter } from '../format/byte-writer.ts';
import {
  checkIndexHeader,
  decodeSeriesContent,
  decodeToc,
  INDEX_HEADER_BYTES,
  type IndexToc,
  readChecked,
  readSection,
  SERIES_ALIGN,
  type SeriesEntry,
  TOC_BYTES,
} from './index-format.ts';
import { OffsetTable } from './offset-table.ts';
import { appendPair } from './pair-bytes.ts';
import type { IndexBytes } from './sampled-section.ts';
import { selectPostings } from './select-postings.ts';
import { Symbols } from './symbols.ts';

/** A series entry is normally shorter. */
const SERIES_READ_BYTES = 256;

/** A postings list is often shorter. */
const POSTINGS_READ_BYTES = 512;

/** One postings list after the other: the first `count` of `refs`. */
export interface PostingsBuffer {
  refs: Uint32Array;
  count: number;
}

/** Reads the index of a block. Synchronous once opened; what it reads comes from `IndexBytes`. Errors name file and offset. */
export class IndexReader {
  readonly toc: IndexToc;
  readonly symbols: Symbols;
  readonly offsets: OffsetTable;
  readonly #file: IndexBytes;

  private constructor(file: IndexBytes, toc: IndexToc, symbols: Symbols, offsets: OffsetTable) {
    this.#file = file;
    this.toc = toc;
    this.symbols = symbols;
    this.offsets = offsets;
  }

  /** Verifies header, table of contents, symbols and postings offset table. Throws `corrupt`. */
  static async open(file: IndexBytes): Promise<IndexReader> {
    checkIndexHeader(file.read(0, INDEX_HEADER_BYTES), file.path);
    const tocStart = Math.max(0, file.sizeBytes - TOC_BYTES);
    const toc = decodeToc(file.read(tocStart, TOC_BYTES), file.path);
    if (Math.max(...Object.values(toc)) > tocStart)
      throw new VeronaError('corrupt', `${file.path}: table of contents points behind itself`);
    const symbols = await Symbols.open(file, toc.symbols);
    return new IndexReader(file, toc, symbols, await OffsetTable.open(file, toc.postingsOffsetTable));
  }

  /** Refs of the series that all matchers select, in the order of their labels. None selects all. */
  postings(matchers: readonly Matcher[]): Uint32Array {
    return selectPostings(this, matchers);
  }

  allPostings(): Uint32Array {
    return this.postingsAt(this.offsets.allPostings);
  }

  /** The postings list at an offset of the table. Throws `corrupt`. */
  postingsAt(offset: number | undefined): Uint32Array {
    if (offset === undefined) return new Uint32Array(0);
    const section = readSection(this.#file, offset, 'postings');
    const view = new DataView(section.buffer, section.byteOffset, section.length);
    const count = section.length >= 4 ? view.getUint32(0) : -1;
    if (section.length !== 4 + 4 * count)
      throw new VeronaError(
        'corrupt',
        `${this.#file.path}: postings of ${count} series at ${offset} do not fit`,
      );
    const refs = new Uint32Array(count);
    for (let i = 0; i < count; i++) refs[i] = view.getUint32(4 + 4 * i);
    return refs;
  }

  /** As `postingsAt`, into memory that is used again. Throws `corrupt`. */
  readPostings(offset: number, into: PostingsBuffer): void {
    const head = this.#file.read(offset, POSTINGS_READ_BYTES);
    const length = head.length >= 4 ? be32At(head, 0) : head.length;
    // Short ones are here already, checksum included.
    const isWhole = 8 + length <= head.length && crc32c(head, 4, 4 + length) === be32At(head, 4 + length);
    const bytes = isWhole ? head : readSection(this.#file, offset, 'postings');
    const start = isWhole ? 4 : 0;
    const end = isWhole ? 4 + length : bytes.length;
    into.count = end - start >= 4 ? be32At(bytes, start) : -1;
    if (end - start !== 4 + 4 * into.count)
      throw new VeronaError(
        'corrupt',
        `${this.#file.path}: postings of ${into.count} series at ${offset} do not fit`,
      );
    if (into.count > into.refs.length) into.refs = new Uint32Array(2 * into.count);
    for (let i = 0; i < into.count; i++) into.refs[i] = be32At(bytes, start + 4 + 4 * i);
  }

  /** Decodes the series `ref` into `entry`. Throws `corrupt`. */
  readSeries(ref: number, entry: SeriesEntry): void {
    const offset = ref * SERIES_ALIGN;
    const head = this.#file.read(offset, SERIES_READ_BYTES);
    let length = 0;
    let lengthBytes = 0;
    do {
      length += (head[lengthBytes] & 127) * 2 ** (7 * lengthBytes);
    } while (head[lengthBytes++] >= 128 && lengthBytes < 5);
    if (head.length === 0 || lengthBytes > head.length || length > this.#file.sizeBytes)
      throw new VeronaError('corrupt', `${this.#file.path}: no series at ${offset}`);
    const end = lengthBytes + length;
    // Mostly all of it is here already, checksum included.
    const isWhole = end + 4 <= head.length && crc32c(head, lengthBytes, end) === be32At(head, end);
    try {
      if (isWhole) decodeSeriesContent(head, entry, lengthBytes, end);
      else decodeSeriesContent(readChecked(this.#file, offset + lengthBytes, length, 'series'), entry);
    } catch (error) {
      throw wrapError(`${this.#file.path}: series at ${offset}`, error);
    }
  }

  /** Appends the canonical label bytes of a decoded series. */
  appendLabelBytes(entry: SeriesEntry, out: ByteWriter): void {
    for (let i = 0; i < entry.labelCount; i++)
      appendPair(
        out,
        this.symbols.bytesOf(entry.labels[2 * i]),
        this.symbols.bytesOf(entry.labels[2 * i + 1]),
      );
  }

  /** Sorted. */
  labelNames(): string[] {
    return this.offsets.labelNames();
  }

  /** Sorted. */
  labelValues(name: string): string[] {
    const values: string[] = [];
    if (name !== '') this.offsets.visitValues(name, '', (value) => values.push(value) > 0);
    return values;
  }

  /** Loads what `readSeries` of these refs (ascending) will need. */
  async prefetchSeries(refs: Uint32Array): Promise<void> {
    if (refs.length === 0) return;
    const start = refs[0] * SERIES_ALIGN;
    await this.#file.prefetch(start, (refs[refs.length - 1] - refs[0]) * SERIES_ALIGN + SERIES_READ_BYTES);
  }
}

/** An index file on a disk, read through a cache. */
export class IndexFile implements IndexBytes {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: CachedFile;

  private constructor(file: CachedFile, sizeBytes: number) {
    this.path = file.path;
    this.#file = file;
    this.sizeBytes = sizeBytes;
  }

  static async open(disk: Disk, path: string, cache: PageCache): Promise<IndexFile> {
    const file = new CachedFile(disk, path, cache);
    return new IndexFile(file, await file.size());
  }

  read(start: number, length: number): Uint8Array {
    return this.#file.read(start, Math.max(0, Math.min(length, this.sizeBytes - start)));
  }

  prefetch(start: number, length: number): Promise<void> {
    return this.#file.prefetch([start], Math.min(length, PREFETCH_BYTES_MAX));
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

const PREFETCH_BYTES_MAX = 4 * 1024 * 1024;

/** An index that is in memory as a whole. */
export class IndexMemory implements IndexBytes {
  readonly path: string;
  readonly #bytes: Uint8Array;

  constructor(path: string, bytes: Uint8Array) {
    this.path = path;
    this.#bytes = bytes;
  }

  get sizeBytes(): number {
    return this.#bytes.length;
  }

  read(start: number, length: number): Uint8Array {
    return this.#bytes.subarray(start, start + length);
  }

  async prefetch(): Promise<void> {}
}

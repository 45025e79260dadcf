import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { SAMPLE_EVERY } from '../tsdb/index/sampled-section.ts';
import type { ByteRange } from './ranges.ts';

/** The entries of one label name in the postings table. */
export interface NamePlaces {
  /** How many values it has. */
  readonly count: number;
  /** Number of its first entry among the sampled ones. */
  readonly firstSample: number;
}

/** The contents of an index-header's sections, and where the postings lists end in the index. */
export interface HeaderLayout {
  readonly postingsEnd: number;
  readonly symbols: ByteRange;
  readonly table: ByteRange;
}

/** What a postings table says; places are offsets in the bytes that were walked. */
export interface TablePlaces {
  readonly names: ReadonlyMap<string, NamePlaces>;
  /** Of sampled entries (each name's first, then every 32nd of the name), and where the last one ends. */
  readonly entryPlaces: Uint32Array;
  /** Where the lists of the sampled entries begin in the index, and the last one ends. */
  readonly entryLists: Float64Array;
  /** Where the list of each metric begins in the index, in the order of the table. */
  readonly metricLists: readonly number[];
  /** The lists that follow that of the last metric and that of all series in the table, where there are such. */
  readonly afterMetrics: number;
  readonly all: ByteRange | undefined;
}

export const HEADER_MAGIC = 0xbaaad792;
export const HEADER_VERSION = 1;
export const INDEX_VERSION = 2;
export const HEADER_SIZE = 14;
export const HEADER_TOC_SIZE = 20;

/** Verifies the checksums of an index-header. Throws `corrupt`. */
export function checkHeader(bytes: Uint8Array): HeaderLayout {
  const head = new ByteReader(bytes);
  if (head.be32() !== HEADER_MAGIC) throw new VeronaError('corrupt', 'no index-header');
  if (head.byte() !== HEADER_VERSION || head.byte() !== INDEX_VERSION)
    throw new VeronaError('corrupt', 'unknown version');
  const postingsEnd = head.be64();
  const tocStart = bytes.length - HEADER_TOC_SIZE;
  if (tocStart < HEADER_SIZE) throw new VeronaError('corrupt', 'cut off');
  const toc = new ByteReader(bytes, tocStart);
  const [symbols, table] = [toc.be64(), toc.be64()];
  if (crc32c(bytes, tocStart, tocStart + 16) !== toc.be32())
    throw new VeronaError('corrupt', 'bad checksum of the contents');
  return { postingsEnd, symbols: section(bytes, symbols, tocStart), table: section(bytes, table, tocStart) };
}

/** The content of a section at `start`: between its length and its checksum, which is checked. */
function section(bytes: Uint8Array, start: number, end: number): ByteRange {
  const reader = new ByteReader(bytes, Math.min(start, end), end);
  const length = reader.be32();
  if (length > reader.left - 4)
    throw new VeronaError('corrupt', `section of ${length} bytes at ${start} is cut off`);
  const content = { start: reader.at, end: reader.at + length };
  reader.skip(length);
  if (crc32c(bytes, content.start, content.end) !== reader.be32())
    throw new VeronaError('corrupt', `bad checksum of the section at ${start}`);
  return content;
}

/** How many symbols there are in the contents of a symbol table, and the places of every 32nd. Throws `corrupt`. */
export function walkSymbols(
  bytes: Uint8Array,
  { start, end }: ByteRange,
): { readonly symbolCount: number; readonly symbolPlaces: Uint32Array } {
  const numbers = new Numbers(bytes, start, end);
  const count = numbers.be32();
  if (count > end - numbers.at)
    throw new VeronaError('corrupt', `${count} symbols in ${end - numbers.at} bytes`);
  const symbolPlaces = new Uint32Array(Math.ceil(count / SAMPLE_EVERY));
  for (let i = 0; i < count; i++) {
    if (i % SAMPLE_EVERY === 0) symbolPlaces[i / SAMPLE_EVERY] = numbers.at;
    numbers.skipText();
  }
  return { symbolCount: count, symbolPlaces };
}

/**
 * The entries of a postings table, of its contents, each looked at once: of a header of 200,000 values they were half of the CPU.
 * `postingsEnd` is where the last list ends in the index. Throws `corrupt`.
 */
export function walkTable(bytes: Uint8Array, { start, end }: ByteRange, postingsEnd: number): TablePlaces {
  const numbers = new Numbers(bytes, start, end);
  const count = numbers.be32();
  // An entry has at least four bytes.
  if (count * 4 > end - numbers.at)
    throw new VeronaError('corrupt', `${count} postings lists in ${end - numbers.at} bytes`);
  const names = new TableNames();
  let nameStart = 0;
  let nameEnd = -1;
  for (let i = 0; i < count; i++) {
    const place = numbers.at;
    if (numbers.uvarint() !== 2) throw new VeronaError('corrupt', `postings list ${i} has not two keys`);
    const ownStart = numbers.skipText();
    const ownEnd = numbers.at;
    const isNext = nameEnd < 0 || !isSame(bytes, nameStart, nameEnd, ownStart, ownEnd);
    nameStart = ownStart;
    nameEnd = ownEnd;
    numbers.skipText();
    const list = numbers.uvarint();
    if (list >= postingsEnd) throw new VeronaError('corrupt', `postings list ${i} at ${list}`);
    if (isNext) names.begin(Buffer.from(bytes.subarray(ownStart, ownEnd)).toString(), list);
    names.entry(place, list);
  }
  return names.end(numbers.at, postingsEnd);
}

/** Collects what a walk through a postings table finds. */
class TableNames {
  readonly #names = new Map<string, { count: number; firstSample: number }>();
  readonly #entryPlaces: number[] = [];
  readonly #entryLists: number[] = [];
  readonly #metricLists: number[] = [];
  #current = { count: 0, firstSample: 0 };
  #isMetrics = false;
  #afterMetrics: number | undefined;
  #allStart: number | undefined;
  #allEnd: number | undefined;

  /** The next entries are of this label; `list` is the first of them. */
  begin(name: string, list: number): void {
    if (this.#names.has(name))
      throw new VeronaError('corrupt', `postings of ${JSON.stringify(name)} are not together`);
    this.#current = { count: 0, firstSample: this.#entryPlaces.length };
    this.#names.set(name, this.#current);
    if (this.#isMetrics) this.#afterMetrics = list;
    if (this.#allStart !== undefined) this.#allEnd ??= list;
    if (name === '') this.#allStart = list;
    this.#isMetrics = name === METRIC_NAME;
  }

  entry(place: number, list: number): void {
    if (this.#isMetrics) this.#metricLists.push(list);
    if (this.#current.count++ % SAMPLE_EVERY !== 0) return;
    this.#entryPlaces.push(place);
    this.#entryLists.push(list);
  }

  end(tableEnd: number, postingsEnd: number): TablePlaces {
    const all = this.#allStart;
    return {
      names: this.#names,
      entryPlaces: Uint32Array.from([...this.#entryPlaces, tableEnd]),
      entryLists: Float64Array.from([...this.#entryLists, postingsEnd]),
      metricLists: this.#metricLists,
      afterMetrics: this.#afterMetrics ?? postingsEnd,
      all: all === undefined ? undefined : { start: all, end: this.#allEnd ?? postingsEnd },
    };
  }
}

function isSame(bytes: Uint8Array, a: number, aEnd: number, b: number, bEnd: number): boolean {
  if (aEnd - a !== bEnd - b) return false;
  while (a < aEnd) if (bytes[a++] !== bytes[b++]) return false;
  return true;
}

/** As `ByteReader`, for two numbers per entry of tables with a million: 180 ms for a header of 200,000 values before, with all else. */
class Numbers {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#end = end;
    this.at = start;
  }

  be32(): number {
    const reader = new ByteReader(this.#bytes, this.at, this.#end);
    this.at += 4;
    return reader.be32();
  }

  uvarint(): number {
    const byte = this.at < this.#end ? this.#bytes[this.at] : 128;
    if (byte >= 128) return this.#long();
    this.at++;
    return byte;
  }

  /** Passes over a text with its length; tells where it begins. */
  skipText(): number {
    const length = this.uvarint();
    const start = this.at;
    if (length > this.#end - start)
      throw new VeronaError(
        'corrupt',
        `length ${length} exceeds the ${this.#end - start} bytes left at ${start}`,
      );
    this.at = start + length;
    return start;
  }

  #long(): number {
    const reader = new ByteReader(this.#bytes, this.at, this.#end);
    const value = reader.uvarint();
    this.at = reader.at;
    return value;
  }
}

import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { compareStrings, METRIC_NAME } from '../model/labels.ts';
import type { FileBytes } from '../tsdb/chunks/chunk-format.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { ByteWriter } from '../tsdb/format/byte-writer.ts';
import { SERIES_ALIGN } from '../tsdb/index/index-format.ts';
import { SAMPLE_EVERY } from '../tsdb/index/sampled-section.ts';
import { type HeaderPlaces, placesOf, sizeOfPlaces } from './header-places.ts';
import type { ByteRange } from './ranges.ts';
import { HEADER_MAGIC, HEADER_SIZE, HEADER_TOC_SIZE, HEADER_VERSION, INDEX_VERSION } from './walk-header.ts';

/** An entry of the postings table is normally within this many bytes. */
const ENTRY_READ_BYTES = 2048;

/**
 * The part of a block's index that says where the rest is, kept on the local disk in Thanos' form and read from there piece by
 * piece; only its `HeaderPlaces` are in memory:
 *
 *   ┌──────────────────┬────────────┬──────────────────┬───────────────────────────────────────┐
 *   │ magic 0xbaaad792 │ version  1 │ index version  2 │ offset of the index' postings table 8 │
 *   ├──────────────────┴────────────┴──────────────────┴───────────────────────────────────────┤
 *   │ symbol table, as in the index:          length 4 │ count 4 │ (uvarint, utf-8)… │ crc32c 4 │
 *   ├──────────────────────────────────────────────────────────────────────────────────────────┤
 *   │ postings offset table, as in the index: length 4 │ count 4 │ entries…          │ crc32c 4 │
 *   │    entry: 0x02 │ uvarint, name │ uvarint, value │ uvarint offset of the list              │
 *   ├──────────────────────────────────────────────────────────────────────────────────────────┤
 *   │ offset of the symbol table 8 │ offset of the postings offset table 8 │ crc32c 4            │
 *   └──────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Reads are on this thread, from the operating system's cache as a rule. What is damaged throws `corrupt`.
 */
export class IndexHeader {
  readonly #places: HeaderPlaces;
  readonly #file: FileBytes;
  /** Memory it takes, but for pages of the file. */
  readonly sizeBytes: number;

  /** `file` gives verified bytes of the header that `places` were made of. */
  constructor(places: HeaderPlaces, file: FileBytes) {
    this.#places = places;
    this.#file = file;
    this.sizeBytes = sizeOfPlaces(places);
  }

  /** A header whose bytes are in memory as a whole. Throws `corrupt` naming `where`. */
  static inMemory(bytes: Uint8Array, where: string): IndexHeader {
    try {
      const read = (start: number, length: number) => bytes.subarray(start, start + length);
      return new IndexHeader(placesOf(bytes), { path: where, read });
    } catch (error) {
      throw new VeronaError('corrupt', `${where}: ${(error as Error).message}`, { cause: error });
    }
  }

  /** Tells of symbols by their numbers, ascending: UTF-8, bytes[start … end) until it returns. Throws `corrupt` when there is none. */
  readSymbols(
    numbers: ArrayLike<number>,
    tell: (number: number, bytes: Uint8Array, start: number, end: number) => void,
  ): void {
    const { symbolCount, symbolPlaces, symbolsEnd } = this.#places;
    for (let i = 0; i < numbers.length; ) {
      if (numbers[i] >= symbolCount) throw this.#corrupt(`symbol ${numbers[i]} of ${symbolCount}`);
      const sample = Math.floor(numbers[i] / SAMPLE_EVERY);
      const place = symbolPlaces[sample];
      const bytes = this.#file.read(place, (symbolPlaces[sample + 1] ?? symbolsEnd) - place);
      const last = Math.min((sample + 1) * SAMPLE_EVERY, symbolCount);
      const reader = new ByteReader(bytes);
      try {
        for (let number = sample * SAMPLE_EVERY; i < numbers.length && numbers[i] < last; number++) {
          const length = reader.length();
          if (number === numbers[i]) tell(numbers[i++], bytes, reader.at, reader.at + length);
          reader.skip(length);
        }
      } catch (error) {
        throw this.#corrupt(`symbols at ${place}: ${(error as Error).message}`);
      }
    }
  }

  /** Sorted as the index has them. */
  labelNames(): string[] {
    return [...this.#places.names.keys()].filter((name) => name !== '');
  }

  /** Values of a label, sorted. */
  *labelValues(name: string): Generator<string> {
    for (const { value } of this.#entries(name)) yield value;
  }

  /** How many values a label has. */
  valueCount(name: string): number {
    return this.#places.names.get(name)?.count ?? 0;
  }

  /** Where the postings list of one value lies in the index; undefined when no series has it. */
  postings(name: string, value: string): ByteRange | undefined {
    return this.#find(name, value)?.list;
  }

  /** Lists of all values of a label that begin with `prefix` and are accepted. */
  postingsWhere(name: string, accepts: (value: string) => boolean, prefix = ''): ByteRange[] {
    const lists: ByteRange[] = [];
    for (const { value, list } of this.#entries(name, prefix)) {
      if (accepts(value)) lists.push(list);
      else if (prefix !== '' && compareStrings(value, prefix) > 0 && !value.startsWith(prefix)) break;
    }
    return lists;
  }

  /**
   * Where in the index the series of a metric lie, together and without those of others; undefined when that is not known, or
   * there are none.
   */
  seriesOf(metric: string): ByteRange | undefined {
    const { metricStarts: starts } = this.#places;
    if (starts.length === 0) return undefined;
    const number = this.#find(METRIC_NAME, metric)?.number ?? -1;
    if (number < 0 || number + 1 >= starts.length) return undefined;
    return { start: starts[number] * SERIES_ALIGN, end: starts[number + 1] * SERIES_ALIGN };
  }

  #find(name: string, value: string): Entry | undefined {
    const entries = this.#places.names.get(name);
    if (!entries) return undefined;
    const wanted = Buffer.from(value);
    const sample = this.#sampleBefore(name, wanted);
    return this.#block(sample, (sample - entries.firstSample) * SAMPLE_EVERY, entries.count).find(
      (entry) => entry.value === value,
    );
  }

  /** Entries of a label in order, from somewhere before the first that is not less than `from`. */
  *#entries(name: string, from = ''): Generator<Entry> {
    const entries = this.#places.names.get(name);
    if (!entries) return;
    const { firstSample, count } = entries;
    const first = from === '' ? firstSample : this.#sampleBefore(name, Buffer.from(from));
    for (let sample = first; sample < firstSample + Math.ceil(count / SAMPLE_EVERY); sample++)
      yield* this.#block(sample, (sample - firstSample) * SAMPLE_EVERY, count);
  }

  /** The last sampled entry of a label that is not greater than `wanted`, else the first. */
  #sampleBefore(name: string, wanted: Buffer): number {
    const { firstSample, count } = this.#places.names.get(name) as { firstSample: number; count: number };
    let low = firstSample;
    let high = firstSample + Math.ceil(count / SAMPLE_EVERY);
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (Buffer.compare(this.#sampledValue(middle), wanted) <= 0) low = middle;
      else high = middle;
    }
    return low;
  }

  #sampledValue(sample: number): Uint8Array {
    const { entryPlaces } = this.#places;
    const end = entryPlaces[sample + 1];
    const start = entryPlaces[sample];
    for (const length of [Math.min(ENTRY_READ_BYTES, end - start), end - start]) {
      const value = valueIn(this.#file.read(start, length));
      if (value) return value;
    }
    throw this.#corrupt(`postings table cut off at ${end}`);
  }

  /** The entries from a sampled one to the next. `first` is the number of the first one among the `count` of its label. */
  #block(sample: number, first: number, count: number): Entry[] {
    const { entryPlaces, entryLists, postingsEnd } = this.#places;
    const place = entryPlaces[sample];
    const bytes = this.#file.read(place, entryPlaces[sample + 1] - place);
    const lists: { readonly value: string; readonly start: number }[] = [];
    try {
      const reader = new ByteReader(bytes);
      for (let left = Math.min(SAMPLE_EVERY, count - first); left > 0; left--) {
        reader.skip(1);
        reader.skip(reader.length());
        const value = Buffer.from(reader.take(reader.length())).toString();
        lists.push({ value, start: reader.uvarint() });
      }
    } catch (error) {
      throw this.#corrupt(`postings table at ${place}: ${(error as Error).message}`);
    }
    return lists.map(({ value, start }, i) => {
      // Lists follow each other, so one ends at the latest where the next begins.
      const next = lists[i + 1]?.start ?? entryLists[sample + 1];
      return { value, number: first + i, list: { start, end: next > start ? next : postingsEnd } };
    });
  }

  #corrupt(what: string): VeronaError {
    return new VeronaError('corrupt', `${this.#file.path}: ${what}`);
  }
}

interface Entry {
  readonly value: string;
  /** Among those of its label. */
  readonly number: number;
  readonly list: ByteRange;
}

/** The header's bytes from the sections of an index (each with its length and checksum). */
export function encodeIndexHeader(symbols: Uint8Array, table: Uint8Array, tableOffset: number): Uint8Array {
  const head = new ByteWriter(HEADER_SIZE);
  head.be32(HEADER_MAGIC);
  head.byte(HEADER_VERSION);
  head.byte(INDEX_VERSION);
  head.be64(tableOffset);
  const toc = new ByteWriter(HEADER_TOC_SIZE);
  toc.be64(HEADER_SIZE);
  toc.be64(HEADER_SIZE + symbols.length);
  toc.be32(crc32c(toc.view()));
  // Sections are megabytes: they are copied once.
  const out = new Uint8Array(HEADER_SIZE + symbols.length + table.length + HEADER_TOC_SIZE);
  let at = 0;
  for (const part of [head.view(), symbols, table, toc.view()]) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The value of the entry that `bytes` begin with; undefined when it is cut off. */
function valueIn(bytes: Uint8Array): Uint8Array | undefined {
  const reader = new ByteReader(bytes, 1);
  try {
    reader.skip(reader.length());
    return reader.take(reader.length());
  } catch {
    return undefined;
  }
}

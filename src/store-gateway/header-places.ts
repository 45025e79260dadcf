import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { CACHE_PAGE_BYTES } from '../tsdb/chunks/page-cache.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { ByteWriter } from '../tsdb/format/byte-writer.ts';
import { SAMPLE_EVERY } from '../tsdb/index/sampled-section.ts';
import { checkHeader, type NamePlaces, walkHeader } from './walk-header.ts';

/**
 * Where things are in an index-header, so that it need not be in memory: every 32nd place of its two tables, and a checksum
 * of each of its pages. Kept beside it on the local disk:
 *
 *   ┌──────────────────┬───────────┬──────────────────────────┬─────────────────────────────────────────┐
 *   │ magic 0x564e4850 │ version 1 │ size of the index-header │ end of the postings lists in the index 8│
 *   │ 4                │ 1         │ 4                        │                                         │
 *   ├──────────────────┴───────────┴──────────────────────────┴─────────────────────────────────────────┤
 *   │ count 4 │ CRC32C 4 of each page of 16 KiB of the index-header                                     │
 *   │ symbols 4 │ end of the symbols 4 │ count 4 │ place 4 of every 32nd symbol                         │
 *   │ count 4 │ place 4 of sampled entries of the postings table, and its end                           │
 *   │ count 4 │ offset 8 of their lists, and the end of the lists                                       │
 *   │ count 4 │ ( length 4 │ label name │ values 4 │ number of its first sampled entry 4 )…             │
 *   │ count 4 │ reference 4 of the first series of each metric, and what follows the last one           │
 *   ├───────────────────────────────────────────────────────────────────────────────────────────────────┤
 *   │ CRC32C 4 of all before                                                                            │
 *   └───────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * The last list is empty when it is not known that the series of a metric lie together.
 */
export interface HeaderPlaces {
  readonly headerBytes: number;
  /** End of the last postings list in the index. */
  readonly postingsEnd: number;
  readonly pageSums: Uint32Array;
  readonly symbolCount: number;
  readonly symbolsEnd: number;
  readonly symbolPlaces: Uint32Array;
  /** Sampled entries of the postings table: each name's first, then every 32nd of the name. One more place than entries. */
  readonly entryPlaces: Uint32Array;
  readonly entryLists: Float64Array;
  readonly names: ReadonlyMap<string, NamePlaces>;
  /** By the value's number among those of `__name__`; one more than metrics, or none. */
  readonly metricStarts: Uint32Array;
}

const MAGIC = 0x564e4850;
const VERSION = 1;
const NO_STARTS = new Uint32Array(0);

/** Reads an index-header from front to back, its checksums verified. Throws `corrupt`. */
export function placesOf(header: Uint8Array, metricStarts: Uint32Array = NO_STARTS): HeaderPlaces {
  const layout = checkHeader(header);
  const symbolPlaces: number[] = [];
  const entryPlaces: number[] = [];
  const entryLists: number[] = [];
  const names = new Map<string, { count: number; firstSample: number }>();
  let last: { count: number; firstSample: number } | undefined;
  const { symbolCount, tableEnd } = walkHeader(header, layout, {
    symbol: (i, place) => {
      if (i % SAMPLE_EVERY === 0) symbolPlaces.push(place);
    },
    name: (name) => {
      if (names.has(name))
        throw new VeronaError('corrupt', `postings of ${JSON.stringify(name)} are not together`);
      last = { count: 0, firstSample: entryPlaces.length };
      names.set(name, last);
    },
    entry: (place, list) => {
      const own = last as { count: number };
      if (own.count++ % SAMPLE_EVERY !== 0) return;
      entryPlaces.push(place);
      entryLists.push(list);
    },
  });
  return {
    headerBytes: header.length,
    postingsEnd: layout.postingsEnd,
    pageSums: sumsOf(header),
    symbolCount,
    symbolsEnd: layout.symbols.end,
    symbolPlaces: Uint32Array.from(symbolPlaces),
    entryPlaces: Uint32Array.from([...entryPlaces, tableEnd]),
    entryLists: Float64Array.from([...entryLists, layout.postingsEnd]),
    names,
    metricStarts,
  };
}

function sumsOf(header: Uint8Array): Uint32Array {
  const sums = new Uint32Array(Math.ceil(header.length / CACHE_PAGE_BYTES));
  for (let i = 0; i < sums.length; i++)
    sums[i] = crc32c(header, i * CACHE_PAGE_BYTES, Math.min(header.length, (i + 1) * CACHE_PAGE_BYTES));
  return sums;
}

/** Memory it takes, about. */
export function sizeOfPlaces(places: HeaderPlaces): number {
  const { pageSums, symbolPlaces, entryPlaces, entryLists, metricStarts, names } = places;
  const columns = [pageSums, symbolPlaces, entryPlaces, entryLists, metricStarts];
  return columns.reduce((bytes, column) => bytes + column.byteLength, 1000 + 200 * names.size);
}

export function encodePlaces(places: HeaderPlaces): Uint8Array {
  const out = new ByteWriter(sizeOfPlaces(places));
  const column = (numbers: Uint32Array) => {
    out.be32(numbers.length);
    for (const number of numbers) out.be32(number);
  };
  out.be32(MAGIC);
  out.byte(VERSION);
  out.be32(places.headerBytes);
  out.be64(places.postingsEnd);
  column(places.pageSums);
  out.be32(places.symbolCount);
  out.be32(places.symbolsEnd);
  column(places.symbolPlaces);
  column(places.entryPlaces);
  out.be32(places.entryLists.length);
  for (const list of places.entryLists) out.be64(list);
  out.be32(places.names.size);
  for (const [name, { count, firstSample }] of places.names) {
    const bytes = Buffer.from(name);
    out.be32(bytes.length);
    out.bytes(bytes);
    out.be32(count);
    out.be32(firstSample);
  }
  column(places.metricStarts);
  out.be32(crc32c(out.view()));
  return out.copy();
}

/** Throws `corrupt`. */
export function decodePlaces(bytes: Uint8Array): HeaderPlaces {
  const reader = new ByteReader(bytes, 0, Math.max(0, bytes.length - 4));
  if (bytes.length < 4 || crc32c(bytes, 0, reader.end) !== new ByteReader(bytes, reader.end).be32())
    throw new VeronaError('corrupt', 'bad checksum of the places in an index-header');
  if (reader.be32() !== MAGIC || reader.byte() !== VERSION)
    throw new VeronaError('corrupt', 'no places in an index-header, or of an unknown version');
  const places = {
    headerBytes: reader.be32(),
    postingsEnd: reader.be64(),
    pageSums: readColumn(reader),
    symbolCount: reader.be32(),
    symbolsEnd: reader.be32(),
    symbolPlaces: readColumn(reader),
    entryPlaces: readColumn(reader),
    entryLists: readLists(reader),
    names: readNames(reader),
    metricStarts: readColumn(reader),
  };
  if (!fits(places)) throw new VeronaError('corrupt', 'places in an index-header do not fit each other');
  return places;
}

function readColumn(reader: ByteReader): Uint32Array {
  const numbers = new Uint32Array(countOf(reader, 4));
  for (let i = 0; i < numbers.length; i++) numbers[i] = reader.be32();
  return numbers;
}

function readLists(reader: ByteReader): Float64Array {
  const numbers = new Float64Array(countOf(reader, 8));
  for (let i = 0; i < numbers.length; i++) numbers[i] = reader.be64();
  return numbers;
}

function readNames(reader: ByteReader): Map<string, NamePlaces> {
  const names = new Map<string, NamePlaces>();
  for (let left = countOf(reader, 12); left > 0; left--) {
    const name = Buffer.from(reader.take(reader.be32())).toString();
    names.set(name, { count: reader.be32(), firstSample: reader.be32() });
  }
  return names;
}

function countOf(reader: ByteReader, entryBytes: number): number {
  const count = reader.be32();
  if (count * entryBytes > reader.left)
    throw new VeronaError('corrupt', `${count} places in ${reader.left} bytes`);
  return count;
}

/** The checksum is right, so this is about what a later version may have written. */
function fits({
  headerBytes,
  pageSums,
  symbolCount,
  symbolPlaces,
  entryPlaces,
  entryLists,
  names,
}: HeaderPlaces) {
  return (
    pageSums.length === Math.ceil(headerBytes / CACHE_PAGE_BYTES) &&
    symbolPlaces.length === Math.ceil(symbolCount / SAMPLE_EVERY) &&
    entryPlaces.length === entryLists.length &&
    [...names.values()].every(
      ({ count, firstSample }) => firstSample + Math.ceil(count / SAMPLE_EVERY) < entryPlaces.length,
    )
  );
}

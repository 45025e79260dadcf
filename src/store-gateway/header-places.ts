import { crc32 } from 'node:zlib';
import { VeronaError } from '../model/errors.ts';
import { CACHE_PAGE_BYTES } from '../tsdb/chunks/page-cache.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { ByteWriter } from '../tsdb/format/byte-writer.ts';
import { SAMPLE_EVERY } from '../tsdb/index/sampled-section.ts';
import { checkHeader, type NamePlaces, type TablePlaces, walkSymbols, walkTable } from './walk-header.ts';

/**
 * Where things are in an index-header, so that it need not be in memory: every 32nd place of its two tables, and a checksum
 * of each of its pages. Kept beside it on the local disk:
 *
 *   ┌──────────────────┬───────────┬──────────────────────────┬─────────────────────────────────────────┐
 *   │ magic 0x564e4850 │ version 1 │ size of the index-header │ end of the postings lists in the index 8│
 *   │ 4                │ 1         │ 4                        │                                         │
 *   ├──────────────────┴───────────┴──────────────────────────┴─────────────────────────────────────────┤
 *   │ count 4 │ CRC32  4 of each page of 16 KiB of the index-header                                     │
 *   │ symbols 4 │ end of the symbols 4 │ count 4 │ place 4 of every 32nd symbol                         │
 *   │ count 4 │ place 4 of sampled entries of the postings table, and its end                           │
 *   │ count 4 │ offset 8 of their lists (a double), and the end of the lists                            │
 *   │ count 4 │ ( length 4 │ label name │ values 4 │ number of its first sampled entry 4 )…             │
 *   │ count 4 │ reference 4 of the first series of each metric, and what follows the last one           │
 *   ├───────────────────────────────────────────────────────────────────────────────────────────────────┤
 *   │ CRC32 4 of all before                                                                             │
 *   └───────────────────────────────────────────────────────────────────────────────────────────────────┘
 *
 * Columns are as memory has them, little endian on every machine there is; all else is big endian. The last column is empty when it is not known that the series of a metric lie together.
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
/** Before the contents of a section. */
const SECTION_LENGTH_BYTES = 4;

/**
 * The places in an index-header, its checksums verified. What its postings table says is read unless `known` is what it says, with places
 * counted from the begin of its section. Throws `corrupt`.
 */
export function placesOf(
  header: Uint8Array,
  metricStarts: Uint32Array = NO_STARTS,
  known?: TablePlaces,
): HeaderPlaces {
  const { postingsEnd, symbols, table } = checkHeader(header);
  const { names, entryPlaces, entryLists } = known ?? walkTable(header, table, postingsEnd);
  const shift = known ? table.start - SECTION_LENGTH_BYTES : 0;
  return {
    headerBytes: header.length,
    postingsEnd,
    pageSums: sumsOf(header),
    ...walkSymbols(header, symbols),
    symbolsEnd: symbols.end,
    entryPlaces: shift === 0 ? entryPlaces : entryPlaces.map((place) => place + shift),
    entryLists,
    names,
    metricStarts,
  };
}

function sumsOf(header: Uint8Array): Uint32Array {
  const sums = new Uint32Array(Math.ceil(header.length / CACHE_PAGE_BYTES));
  for (let i = 0; i < sums.length; i++)
    sums[i] = crc32(header.subarray(i * CACHE_PAGE_BYTES, (i + 1) * CACHE_PAGE_BYTES));
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
  const column = (numbers: Uint32Array | Float64Array) => {
    out.be32(numbers.length);
    out.bytes(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
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
  column(places.entryLists);
  out.be32(places.names.size);
  for (const [name, { count, firstSample }] of places.names) {
    const bytes = Buffer.from(name);
    out.be32(bytes.length);
    out.bytes(bytes);
    out.be32(count);
    out.be32(firstSample);
  }
  column(places.metricStarts);
  out.be32(crc32(out.view()));
  return out.copy();
}

/** Throws `corrupt`. */
export function decodePlaces(bytes: Uint8Array): HeaderPlaces {
  const reader = new ByteReader(bytes, 0, Math.max(0, bytes.length - 4));
  if (bytes.length < 4 || crc32(bytes.subarray(0, reader.end)) !== new ByteReader(bytes, reader.end).be32())
    throw new VeronaError('corrupt', 'bad checksum of the places in an index-header');
  if (reader.be32() !== MAGIC || reader.byte() !== VERSION)
    throw new VeronaError('corrupt', 'no places in an index-header, or of an unknown version');
  const places = {
    headerBytes: reader.be32(),
    postingsEnd: reader.be64(),
    pageSums: new Uint32Array(columnOf(reader, 4)),
    symbolCount: reader.be32(),
    symbolsEnd: reader.be32(),
    symbolPlaces: new Uint32Array(columnOf(reader, 4)),
    entryPlaces: new Uint32Array(columnOf(reader, 4)),
    entryLists: new Float64Array(columnOf(reader, 8)),
    names: readNames(reader),
    metricStarts: new Uint32Array(columnOf(reader, 4)),
  };
  if (!fits(places)) throw new VeronaError('corrupt', 'places in an index-header do not fit each other');
  return places;
}

/** A copy: in the file it may begin anywhere. */
function columnOf(reader: ByteReader, entryBytes: number): ArrayBuffer {
  return reader.take(entryBytes * countOf(reader, entryBytes)).slice().buffer as ArrayBuffer;
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

/** The checksum is right, so this is about what another version may have written. */
function fits(places: HeaderPlaces): boolean {
  const { headerBytes, pageSums, symbolCount, symbolsEnd, symbolPlaces } = places;
  const { entryPlaces, entryLists, postingsEnd, names } = places;
  return (
    pageSums.length === Math.ceil(headerBytes / CACHE_PAGE_BYTES) &&
    symbolPlaces.length === Math.ceil(symbolCount / SAMPLE_EVERY) &&
    symbolsEnd <= headerBytes &&
    ascendBelow(symbolPlaces, symbolsEnd) &&
    entryPlaces.length === entryLists.length &&
    ascendBelow(entryPlaces, headerBytes) &&
    allWithin(entryLists, postingsEnd) &&
    [...names.values()].every(
      ({ count, firstSample }) => firstSample + Math.ceil(count / SAMPLE_EVERY) < entryPlaces.length,
    )
  );
}

function ascendBelow(places: Uint32Array, end: number): boolean {
  for (let i = 1; i < places.length; i++) if (places[i] <= places[i - 1]) return false;
  return places.length === 0 || places[places.length - 1] < end;
}

function allWithin(lists: Float64Array, end: number): boolean {
  for (let i = 0; i < lists.length; i++) if (!(lists[i] >= 0 && lists[i] <= end)) return false;
  return true;
}

import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import {
  checkIndexHeader,
  decodeToc,
  INDEX_HEADER_BYTES,
  type IndexToc,
  TOC_BYTES,
} from '../tsdb/index/index-format.ts';
import { type HeaderPlaces, placesOf } from './header-places.ts';
import { encodeIndexHeader } from './index-header.ts';
import { metricStartsOf } from './metric-starts.ts';
import { type TablePlaces, walkTable } from './walk-header.ts';

/** Symbols and postings offsets of one block beyond this are refused. */
const SECTION_BYTES_MAX = 1024 ** 3;
const TAIL_BYTES_MIN = 256 * 1024;
const TAIL_BYTES_MAX = 16 * 1024 * 1024;
/** Lists of metrics longer than this together are left alone. */
const METRIC_LISTS_BYTES_MAX = 64 * 1024 * 1024;

export interface FetchedHeader {
  readonly bytes: Uint8Array;
  readonly places: HeaderPlaces;
  /** Which part of the index its end from the postings table on is: a guess for the next block. */
  readonly tailShare: number;
}

/**
 * Makes an index-header of at most three reads: the end of the index, as much as is thought to hold the postings table (the
 * share `tailShare` of the index), then the symbols, and the rest of the table or, when there is none, the lists that say where
 * the series of each metric are. Throws `corrupt`.
 */
export async function fetchHeader(
  bucket: Bucket,
  ctx: BucketContext,
  key: string,
  indexSize: number,
  tailShare: number,
): Promise<FetchedHeader> {
  if (indexSize < TOC_BYTES) throw new VeronaError('corrupt', `${key}: ${indexSize} bytes are no index`);
  const guess = Math.min(TAIL_BYTES_MAX, Math.max(TAIL_BYTES_MIN, Math.ceil(indexSize * tailShare)));
  const tailStart = Math.max(0, indexSize - guess);
  const tail = await readPart(bucket, ctx, key, tailStart, indexSize);
  // Of a small index the end is all of it.
  const read = async (start: number, end: number) =>
    start >= tailStart
      ? tail.slice(start - tailStart, end - tailStart)
      : readPart(bucket, ctx, key, start, end);
  const toc = decodeToc(tail.slice(tail.length - TOC_BYTES), key);
  checkOrder(toc, indexSize, key);
  const { symbols, series, postingsOffsetTable: table } = toc;
  const missing = table < tailStart ? read(table, tailStart) : undefined;
  const inTail = tail.subarray(Math.max(0, table - tailStart), tail.length - TOC_BYTES);
  const known = missing ? undefined : walked(trimSection(inTail), table);
  const metrics = known && metricListsOf(known);
  const isWorth = metrics && metrics.end - metrics.start <= METRIC_LISTS_BYTES_MAX;
  const [head, before, lists] = await Promise.all([
    read(0, series),
    missing,
    isWorth ? read(metrics.start, metrics.end) : undefined,
  ]);
  checkIndexHeader(head, key);
  const entries = before ? Buffer.concat([before, inTail]) : inTail;
  const bytes = encodeIndexHeader(trimSection(head.subarray(symbols)), trimSection(entries), table);
  const starts = metrics && lists && metricStartsOf(lists, metrics, seriesBytesEnd(toc));
  return {
    bytes,
    places: placesNaming(key, bytes, starts, known),
    tailShare: (indexSize - table) / indexSize,
  };
}

function checkOrder(
  { symbols, series, postingsOffsetTable: table }: IndexToc,
  indexSize: number,
  key: string,
) {
  const ordered =
    symbols >= INDEX_HEADER_BYTES && symbols + 4 < series && series <= table && table < indexSize - TOC_BYTES;
  if (!ordered) throw new VeronaError('corrupt', `${key}: sections at ${symbols}, ${series} and ${table}`);
}

/** Where the series end at the latest. */
function seriesBytesEnd({ labelIndices, postings, postingsOffsetTable }: IndexToc): number {
  return Math.min(...[labelIndices, postings, postingsOffsetTable].filter((offset) => offset > 0));
}

/** What the section of a postings table says; undefined when it is damaged, which is told when all of the header is looked at. */
function walked(section: Uint8Array, postingsEnd: number): TablePlaces | undefined {
  try {
    return walkTable(section, { start: 4, end: section.length - 4 }, postingsEnd);
  } catch {
    return undefined;
  }
}

/** Where the postings lists of all metrics lie, and each of them; undefined where there are none. */
function metricListsOf({ metricLists: starts, afterMetrics: end, all }: TablePlaces) {
  if (all === undefined || starts.length === 0) return undefined;
  const lists = starts.map((start, i) => ({ start, end: starts[i + 1] ?? end }));
  return { start: starts[0], end, lists, all };
}

function placesNaming(
  key: string,
  bytes: Uint8Array,
  starts: Uint32Array | undefined,
  known: TablePlaces | undefined,
): HeaderPlaces {
  try {
    return placesOf(bytes, starts, known);
  } catch (error) {
    throw new VeronaError('corrupt', `${key}: ${(error as Error).message}`, { cause: error });
  }
}

async function readPart(
  bucket: Bucket,
  ctx: BucketContext,
  key: string,
  start: number,
  end: number,
): Promise<Uint8Array> {
  if (end - start > SECTION_BYTES_MAX)
    throw new VeronaError(
      'too_large',
      `section of ${end - start} bytes, at most ${SECTION_BYTES_MAX} are read`,
    );
  const bytes = await bucket.getRange(ctx, key, start, end - start);
  if (bytes.length < end - start) throw new VeronaError('corrupt', `${key}: ends at ${start + bytes.length}`);
  return bytes;
}

/** A section without the padding behind it; one that is cut off stays so, and is found when the header is read. */
function trimSection(bytes: Uint8Array): Uint8Array {
  return bytes.length < 4 ? bytes : bytes.subarray(0, 4 + new ByteReader(bytes).be32() + 4);
}

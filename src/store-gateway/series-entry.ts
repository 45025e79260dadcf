import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import type { Interval } from '../tsdb/block/tombstones.ts';
import { refOffset, refSequence } from '../tsdb/chunks/chunk-format.ts';
import { ByteReader, be32At } from '../tsdb/format/byte-reader.ts';
import { SeriesEntry as DecodedSeries, decodeSeriesContent } from '../tsdb/index/index-format.ts';

const CRC_SIZE = 4;

/** Where one chunk of a block lies, and when. Times ms, inclusive. */
export interface ChunkMeta {
  readonly mint: number;
  readonly maxt: number;
  /** Segment file by number, from 0, and the offset in it. */
  readonly segment: number;
  readonly offset: number;
  /** Where it ends at the latest, because the next chunk of its series begins there; undefined for the last one of a file. */
  readonly end: number | undefined;
  /** As in its series, for a chunk that came together with those of another one. */
  readonly deleted?: readonly Interval[] | undefined;
}

export interface SeriesEntry {
  /** Its reference in the index. */
  readonly ref: number;
  /** Numbers of symbols: name, value, name, value … in the order of names. */
  readonly labelSymbols: readonly number[];
  /** Ordered by time, only those that touch the wanted range. */
  readonly chunks: readonly ChunkMeta[];
  /** Samples of the chunks that are deleted; ascending, apart from each other. */
  readonly deleted?: readonly Interval[];
}

/** Bytes of the entry that begins with `bytes`. */
export function seriesEntrySize(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  const length = reader.uvarint();
  return reader.at + length + CRC_SIZE;
}

/** What is wanted of series entries. */
export interface EntryWish {
  /** A series is wanted when a chunk of it touches mint … maxt (ms, inclusive), with these chunks. */
  readonly mint: number;
  readonly maxt: number;
  /** Its labels will do: no chunks are given. */
  readonly labelsOnly?: boolean;
  /** Whether labels, as numbers of symbols, are wanted; all when absent. */
  readonly accepts?: ((labelSymbols: readonly number[]) => boolean) | undefined;
}

/**
 * Decodes a series entry of an index (`tsdb/index/index-format.ts`) at the start of `bytes`; undefined when it is not wanted. Chunks
 * are decoded only where they are asked for and the labels are accepted (1,000 series with 48 chunks each, 100 of them wanted: a warm
 * query took 42 ms of CPU before, the head 21). Throws `corrupt`.
 */
export function decodeSeriesEntry(bytes: Uint8Array, wish: EntryWish, ref = 0): SeriesEntry | undefined {
  const content = contentOf(bytes);
  if (wish.labelsOnly || wish.accepts) {
    const reader = new ByteReader(content);
    const labelSymbols = labelSymbolsOf(reader);
    if (wish.accepts && !wish.accepts(labelSymbols)) return undefined;
    if (wish.labelsOnly)
      return anyTouches(reader, wish) ? { ref, labelSymbols, chunks: NO_CHUNKS } : undefined;
  }
  decodeSeriesContent(content, decoded);
  const chunks = takeChunks(wish);
  return chunks.length > 0 ? { ref, labelSymbols: takeLabels(), chunks } : undefined;
}

const NO_CHUNKS: readonly ChunkMeta[] = [];

/** What is between an entry's length and its checksum, which is verified. */
function contentOf(bytes: Uint8Array): Uint8Array {
  const prefix = new ByteReader(bytes);
  const length = prefix.uvarint();
  const start = prefix.at;
  if (length + CRC_SIZE > prefix.left)
    throw new VeronaError('corrupt', `series entry of ${length} bytes is cut off`);
  const end = start + length;
  if (crc32c(bytes, start, end) !== be32At(bytes, end))
    throw new VeronaError('corrupt', 'bad checksum of a series entry');
  return bytes.subarray(start, end);
}

function labelSymbolsOf(reader: ByteReader): number[] {
  const symbols: number[] = [];
  for (let left = 2 * reader.length(); left > 0; left--) symbols.push(reader.uvarint());
  return symbols;
}

/** Whether one of the chunks at the reader does: mostly the first, and the others are not looked at. */
function anyTouches(reader: ByteReader, { mint, maxt }: EntryWish): boolean {
  let end = 0;
  for (let i = 0, count = reader.length(); i < count; i++) {
    const start = i === 0 ? reader.varint() : end + reader.wrappedUvarint();
    end = start + reader.wrappedUvarint();
    if (start <= maxt && end >= mint) return true;
    if (i === 0) reader.uvarint();
    else reader.varint();
  }
  return false;
}

/** Refilled by every entry. */
const decoded = new DecodedSeries();

function takeLabels(): number[] {
  const labels: number[] = [];
  for (let i = 0; i < 2 * decoded.labelCount; i++) labels.push(decoded.labels[i]);
  return labels;
}

function takeChunks({ mint, maxt }: EntryWish): ChunkMeta[] {
  const chunks: ChunkMeta[] = [];
  for (let i = 0; i < decoded.chunkCount; i++) {
    if (decoded.mint[i] > maxt || decoded.maxt[i] < mint) continue;
    const ref = decoded.chunkRef[i];
    if (!Number.isSafeInteger(ref)) throw new VeronaError('corrupt', `chunk reference ${ref}`);
    chunks.push({
      mint: decoded.mint[i],
      maxt: decoded.maxt[i],
      segment: refSequence(ref),
      offset: refOffset(ref),
      end: i + 1 < decoded.chunkCount ? endBefore(ref, decoded.chunkRef[i + 1]) : undefined,
    });
  }
  return chunks;
}

function endBefore(ref: number, next: number): number | undefined {
  return next > ref && refSequence(next) === refSequence(ref) ? refOffset(next) : undefined;
}

import { type PackedGather, packGathered, unpackGathered } from '../../kernel/gathered-columns.ts';
import type { GatheredSeries } from '../../kernel/head-memory.ts';
import type { Interval } from '../block/tombstones.ts';
import type { ChunkPiece } from './rare-series.ts';

/**
 * Some series of one select as the ingest thread hands them out: columns whose closed chunks are still refs into
 * `chunks_head/`, and for the few series with deleted stretches what must be cut out after reading.
 */
export interface HeadSlice {
  readonly gathered: GatheredSeries;
  /** By position of the series in `gathered`. */
  readonly deletions: ReadonlyMap<number, readonly Interval[]>;
  /** Known to be the last of its select; when that is not known, the end comes after it. */
  readonly isLast?: boolean;
}

/** A slice on its way to another thread. */
export interface PackedSlice {
  readonly packed: PackedGather;
  /** undefined when there are none. */
  readonly deletions: HeadSlice['deletions'] | undefined;
  readonly isLast: boolean;
}

/** Takes the memory of the slice. */
export function packSlice({ gathered, deletions, isLast }: HeadSlice): PackedSlice {
  return {
    packed: packGathered(gathered),
    deletions: deletions.size > 0 ? deletions : undefined,
    isLast: isLast === true,
  };
}

export function unpackSlice({ packed, deletions = NO_DELETIONS, isLast }: PackedSlice): HeadSlice {
  return { gathered: unpackGathered(packed), deletions, isLast };
}

/** Memory up to this is copied when it goes to another thread: moving it takes longer. */
const COPIED_BYTES_MAX = 16 * 1024;

/** The memory of a slice that had better be moved. */
export function movedOf({ packed: { memory } }: PackedSlice): ArrayBuffer[] {
  return memory.byteLength > COPIED_BYTES_MAX ? [memory] : [];
}

const NO_DELETIONS: HeadSlice['deletions'] = new Map();

/** Chunks of one series that are not in the head's memory: open chunks of rare series, late samples, unwritten chunks. */
export type ExtraChunks = readonly ChunkPiece[];

/**
 * Gathered columns with more chunks in them, each in its place by (mint, maxt), and without the series that have no
 * chunk at all. `chunkRef` is -1 for those with bytes. The result is new memory.
 */
export function withExtraChunks(
  from: GatheredSeries,
  extraOf: (series: number) => ExtraChunks,
): GatheredSeries {
  const builder = new SliceBuilder();
  for (let series = 0; series < from.seriesCount; series++) builder.add(from, series, extraOf(series));
  return builder.finish();
}

interface Column {
  mint: number;
  maxt: number;
  encoding: number;
  ref: number;
  data: Uint8Array;
}

class SliceBuilder {
  readonly #labels: Uint8Array[] = [];
  readonly #chunks: Column[] = [];
  readonly #starts: number[] = [0];

  add(from: GatheredSeries, series: number, extra: ExtraChunks): void {
    const chunks: Column[] = [];
    for (let c = from.chunkStarts[series]; c < from.chunkStarts[series + 1]; c++)
      chunks.push({
        mint: from.chunkMint[c],
        maxt: from.chunkMaxt[c],
        encoding: from.chunkEncoding[c],
        ref: from.chunkRef[c],
        data: from.chunkData.subarray(
          from.chunkDataOffset[c],
          from.chunkDataOffset[c] + from.chunkDataLength[c],
        ),
      });
    for (const piece of extra) chunks.push({ ...piece, ref: -1, data: piece.bytes });
    if (chunks.length === 0) return;
    if (extra.length > 0) chunks.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
    this.#labels.push(from.labelBytes.subarray(from.labelOffsets[series], from.labelOffsets[series + 1]));
    this.#chunks.push(...chunks);
    this.#starts.push(this.#chunks.length);
  }

  finish(): GatheredSeries {
    const chunks = this.#chunks;
    const data = concat(chunks.map((chunk) => chunk.data));
    const labels = concat(this.#labels);
    return {
      seriesCount: this.#labels.length,
      labelBytes: labels.bytes,
      labelOffsets: labels.offsets,
      chunkStarts: Uint32Array.from(this.#starts),
      chunkMint: Float64Array.from(chunks, (chunk) => chunk.mint),
      chunkMaxt: Float64Array.from(chunks, (chunk) => chunk.maxt),
      chunkEncoding: Uint8Array.from(chunks, (chunk) => chunk.encoding),
      chunkRef: Float64Array.from(chunks, (chunk) => chunk.ref),
      chunkDataOffset: data.offsets.slice(0, chunks.length),
      chunkDataLength: Uint32Array.from(chunks, (chunk) => chunk.data.length),
      chunkData: data.bytes,
    };
  }
}

/** Offsets have one entry more than there are parts. */
export function concat(parts: readonly Uint8Array[]): { bytes: Uint8Array; offsets: Uint32Array } {
  const offsets = new Uint32Array(parts.length + 1);
  for (const [i, part] of parts.entries()) offsets[i + 1] = offsets[i] + part.length;
  const bytes = new Uint8Array(offsets[parts.length]);
  for (const [i, part] of parts.entries()) bytes.set(part, offsets[i]);
  return { bytes, offsets };
}

import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { Interval } from '../block/tombstones.ts';
import type { ChunkReader } from '../chunks/chunk-reader.ts';
import { readGatheredChunks } from '../chunks/gathered-series.ts';
import { clipChunk } from './clip-chunk.ts';
import { concat, type HeadSlice } from './head-slice.ts';
import type { ChunkPiece } from './rare-series.ts';

/**
 * Reads the closed chunks of a slice from `chunks_head/` and cuts out what was deleted; series left without chunks
 * vanish. Works on any thread. Throws `corrupt` for a damaged chunk.
 */
export async function completeSlice(slice: HeadSlice, reader: ChunkReader): Promise<SeriesBatch> {
  const batch = await readGatheredChunks(slice.gathered, reader);
  return slice.deletions.size === 0 ? batch : withoutDeleted(batch, slice.deletions);
}

/** The batch without the samples in `deletions` (by position of the series). */
export function withoutDeleted(
  batch: SeriesBatch,
  deletions: ReadonlyMap<number, readonly Interval[]>,
): SeriesBatch {
  const labels: Uint8Array[] = [];
  const chunks: ChunkPiece[] = [];
  const starts = [0];
  for (let i = 0; i < batch.seriesCount; i++) {
    const kept = chunksOf(batch, i).flatMap((chunk) => clip(chunk, deletions.get(i)));
    if (kept.length === 0) continue;
    labels.push(batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]));
    chunks.push(...kept);
    starts.push(chunks.length);
  }
  return toBatch(labels, chunks, starts);
}

/** The chunks of series `i`; bytes are views. */
export function chunksOf(batch: SeriesBatch, i: number): ChunkPiece[] {
  const pieces: ChunkPiece[] = [];
  for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
    const start = batch.chunkDataOffset[c];
    pieces.push({
      encoding: batch.chunkEncoding[c],
      mint: batch.chunkMint[c],
      maxt: batch.chunkMaxt[c],
      bytes: batch.chunkData.subarray(start, start + batch.chunkDataLength[c]),
    });
  }
  return pieces;
}

function clip(chunk: ChunkPiece, deleted: readonly Interval[] | undefined): ChunkPiece[] {
  if (deleted === undefined) return [chunk];
  return clipChunk(chunk, Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, deleted);
}

function toBatch(
  labels: readonly Uint8Array[],
  chunks: readonly ChunkPiece[],
  starts: number[],
): SeriesBatch {
  const label = concat(labels);
  const data = concat(chunks.map((chunk) => chunk.bytes));
  return {
    seriesCount: labels.length,
    labelBytes: label.bytes,
    labelOffsets: label.offsets,
    chunkStarts: Uint32Array.from(starts),
    chunkMint: Float64Array.from(chunks, (chunk) => chunk.mint),
    chunkMaxt: Float64Array.from(chunks, (chunk) => chunk.maxt),
    chunkEncoding: Uint8Array.from(chunks, (chunk) => chunk.encoding),
    chunkDataOffset: data.offsets.slice(0, chunks.length),
    chunkDataLength: Uint32Array.from(chunks, (chunk) => chunk.bytes.length),
    chunkData: data.bytes,
  };
}

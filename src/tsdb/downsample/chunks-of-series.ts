import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { BlockChunk } from '../block/block-writer.ts';

/** The chunks of series `i` of a batch; data are views. */
export function chunksOfSeries(batch: SeriesBatch, i: number): BlockChunk[] {
  const from = batch.chunkStarts[i];
  return Array.from({ length: batch.chunkStarts[i + 1] - from }, (_, k) => {
    const c = from + k;
    const start = batch.chunkDataOffset[c];
    return {
      mint: batch.chunkMint[c],
      maxt: batch.chunkMaxt[c],
      encoding: batch.chunkEncoding[c],
      data: batch.chunkData.subarray(start, start + batch.chunkDataLength[c]),
    };
  });
}

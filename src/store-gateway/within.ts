import { BatchBuilder } from '../storage/batch-builder.ts';
import type { Querier, SelectRequest } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import type { Interval } from '../tsdb/block/tombstones.ts';
import { trimChunk } from '../tsdb/block/trim-chunk.ts';
import type { ChosenBlock, HasMeta } from './choose-blocks.ts';

/** The querier of a block, asked for the part that was chosen: of chunks that reach beyond it, only the samples inside. */
export function within(querier: Querier, { block, mint, maxt }: ChosenBlock<HasMeta>): Querier {
  if (mint <= block.meta.mint && maxt >= block.meta.maxt - 1) return querier;
  const cut = <R extends { readonly mint: number; readonly maxt: number }>(request: R): R => ({
    ...request,
    mint: Math.max(mint, request.mint),
    maxt: Math.min(maxt, request.maxt),
  });
  return {
    get warnings() {
      return querier.warnings;
    },
    select: async function* (ctx, request: SelectRequest) {
      for await (const batch of querier.select(ctx, cut(request))) yield trimmed(batch, mint, maxt);
    },
    labelNames: (ctx, request) => querier.labelNames(ctx, cut(request)),
    labelValues: (ctx, name, request) => querier.labelValues(ctx, name, cut(request)),
    exemplars: (ctx, sets, from, to) => querier.exemplars(ctx, sets, from, to),
    close: () => querier.close(),
  };
}

function trimmed(batch: SeriesBatch, mint: number, maxt: number): SeriesBatch {
  const { chunkMint, chunkMaxt } = batch;
  if (chunkMint.every((t) => t >= mint) && chunkMaxt.every((t) => t <= maxt)) return batch;
  const outside: Interval[] = [
    { mint: Number.NEGATIVE_INFINITY, maxt: mint - 1 },
    { mint: maxt + 1, maxt: Number.POSITIVE_INFINITY },
  ];
  const builder = new BatchBuilder();
  for (let i = 0; i < batch.seriesCount; i++) {
    builder.addSeries(batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]));
    for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
      const start = batch.chunkDataOffset[c];
      const chunk = {
        encoding: batch.chunkEncoding[c],
        data: batch.chunkData.subarray(start, start + batch.chunkDataLength[c]),
      };
      const isWhole = chunkMint[c] >= mint && chunkMaxt[c] <= maxt;
      const { encoding, data } = isWhole ? chunk : trimChunk(chunk, outside);
      builder.addChunk(Math.max(mint, chunkMint[c]), Math.min(maxt, chunkMaxt[c]), encoding, data);
    }
  }
  return builder.take();
}

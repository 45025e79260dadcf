import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { BatchBuilder } from '../../storage/batch-builder.ts';
import type { Querier } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { chunksOfSeries } from './chunks-of-series.ts';
import { addAggregates } from './downsample-aggregates.ts';
import { addHistogramChunks } from './downsample-histograms.ts';

/**
 * A source whose aggregate chunks of one series may overlap, since they are of blocks that have no raw sample in common: their
 * windows are added up, so that each time has one.
 */
export function withAddedWindows(querier: Querier): Querier {
  return {
    async *select(ctx, request) {
      for await (const batch of querier.select(ctx, request))
        yield batch.chunkEncoding.includes(ChunkEncoding.aggregate) ? added(batch) : batch;
    },
    labelNames: (ctx, request) => querier.labelNames(ctx, request),
    labelValues: (ctx, name, request) => querier.labelValues(ctx, name, request),
    exemplars: (ctx, sets, mint, maxt) => querier.exemplars(ctx, sets, mint, maxt),
    get warnings() {
      return querier.warnings;
    },
    close: () => querier.close(),
  };
}

function added(batch: SeriesBatch): SeriesBatch {
  const builder = new BatchBuilder();
  for (let i = 0; i < batch.seriesCount; i++) {
    builder.addSeries(batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]));
    for (const { mint, maxt, encoding, data } of addWindows(chunksOfSeries(batch, i)))
      builder.addChunk(mint, maxt, encoding, data);
  }
  return builder.take();
}

/** The chunks of one series, ordered by time, with one aggregate chunk instead of those that overlap. Throws `corrupt`. */
export function addWindows(chunks: readonly BlockChunk[]): BlockChunk[] {
  const isAggregate = ({ encoding }: BlockChunk) => encoding === ChunkEncoding.aggregate;
  const kinds = Map.groupBy(chunks.filter(isAggregate), isOfHistograms);
  const whole = [
    ...chunks.filter((chunk) => !isAggregate(chunk)),
    ...addEach(kinds.get(false) ?? [], addAggregates),
    ...addEach(kinds.get(true) ?? [], addHistogramChunks),
  ];
  return whole.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
}

function addEach(
  chunks: readonly BlockChunk[],
  add: (chunks: readonly BlockChunk[]) => readonly BlockChunk[],
): BlockChunk[] {
  const out: BlockChunk[] = [];
  for (let i = 0; i < chunks.length; ) {
    const from = i;
    let end = chunks[i].maxt;
    for (i++; i < chunks.length && chunks[i].mint <= end; i++) end = Math.max(end, chunks[i].maxt);
    out.push(...(i - from === 1 ? chunks.slice(from, i) : add(chunks.slice(from, i))));
  }
  return out;
}

function isOfHistograms({ data }: BlockChunk): boolean {
  return decodeAggregates(data)[Aggregate.sum]?.encoding === ChunkEncoding.floatHistogram;
}

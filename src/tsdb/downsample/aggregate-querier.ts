import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { BatchBuilder } from '../../storage/batch-builder.ts';
import type { Querier } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { type AggregateChoice, aggregateOf, isInexact } from './aggregate-of.ts';
import { chunksOfSeries } from './chunks-of-series.ts';
import { readAggregates } from './read-aggregates.ts';

/**
 * A source that may give aggregate chunks, seen as one that does not: each becomes the one of its aggregates that the
 * function of the request wants. Series without aggregate chunks are handed through.
 */
export function withoutAggregates(querier: Querier): Querier {
  const warnings = new Set<string>();
  return {
    async *select(ctx, request) {
      const { func = '', rangeMs } = request.hints ?? {};
      for await (const batch of querier.select(ctx, request)) {
        const isMixed = batch.chunkEncoding.includes(ChunkEncoding.aggregate);
        if (isMixed && isInexact(func)) warnings.add(inexact(func));
        yield isMixed ? convert(batch, aggregateOf(func), rangeMs) : batch;
      }
    },
    labelNames: (ctx, request) => querier.labelNames(ctx, request),
    labelValues: (ctx, name, request) => querier.labelValues(ctx, name, request),
    exemplars: (ctx, sets, mint, maxt) => querier.exemplars(ctx, sets, mint, maxt),
    get warnings() {
      return warnings.size === 0 ? querier.warnings : [...querier.warnings, ...warnings];
    },
    close: () => querier.close(),
  };
}

function inexact(func: string): string {
  return `${func} read downsampled samples where there are no raw ones any more: it is not exact there`;
}

/** As large a batch as before, or smaller. */
function convert(batch: SeriesBatch, choice: AggregateChoice, rangeMs: number | undefined): SeriesBatch {
  const builder = new BatchBuilder();
  for (let i = 0; i < batch.seriesCount; i++) {
    builder.addSeries(batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]));
    for (const { mint, maxt, encoding, data } of readAggregates(chunksOfSeries(batch, i), choice, rangeMs))
      builder.addChunk(mint, maxt, encoding, data);
  }
  return builder.take();
}

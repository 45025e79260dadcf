import { storedSampleCount } from '../chunkenc/chunk.ts';
import type { Querier, ReadContext, SelectRequest, SourceTally } from './querier.ts';
import type { SeriesBatch } from './series-batch.ts';

/** The same source, which counts what it gives under a name when a read wants to know (`ReadContext.tally`). */
export function namedQuerier(name: string, querier: Querier): Querier {
  return {
    get warnings() {
      return querier.warnings;
    },
    select: (ctx, request) =>
      ctx.tally === undefined
        ? querier.select(ctx, request)
        : tallied(ctx, request, querier, ctx.tally.source(name), ctx.tally.now),
    labelNames: (ctx, request) => querier.labelNames(ctx, request),
    labelValues: (ctx, label, request) => querier.labelValues(ctx, label, request),
    exemplars: (ctx, sets, mint, maxt) => querier.exemplars(ctx, sets, mint, maxt),
    close: () => querier.close(),
  };
}

async function* tallied(
  ctx: ReadContext,
  request: SelectRequest,
  querier: Querier,
  tally: SourceTally,
  now: () => number,
): AsyncGenerator<SeriesBatch> {
  let asked = now();
  for await (const batch of querier.select(ctx, request)) {
    tally.timeMs += now() - asked;
    countBatch(tally, batch);
    yield batch;
    asked = now();
  }
  tally.timeMs += now() - asked;
}

/** Samples are what the chunks say they hold, also outside the bounds asked for. */
export function countBatch(tally: SourceTally, batch: SeriesBatch): void {
  const { chunkData, chunkDataOffset, chunkStarts, seriesCount } = batch;
  const chunks = chunkStarts[seriesCount];
  tally.batches++;
  tally.series += seriesCount;
  tally.chunks += chunks;
  tally.bytes += batch.labelBytes.length + chunkData.length;
  for (let c = 0; c < chunks; c++)
    if (batch.chunkDataLength[c] >= 2)
      tally.samples += storedSampleCount(batch.chunkEncoding[c], chunkData, chunkDataOffset[c]);
}

export function newTally(): SourceTally {
  return { batches: 0, series: 0, chunks: 0, samples: 0, bytes: 0, timeMs: 0 };
}

import { BatchBuilder } from '../storage/batch-builder.ts';
import type { Querier, Queryable, ReadContext, SelectRequest } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { ShardTest } from './shard.ts';
import type { Shard } from './store-server.ts';

/** A source of which only the series of one shard are seen; names and values of labels are those of all. */
export function shardQueryable(source: Queryable, shard: Shard): Queryable {
  return {
    querier: async (mint, maxt) => {
      const querier = await source.querier(mint, maxt);
      return {
        get warnings() {
          return querier.warnings;
        },
        select: (ctx, request) => shardSelect(querier, shard, ctx, request),
        labelNames: (ctx, request) => querier.labelNames(ctx, request),
        labelValues: (ctx, name, request) => querier.labelValues(ctx, name, request),
        exemplars: (ctx, sets, from, to) => querier.exemplars(ctx, sets, from, to),
        close: () => querier.close(),
      };
    },
  };
}

async function* shardSelect(
  querier: Querier,
  shard: Shard,
  ctx: ReadContext,
  request: SelectRequest,
): AsyncGenerator<SeriesBatch> {
  const test = new ShardTest(shard);
  // Series of other shards must not use up the limit.
  const { limit: _, ...hints } = request.hints ?? {};
  const builder = new BatchBuilder();
  for await (const batch of querier.select(ctx, { ...request, hints })) {
    for (let i = 0; i < batch.seriesCount; i++) {
      const labels = batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
      if (!test.has(labels)) continue;
      builder.addSeries(labels);
      for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) builder.addChunkOf(batch, c);
      if (builder.isFull) yield builder.take();
    }
  }
  if (!builder.isEmpty) yield builder.take();
}

/** Whether stores may leave out series of other shards: then what is left out must not depend on labels that are taken off later. */
export function mayPushShard({ by, labels }: Shard, replicaLabels: readonly string[]): boolean {
  return by ? !labels.some((name) => replicaLabels.includes(name)) : replicaLabels.length === 0;
}

import { VeronaError } from '../model/errors.ts';
import type { Querier, Queryable } from './querier.ts';
import type { SeriesBatch } from './series-batch.ts';

/** The same source for whoever can pass on no warning: a select that may lack something fails with what that is. */
export function completeQueryable(source: Queryable): Queryable {
  return {
    querier: async (mint, maxt) => {
      const querier = await source.querier(mint, maxt);
      return {
        warnings: [],
        select: (ctx, request) => complete(querier, querier.select(ctx, request)),
        labelNames: (ctx, request) => querier.labelNames(ctx, request).then((names) => whole(querier, names)),
        labelValues: (ctx, name, request) =>
          querier.labelValues(ctx, name, request).then((values) => whole(querier, values)),
        exemplars: (...request) => querier.exemplars(...request).then((found) => whole(querier, found)),
        close: () => querier.close(),
      };
    },
  };
}

async function* complete(querier: Querier, batches: AsyncIterable<SeriesBatch>): AsyncGenerator<SeriesBatch> {
  for await (const batch of batches) {
    whole(querier, batch);
    yield batch;
  }
  whole(querier, undefined);
}

function whole<T>({ warnings }: Querier, answer: T): T {
  if (warnings.length > 0) throw new VeronaError('unavailable', warnings.join('; '));
  return answer;
}

import { VeronaError } from '../model/errors.ts';
import type { LabelRequest, Querier, Queryable, SelectRequest } from './querier.ts';

/** What a tenant's queries may read. 0 is no limit. */
export interface ReadLimits {
  /** Series that all selects of one query together may give. */
  readonly seriesMax: number;
  /** Nothing before this time is shown, ms; -Infinity for everything. */
  readonly mint: number;
}

/** A source within limits: older data are not there, and too many series are an error that names the limit. */
export function limitQueryable(source: Queryable, limits: ReadLimits): Queryable {
  if (limits.seriesMax === 0 && limits.mint === Number.NEGATIVE_INFINITY) return source;
  return {
    querier: async (mint, maxt) =>
      limitQuerier(await source.querier(Math.max(mint, limits.mint), maxt), limits),
  };
}

function limitQuerier(querier: Querier, { seriesMax, mint }: ReadLimits): Querier {
  let series = 0;
  const since = <R extends SelectRequest | LabelRequest>(request: R): R => ({
    ...request,
    mint: Math.max(request.mint, mint),
  });
  return {
    get warnings() {
      return querier.warnings;
    },
    async *select(ctx, request) {
      if (request.maxt < mint) return;
      for await (const batch of querier.select(ctx, since(request))) {
        series += batch.seriesCount;
        if (seriesMax > 0 && series > seriesMax)
          throw new VeronaError(
            'limit',
            `the query selects more than ${seriesMax} series (limits.max_fetched_series_per_query); narrow its matchers`,
          );
        yield batch;
      }
    },
    labelNames: async (ctx, request) => (request.maxt < mint ? [] : querier.labelNames(ctx, since(request))),
    labelValues: async (ctx, name, request) =>
      request.maxt < mint ? [] : querier.labelValues(ctx, name, since(request)),
    exemplars: async (ctx, sets, from, maxt) =>
      maxt < mint ? [] : querier.exemplars(ctx, sets, Math.max(from, mint), maxt),
    close: () => querier.close(),
  };
}

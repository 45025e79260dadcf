import { formatDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import type { SeriesLimits } from '../storeapi/series-limits.ts';
import type { Limits } from '../tenancy/limits.ts';
import type { JobLimits, QueryJob } from './jobs.ts';

/** What a tenant's limits leave to a request that comes now. */
export function jobLimits(limits: Limits, now: number): JobLimits {
  return {
    samplesMax: limits.maxSamplesPerQuery,
    seriesMax: limits.maxFetchedSeriesPerQuery,
    mint: limits.maxQueryLookback === 0 ? Number.NEGATIVE_INFINITY : now - limits.maxQueryLookback,
    ofStore: storeLimits(limits),
  };
}

/** What a tenant's limits leave to one read over the StoreAPI. */
export function storeLimits(limits: Limits): SeriesLimits {
  return {
    seriesMax: limits.maxSeriesPerStoreRequest,
    samplesMax: limits.maxSamplesPerStoreRequest,
  };
}

/** Throws `limit` when a range query spans more time than the tenant may ask for at once. */
export function checkQueryLength(job: QueryJob, { maxQueryLength }: Limits): void {
  const times = job.kind === 'storeQuery' ? job.times : job.kind === 'range' ? job : undefined;
  if (maxQueryLength === 0 || times === undefined || 'timeMs' in times) return;
  const length = times.endMs - times.startMs;
  if (length > maxQueryLength)
    throw new VeronaError(
      'limit',
      `the query time range exceeds the limit (query length: ${formatDuration(length)}, limit: ${formatDuration(maxQueryLength)}, limits.max_query_length)`,
    );
}

/** How long a query may take, ms: what it asks for, and no longer than the tenant's limit. undefined: what the server says. */
export function jobTimeout(asked: number | undefined, { queryTimeout }: Limits): number | undefined {
  if (queryTimeout === 0) return asked || undefined;
  return Math.min(asked || queryTimeout, queryTimeout);
}

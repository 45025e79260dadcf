import type { QueryJob } from '../query/jobs.ts';
import type { ResolutionWish } from '../store-gateway/choose-blocks.ts';

const ANY: ResolutionWish = { maxMs: Number.POSITIVE_INFINITY };
export const RAW_FIRST: ResolutionWish = { ...ANY, preferRaw: true };

/** What the request says; raw data first when it says nothing; raw data only where samples go out as they are stored. */
export function resolutionWish(job: QueryJob): ResolutionWish {
  switch (job.kind) {
    case 'instant':
    case 'range':
      if (job.resolutionMaxMs !== undefined) return { maxMs: job.resolutionMaxMs };
      return job.resolutionBestMs === undefined ? RAW_FIRST : { ...ANY, bestMs: job.resolutionBestMs };
    case 'storeQuery':
      return { maxMs: job.resolutionMaxMs };
    case 'storeSeries':
      return { maxMs: job.request.max_resolution_window, isQuiet: true };
    case 'series':
    case 'labelNames':
    case 'labelValues':
    case 'cardinality':
      return RAW_FIRST;
    default:
      return { maxMs: 0 };
  }
}

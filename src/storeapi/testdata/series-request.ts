import { Matcher } from '../../model/matcher.ts';
import type { SeriesRequest } from '../store-server.ts';

/** A request for all series of the first hundred seconds, with these changes. */
export function seriesRequest(changes: Partial<SeriesRequest>): SeriesRequest {
  return {
    mint: 0,
    maxt: 100_000,
    matchers: [new Matcher('!=', '__name__', '')],
    maxResolutionMs: 0,
    aggregates: [],
    partialResponse: 'warn',
    skipChunks: false,
    stepMs: 0,
    rangeMs: 0,
    func: '',
    shard: undefined,
    withoutReplicaLabels: [],
    limit: 0,
    batchSize: 1,
    ...changes,
  };
}

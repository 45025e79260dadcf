import type { Labels } from '../model/labels.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { QueryJob } from '../query/jobs.ts';
import type { StreamingService } from '../storeapi/grpc-server.ts';
import type { WireQueryRangeRequest, WireQueryRequest } from '../storeapi/messages.ts';
import { readMatcher } from '../storeapi/wire-requests.ts';

export interface QueryServiceOptions {
  /** What the series of a tenant get. */
  readonly external: (tenant: string) => Labels;
  /** Whether stores that this process asks are a part of what it serves. */
  readonly joinsEndpoints: boolean;
  /** When a request names none. */
  readonly replicaLabels: readonly string[];
  readonly clock: Clock;
  readonly run: (
    tenant: string,
    job: QueryJob,
    signal: AbortSignal,
    timeoutMs: number | undefined,
  ) => Promise<HttpResponse>;
}

const BATCH_MAX = 4096;

/** PromQL over gRPC. Replica labels go from the external labels too, as these are on the series that a request means. */
export function ownQueries(options: QueryServiceOptions): StreamingService {
  const { clock } = options;
  return {
    service: 'query',
    methods: {
      Query: (tenant: string, request: WireQueryRequest, signal) => {
        const timeMs = request.time_seconds === 0 ? clock.now() : request.time_seconds * 1000;
        return answer(options, tenant, request, { timeMs }, signal);
      },
      QueryRange: (tenant: string, request: WireQueryRangeRequest, signal) => {
        const times = {
          startMs: request.start_time_seconds * 1000,
          endMs: request.end_time_seconds * 1000,
          stepMs: request.interval_seconds * 1000,
        };
        return answer(options, tenant, request, times, signal);
      },
    },
  };
}

async function* answer(
  { external, joinsEndpoints, replicaLabels: byDefault, run }: QueryServiceOptions,
  tenant: string,
  request: WireQueryRequest | WireQueryRangeRequest,
  times: Extract<QueryJob, { kind: 'storeQuery' }>['times'],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { enableDedup: dedup, replica_labels: named } = request;
  const replicaLabels = named.length > 0 ? named : byDefault;
  const own = external(tenant);
  const job: QueryJob = {
    kind: 'storeQuery',
    query: request.query,
    times,
    lookbackDeltaMs: request.lookback_delta_seconds * 1000,
    resolutionMaxMs: request.max_resolution_seconds * 1000,
    batchSize: Math.min(Math.max(1, request.response_batch_size), BATCH_MAX),
    external: (dedup ? own.drop(new Set(replicaLabels)) : own).flat,
    read: {
      ownOnly: !joinsEndpoints,
      dedup,
      replicaLabels,
      partialResponse: request.enablePartialResponse,
      storeMatches: request.storeMatchers.map(({ labelMatchers }) =>
        labelMatchers.map(readMatcher).map(({ type, name, value }) => ({ type, name, value })),
      ),
    },
  };
  const timeoutMs = request.timeout_seconds > 0 ? request.timeout_seconds * 1000 : undefined;
  const { body } = await run(tenant, job, signal, timeoutMs);
  yield* body as AsyncIterable<Uint8Array>;
}

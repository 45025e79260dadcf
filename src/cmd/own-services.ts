import type { Labels } from '../model/labels.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { ExemplarsBody } from '../query/exemplar-answer.ts';
import type { QueryJob } from '../query/jobs.ts';
import type { StreamingService } from '../storeapi/grpc-server.ts';
import type {
  WireMetadataRequest,
  WireStatisticsRequest,
  WireTsdbStatistics,
} from '../storeapi/service-messages.ts';
import { headStatus } from '../tsdb/head/head-status.ts';

/** Metadata that senders gave with their samples. */
export function ownMetadata(tenants: Tenants): StreamingService {
  return {
    service: 'metadata',
    methods: {
      async *MetricMetadata(tenant: string, { metric, limit }: WireMetadataRequest) {
        const all = [...(tenants.find(tenant)?.db.head.metadata() ?? [])];
        const named = metric === '' ? all : all.filter(([name]) => name === metric);
        const entries = (limit < 0 ? named : named.slice(0, limit)).map(
          ([name, metas]) => [name, { metas }] as const,
        );
        yield { metadata: { metadata: Object.fromEntries(entries) } };
      },
    },
  };
}

/** What the tenant's head holds. */
export function ownStatistics(tenants: Tenants): StreamingService {
  return {
    service: 'status',
    methods: {
      async *TSDBStatistics(tenant: string, { limit }: WireStatisticsRequest) {
        const head = tenants.find(tenant)?.db.head;
        if (!head) return;
        const status = headStatus(head, limit > 0 ? Math.min(limit, TOP_MAX) : TOP_DEFAULT);
        const entry: WireTsdbStatistics = {
          head_statistics: {
            num_series: status.numSeries,
            num_label_pairs: status.numLabelPairs,
            chunk_count: status.chunkCount,
            min_time: status.minTime,
            max_time: status.maxTime,
          },
          series_count_by_metric_name: status.seriesCountByMetricName,
          label_value_count_by_label_name: status.labelValueCountByLabelName,
          memory_in_bytes_by_label_name: status.memoryInBytesByLabelName,
          series_count_by_label_value_pair: status.seriesCountByLabelValuePair,
        };
        yield { statistics: { statistics: { [tenant]: entry } } };
      },
    },
  };
}

const TOP_DEFAULT = 10;
const TOP_MAX = 10_000;

export interface ExemplarServiceOptions {
  /** What the series of a tenant get. */
  readonly external: (tenant: string) => Labels;
  /** Whether stores that this process asks are a part of what it serves. */
  readonly joinsEndpoints: boolean;
  readonly run: (tenant: string, job: QueryJob, signal: AbortSignal) => Promise<HttpResponse>;
}

/** Exemplars under the labels that the series have over the StoreAPI. */
export function ownExemplars({ external, joinsEndpoints, run }: ExemplarServiceOptions): StreamingService {
  return {
    service: 'exemplars',
    methods: {
      async *Exemplars(
        tenant: string,
        request: {
          readonly query: string;
          readonly start: number;
          readonly end: number;
          readonly partial_response_strategy: number;
        },
        signal: AbortSignal,
      ) {
        const job: QueryJob = {
          kind: 'storeExemplars',
          query: request.query,
          startMs: request.start,
          endMs: request.end,
          external: external(tenant).flat,
          read: {
            ownOnly: !joinsEndpoints,
            dedup: false,
            replicaLabels: undefined,
            partialResponse: request.partial_response_strategy !== 1,
            storeMatches: [],
          },
        };
        const { body } = await run(tenant, job, signal);
        const { series, warnings } = JSON.parse(Buffer.from(body as Uint8Array).toString()) as ExemplarsBody;
        for (const warning of warnings) yield { warning };
        for (const { labels, exemplars } of series)
          yield {
            data: {
              seriesLabels: wireLabels(labels),
              exemplars: exemplars.map(({ labels: own, value, t }) => ({
                labels: wireLabels(own),
                value: Number(value),
                ts: t,
              })),
            },
          };
      },
    },
  };
}

function wireLabels(labels: Readonly<Record<string, string>>) {
  return { labels: Object.entries(labels).map(([name, value]) => ({ name, value })) };
}

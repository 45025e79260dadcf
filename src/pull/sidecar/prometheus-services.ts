import { Labels } from '../../model/labels.ts';
import { ALERT_STATES } from '../../storeapi/alert-states.ts';
import type { StreamingService } from '../../storeapi/grpc-server.ts';
import type { WireLabelSet } from '../../storeapi/messages.ts';
import { writeLabelSet } from '../../storeapi/wire-requests.ts';
import type { PrometheusClient } from './prometheus-client.ts';
import { times } from './prometheus-querier.ts';

/** What rules, targets and exemplars say of themselves is passed on under Prometheus' external labels, which win. */
export function prometheusServices(client: PrometheusClient, external: () => Labels): StreamingService[] {
  const withExternal = (labels: Readonly<Record<string, string>>): WireLabelSet =>
    writeLabelSet(Labels.from([...Object.entries(labels), ...external()]));
  return [
    {
      service: 'rules',
      methods: {
        async *Rules(_tenant, request: RulesRequest, signal) {
          const parameters = {
            ...(request.type === 1 && { type: 'alert' }),
            ...(request.type === 2 && { type: 'record' }),
            ...(request.rule_name.length > 0 && { 'rule_name[]': request.rule_name }),
            ...(request.rule_group.length > 0 && { 'rule_group[]': request.rule_group }),
            ...(request.file.length > 0 && { 'file[]': request.file }),
            ...(request.matcher_string.length > 0 && { 'match[]': request.matcher_string }),
          };
          const { data, warnings } = await client.get<{ groups: JsonGroup[] }>(
            '/api/v1/rules',
            parameters,
            signal,
          );
          for (const warning of warnings) yield { warning };
          for (const group of data.groups) yield { group: writeGroup(group, withExternal) };
        },
      },
    },
    {
      service: 'targets',
      methods: {
        async *Targets(_tenant, request: { readonly state: number }, signal) {
          const state = ['any', 'active', 'dropped'][request.state] ?? 'any';
          const { data, warnings } = await client.get<JsonTargets>('/api/v1/targets', { state }, signal);
          for (const warning of warnings) yield { warning };
          yield {
            targets: {
              activeTargets: (data.activeTargets ?? []).map((target) => ({
                ...target,
                discoveredLabels: writeLabelSet(Labels.from(target.discoveredLabels)),
                labels: withExternal(target.labels),
                lastScrape: timestamp(target.lastScrape),
                health: ['down', 'up', 'unknown'].indexOf(target.health),
              })),
              droppedTargets: (data.droppedTargets ?? []).map(({ discoveredLabels }) => ({
                discoveredLabels: writeLabelSet(Labels.from(discoveredLabels)),
              })),
            },
          };
        },
      },
    },
    {
      service: 'metadata',
      methods: {
        async *MetricMetadata(_tenant, request: { readonly metric: string; readonly limit: number }, signal) {
          const parameters = {
            ...(request.metric !== '' && { metric: request.metric }),
            ...(request.limit >= 0 && { limit: String(request.limit) }),
          };
          const { data, warnings } = await client.get<Record<string, JsonMeta[]>>(
            '/api/v1/metadata',
            parameters,
            signal,
          );
          for (const warning of warnings) yield { warning };
          const metadata = Object.fromEntries(Object.entries(data).map(([name, metas]) => [name, { metas }]));
          yield { metadata: { metadata } };
        },
      },
    },
    {
      service: 'exemplars',
      methods: {
        async *Exemplars(
          _tenant,
          request: { readonly query: string; readonly start: number; readonly end: number },
          signal,
        ) {
          const range = times(request.start, request.end);
          const { data, warnings } = await client.get<JsonExemplars[]>(
            '/api/v1/query_exemplars',
            { query: request.query, ...range },
            signal,
          );
          for (const warning of warnings) yield { warning };
          for (const { seriesLabels, exemplars } of data)
            yield {
              data: {
                seriesLabels: withExternal(seriesLabels),
                exemplars: exemplars.map(({ labels, value, timestamp: seconds }) => ({
                  labels: writeLabelSet(Labels.from(labels)),
                  value: Number(value),
                  ts: Math.round(seconds * 1000),
                })),
              },
            };
        },
      },
    },
    {
      service: 'status',
      methods: {
        async *TSDBStatistics(tenant: string, request: { readonly limit: number }, signal) {
          const parameters: Record<string, string> =
            request.limit > 0 ? { limit: String(request.limit) } : {};
          const { data } = await client.get<JsonStatus>('/api/v1/status/tsdb', parameters, signal);
          const head = data.headStats;
          yield {
            statistics: {
              statistics: {
                [tenant]: {
                  head_statistics: {
                    num_series: head.numSeries,
                    num_label_pairs: head.numLabelPairs,
                    chunk_count: head.chunkCount,
                    min_time: head.minTime,
                    max_time: head.maxTime,
                  },
                  series_count_by_metric_name: data.seriesCountByMetricName,
                  label_value_count_by_label_name: data.labelValueCountByLabelName,
                  memory_in_bytes_by_label_name: data.memoryInBytesByLabelName,
                  series_count_by_label_value_pair: data.seriesCountByLabelValuePair,
                },
              },
            },
          };
        },
      },
    },
  ];
}

interface RulesRequest {
  readonly type: number;
  readonly matcher_string: readonly string[];
  readonly rule_name: readonly string[];
  readonly rule_group: readonly string[];
  readonly file: readonly string[];
}

interface JsonGroup {
  readonly name: string;
  readonly file: string;
  readonly interval: number;
  readonly limit?: number;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
  readonly rules: readonly JsonRule[];
}

interface JsonRule {
  readonly type: 'alerting' | 'recording';
  readonly name: string;
  readonly query: string;
  readonly state?: string;
  readonly duration?: number;
  readonly keepFiringFor?: number;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly alerts?: readonly JsonAlert[];
  readonly health: string;
  readonly lastError?: string;
  readonly evaluationTime: number;
  readonly lastEvaluation: string;
}

interface JsonAlert {
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
  readonly state: string;
  readonly activeAt: string;
  readonly value: string;
}

interface JsonTargets {
  readonly activeTargets?: readonly {
    readonly discoveredLabels: Record<string, string>;
    readonly labels: Record<string, string>;
    readonly lastScrape: string;
    readonly health: string;
  }[];
  readonly droppedTargets?: readonly { readonly discoveredLabels: Record<string, string> }[];
}

interface JsonMeta {
  readonly type: string;
  readonly help: string;
  readonly unit: string;
}

interface JsonExemplars {
  readonly seriesLabels: Record<string, string>;
  readonly exemplars: readonly {
    readonly labels: Record<string, string>;
    readonly value: string;
    readonly timestamp: number;
  }[];
}

interface JsonCount {
  readonly name: string;
  readonly value: number;
}

interface JsonStatus {
  readonly headStats: {
    readonly numSeries: number;
    readonly numLabelPairs: number;
    readonly chunkCount: number;
    readonly minTime: number;
    readonly maxTime: number;
  };
  readonly seriesCountByMetricName: readonly JsonCount[];
  readonly labelValueCountByLabelName: readonly JsonCount[];
  readonly memoryInBytesByLabelName: readonly JsonCount[];
  readonly seriesCountByLabelValuePair: readonly JsonCount[];
}

type WithExternal = (labels: Readonly<Record<string, string>>) => WireLabelSet;

function writeGroup(group: JsonGroup, withExternal: WithExternal) {
  return {
    name: group.name,
    file: group.file,
    interval: group.interval,
    limit: group.limit ?? 0,
    evaluation_duration_seconds: group.evaluationTime,
    last_evaluation: timestamp(group.lastEvaluation),
    rules: group.rules.map((rule) =>
      rule.type === 'alerting'
        ? { alert: writeAlert(rule, withExternal) }
        : { recording: writeRecording(rule, withExternal) },
    ),
  };
}

function writeRecording(rule: JsonRule, withExternal: WithExternal) {
  return {
    name: rule.name,
    query: rule.query,
    labels: withExternal(rule.labels ?? {}),
    health: rule.health,
    last_error: rule.lastError ?? '',
    evaluation_duration_seconds: rule.evaluationTime,
    last_evaluation: timestamp(rule.lastEvaluation),
  };
}

function writeAlert(rule: JsonRule, withExternal: WithExternal) {
  return {
    ...writeRecording(rule, withExternal),
    state: stateNumber(rule.state ?? 'inactive'),
    duration_seconds: rule.duration ?? 0,
    keep_firing_for_seconds: rule.keepFiringFor ?? 0,
    annotations: writeLabelSet(Labels.from(rule.annotations ?? {})),
    // Without external labels, as Thanos has it: replicas of an alert come from sidecars of both kinds.
    alerts: (rule.alerts ?? []).map((alert) => ({
      labels: writeLabelSet(Labels.from(alert.labels)),
      annotations: writeLabelSet(Labels.from(alert.annotations)),
      state: stateNumber(alert.state),
      active_at: timestamp(alert.activeAt),
      value: alert.value,
    })),
  };
}

/** A word that is not known is no state that is known. */
function stateNumber(state: string): number {
  return Math.max(0, (ALERT_STATES as readonly string[]).indexOf(state));
}

/** RFC 3339 as google.protobuf.Timestamp; milliseconds are kept. */
function timestamp(text: string): { seconds: number; nanos: number } {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return { seconds: 0, nanos: 0 };
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: (ms - seconds * 1000) * 1_000_000 };
}

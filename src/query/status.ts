import { VeronaError } from '../model/errors.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { mergeStatistics } from '../storeapi/merge-statistics.ts';
import type { WireStatisticsResponse } from '../storeapi/service-messages.ts';
import { getRoute, onApiPaths } from './api-paths.ts';
import { jsonResponse } from './json-response.ts';
import { Params } from './params.ts';
import { readOptions } from './read-options.ts';
import type { ServiceReader } from './service-reader.ts';

const TOP_DEFAULT = 10;
const TOP_MAX = 10_000;

export interface StatusSource {
  readonly version: string;
  readonly startedAtMs: number;
  /** The configuration in force as YAML, secrets blanked. */
  config(): string;
  /** Flags as given or by default, secrets blanked. */
  flags(): Readonly<Record<string, string>>;
  readonly storageRetention: string;
  lastReload(): { readonly ok: boolean; readonly atMs: number };
  /** How many of the tenants' logs were read back, of how many. */
  replay(): { readonly max: number; readonly current: number };
}

/** `status/*`, and what Verona has none of but clients ask for. What heads hold is that of all endpoints too, by `reader`. */
export function statusRoutes(source: StatusSource, reader: ServiceReader): Route[] {
  const get = (path: string, data: () => unknown): Route =>
    getRoute(path, async () => jsonResponse(await data()));
  const api = [
    get('/api/v1/status/buildinfo', () => ({
      version: source.version,
      revision: '',
      branch: '',
      buildUser: '',
      buildDate: '',
      goVersion: '',
      application: 'Verona',
    })),
    { ...get('/api/v1/status/config', () => ({ yaml: source.config() })), ofAllTenants: true },
    { ...get('/api/v1/status/flags', () => source.flags()), ofAllTenants: true },
    get('/api/v1/status/runtimeinfo', () => runtimeInfo(source)),
    getRoute('/api/v1/status/tsdb', (request) => tsdbStatus(reader, request)),
    get('/api/v1/targets/metadata', () => []),
    get('/api/v1/notifications', () => []),
    get('/api/v1/status/walreplay', () => ({ min: 0, ...source.replay() })),
    get('/api/v1/alertmanagers', () => ({ activeAlertmanagers: [], droppedAlertmanagers: [] })),
  ];
  return onApiPaths(api);
}

function runtimeInfo(source: StatusSource) {
  const reload = source.lastReload();
  return {
    startTime: new Date(source.startedAtMs).toISOString(),
    reloadConfigSuccess: reload.ok,
    lastConfigTime: new Date(reload.atMs).toISOString(),
    corruptionCount: 0,
    goroutineCount: 0,
    storageRetention: source.storageRetention,
  };
}

async function tsdbStatus(reader: ServiceReader, request: HttpRequest): Promise<HttpResponse> {
  const params = new Params(request);
  const limit = params.text('limit') ?? String(TOP_DEFAULT);
  if (!/^\+?0*[1-9]\d{0,14}$/.test(limit))
    throw new VeronaError('bad_data', 'limit must be a positive number');
  const top = Math.min(Number(limit), TOP_MAX);
  const read = readOptions(params);
  const { tenant, signal } = request;
  const asked = {
    service: 'status',
    method: 'TSDBStatistics',
    tenant,
    request: { limit: top },
    read,
  } as const;
  const { messages, warnings } = await reader.ask<WireStatisticsResponse>(asked, signal);
  const parts = messages.flatMap(({ statistics }) => Object.values(statistics?.statistics ?? {}));
  const { head_statistics: head, ...lists } = mergeStatistics(parts, top);
  const headStats = {
    numSeries: head?.num_series,
    numLabelPairs: head?.num_label_pairs,
    chunkCount: head?.chunk_count,
    minTime: head?.min_time,
    maxTime: head?.max_time,
  };
  const byName = {
    headStats,
    seriesCountByMetricName: lists.series_count_by_metric_name,
    labelValueCountByLabelName: lists.label_value_count_by_label_name,
    memoryInBytesByLabelName: lists.memory_in_bytes_by_label_name,
    seriesCountByLabelValuePair: lists.series_count_by_label_value_pair,
  };
  return jsonResponse(byName, warnings);
}

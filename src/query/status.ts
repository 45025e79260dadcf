import { VeronaError } from '../model/errors.ts';
import type { HttpRequest, Route } from '../platform/http.ts';
import { getRoute, onApiPaths } from './api-paths.ts';
import { jsonResponse } from './json-response.ts';
import { Params } from './params.ts';

const TOP_DEFAULT = 10;
const TOP_MAX = 10_000;

export interface NamedCount {
  readonly name: string;
  readonly value: number;
}

/** What `status/tsdb` says of a head; the lists are the largest first. */
export interface HeadStatus {
  readonly numSeries: number;
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly seriesCountByMetricName: readonly NamedCount[];
  readonly labelValueCountByLabelName: readonly NamedCount[];
  readonly memoryInBytesByLabelName: readonly NamedCount[];
  readonly seriesCountByLabelValuePair: readonly NamedCount[];
}

export interface StatusSource {
  readonly version: string;
  readonly startedAtMs: number;
  /** The configuration in force as YAML, secrets blanked. */
  config(): string;
  /** Flags as given or by default, secrets blanked. */
  flags(): Readonly<Record<string, string>>;
  readonly storageRetention: string;
  lastReload(): { readonly ok: boolean; readonly atMs: number };
  head(tenant: string, top: number): Promise<HeadStatus>;
  /** How many of the tenants' logs were read back, of how many. */
  replay(): { readonly max: number; readonly current: number };
}

/** `status/*`, and what Verona has none of but clients ask for. */
export function statusRoutes(source: StatusSource): Route[] {
  const get = (path: string, data: (request: HttpRequest, params: Params) => unknown): Route =>
    getRoute(path, async (request) => jsonResponse(await data(request, new Params(request))));
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
    get('/api/v1/status/tsdb', (request, params) => tsdbStatus(source, request.tenant, params)),
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

async function tsdbStatus(source: StatusSource, tenant: string, params: Params) {
  const limit = params.text('limit') ?? String(TOP_DEFAULT);
  if (!/^\+?0*[1-9]\d{0,14}$/.test(limit))
    throw new VeronaError('bad_data', 'limit must be a positive number');
  const top = Math.min(Number(limit), TOP_MAX);
  const { numSeries, numLabelPairs, chunkCount, minTime, maxTime, ...lists } = await source.head(tenant, top);
  return { headStats: { numSeries, numLabelPairs, chunkCount, minTime, maxTime }, ...lists };
}

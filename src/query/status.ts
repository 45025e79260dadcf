import { VeronaError } from '../model/errors.ts';
import { compareStrings } from '../model/labels.ts';
import type { Metadata } from '../model/metadata.ts';
import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { Params } from './params.ts';

const PREFIXES = ['', '/prometheus', '/api/prom'];
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
  /** By metric; `metric` undefined for all. */
  metadata(tenant: string, metric: string | undefined): Promise<ReadonlyMap<string, readonly Metadata[]>>;
}

/** `status/*`, `metadata`, and what Verona has none of yet but clients ask for: targets, rules, alerts. */
export function statusRoutes(source: StatusSource): Route[] {
  const get = (path: string, data: (request: HttpRequest, params: Params) => unknown): Route => ({
    path,
    methods: ['GET'],
    bodyMax: 0,
    handle: async (request) => success(await data(request, new Params(request))),
  });
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
    get('/api/v1/metadata', (request, params) => metadata(source, request.tenant, params)),
    get('/api/v1/targets', () => ({ activeTargets: [], droppedTargets: [], droppedTargetCounts: {} })),
    get('/api/v1/targets/metadata', () => []),
    get('/api/v1/scrape_pools', () => ({ scrapePools: [] })),
    get('/api/v1/notifications', () => []),
    get('/api/v1/status/walreplay', () => ({ min: 0, ...source.replay() })),
    get('/api/v1/rules', () => ({ groups: [] })),
    get('/api/v1/alerts', () => ({ alerts: [] })),
    get('/api/v1/alertmanagers', () => ({ activeAlertmanagers: [], droppedAlertmanagers: [] })),
  ];
  return PREFIXES.flatMap((prefix) => api.map((route) => ({ ...route, path: prefix + route.path })));
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

async function metadata(source: StatusSource, tenant: string, params: Params) {
  // As in Prometheus a limit of 0 metrics is none of them, and 0 per metric all.
  const limit = unlimitedBelow(0, params.integer('limit'));
  const perMetric = unlimitedBelow(1, params.integer('limit_per_metric'));
  const result: Record<string, Metadata[]> = Object.create(null);
  let count = 0;
  const found = await source.metadata(tenant, params.text('metric'));
  for (const [metric, entries] of [...found].sort(byName)) {
    if (count++ >= limit) break;
    result[metric] = entries.slice(0, perMetric).map(({ type, help, unit }) => ({ type, help, unit }));
  }
  return result;
}

function unlimitedBelow(smallest: number, limit = -1): number {
  return limit < smallest ? Number.POSITIVE_INFINITY : limit;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return compareStrings(a, b);
}

function success(data: unknown): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status: 'success', data }),
  };
}

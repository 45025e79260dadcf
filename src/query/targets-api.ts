import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import { mergeTargets } from '../storeapi/merge-targets.ts';
import type {
  WireActiveTarget,
  WireDroppedTarget,
  WireTargetsRequest,
  WireTargetsResponse,
} from '../storeapi/service-messages.ts';
import { getRoute, onApiPaths } from './api-paths.ts';
import { jsonResponse } from './json-response.ts';
import { Params } from './params.ts';
import { readOptions } from './read-options.ts';
import { labelsJson, timeText } from './rules-json.ts';
import type { ServiceReader } from './service-reader.ts';

const STATES: Readonly<Record<string, number>> = { any: 0, active: 1, dropped: 2 };
const HEALTH = ['down', 'up', 'unknown'];

/** `targets` and `scrape_pools` of this process and all its endpoints, merged. */
export function targetsRoutes(reader: ServiceReader): Route[] {
  return onApiPaths([
    getRoute('/api/v1/targets', (request) => targets(reader, request)),
    getRoute('/api/v1/scrape_pools', (request) => scrapePools(reader, request)),
  ]);
}

async function targets(reader: ServiceReader, request: HttpRequest): Promise<HttpResponse> {
  const params = new Params(request);
  // As in Prometheus a state that it does not know is every state.
  const state = STATES[params.text('state')?.toLowerCase() ?? 'any'] ?? STATES.any;
  const pool = params.text('scrapePool');
  const { found, warnings } = await readTargets(reader, request, state);
  const inPool = (target: { readonly scrapePool?: string }) =>
    pool === undefined || target.scrapePool === pool;
  const active = state === STATES.dropped ? [] : found.activeTargets.filter(inPool);
  const dropped = state === STATES.active ? [] : found.droppedTargets.filter(inPool);
  const data = {
    activeTargets: active.map(activeJson),
    droppedTargets: dropped.map(droppedJson),
    droppedTargetCounts: countByPool(found.droppedTargets.filter(inPool)),
  };
  return jsonResponse(data, warnings);
}

async function scrapePools(reader: ServiceReader, request: HttpRequest): Promise<HttpResponse> {
  const { found, warnings } = await readTargets(reader, request, STATES.active);
  const pools = new Set(found.activeTargets.map(({ scrapePool }) => scrapePool));
  return jsonResponse({ scrapePools: [...pools].sort() }, warnings);
}

async function readTargets(reader: ServiceReader, request: HttpRequest, state: number) {
  const read = readOptions(new Params(request));
  const asked: Pick<WireTargetsRequest, 'state'> = { state };
  const { tenant, signal } = request;
  const question = { service: 'targets', method: 'Targets', tenant, request: asked, read } as const;
  const { messages, warnings } = await reader.ask<WireTargetsResponse>(question, signal);
  const lists = messages.flatMap(({ targets: list }) => (list ? [list] : []));
  return { found: mergeTargets(lists, reader.replicaLabels(read)), warnings };
}

function activeJson(target: WireActiveTarget) {
  return {
    discoveredLabels: labelsJson(target.discoveredLabels),
    labels: labelsJson(target.labels),
    scrapePool: target.scrapePool,
    scrapeUrl: target.scrapeUrl,
    globalUrl: target.globalUrl,
    lastError: target.lastError,
    lastScrape: timeText(target.lastScrape),
    lastScrapeDuration: target.lastScrapeDuration,
    health: HEALTH[target.health] ?? 'unknown',
    ...(target.scrapeInterval !== undefined && { scrapeInterval: target.scrapeInterval }),
    ...(target.scrapeTimeout !== undefined && { scrapeTimeout: target.scrapeTimeout }),
  };
}

function droppedJson({ discoveredLabels, scrapePool }: WireDroppedTarget) {
  return { discoveredLabels: labelsJson(discoveredLabels), ...(scrapePool !== undefined && { scrapePool }) };
}

/** Of targets whose pool is known. */
function countByPool(dropped: readonly WireDroppedTarget[]): Record<string, number> {
  const counts: Record<string, number> = Object.create(null);
  for (const { scrapePool } of dropped)
    if (scrapePool !== undefined) counts[scrapePool] = (counts[scrapePool] ?? 0) + 1;
  return counts;
}

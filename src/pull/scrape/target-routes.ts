import type { Matcher } from '../../model/matcher.ts';
import type { HttpResponse, Route } from '../../platform/http.ts';
import type { ScrapePool } from './scrape-pool.ts';
import type { ScrapeTarget } from './target.ts';

export interface TargetRoutesDeps {
  /** Whose targets they are. */
  readonly tenant: string;
  pools(): readonly ScrapePool[];
  /** Matchers of a selector in PromQL. Throws `bad_data`. */
  parseSelector(text: string): readonly Matcher[];
}

/** What targets say of their metrics, as Prometheus' API has it, and a page for people who wonder why a target is down. */
export function targetRoutes(deps: TargetRoutesDeps): Route[] {
  const of = (tenant: string) => (tenant === deps.tenant ? deps.pools() : []);
  return [
    {
      methods: ['GET'],
      path: '/api/v1/targets/metadata',
      bodyMax: 0,
      handle: ({ tenant, query }) => json(metadataAnswer(of(tenant), deps.parseSelector, query)),
    },
    {
      methods: ['GET'],
      path: '/targets',
      bodyMax: 0,
      handle: ({ tenant }) => ({
        status: 200,
        headers: { 'content-type': 'text/plain; charset=utf-8' },
        body: targetsPage(of(tenant)),
      }),
    },
  ];
}

function metadataAnswer(
  pools: readonly ScrapePool[],
  parseSelector: TargetRoutesDeps['parseSelector'],
  query: URLSearchParams,
): object[] {
  const selector = query.get('match_target') ?? '';
  const matchers = selector === '' ? [] : parseSelector(selector);
  const metric = query.get('metric') ?? '';
  const limit = Number(query.get('limit') ?? '') || Number.POSITIVE_INFINITY;
  const found: object[] = [];
  for (const pool of pools)
    for (const target of pool.targets) {
      if (!matchers.every((matcher) => matcher.matches(target.labels.get(matcher.name)))) continue;
      for (const { family, metadata } of target.families()) {
        if (metric !== '' && family !== metric) continue;
        if (found.length >= limit) return found;
        const { type, help, unit } = metadata;
        found.push({ target: target.labels, ...(metric === '' && { metric: family }), type, help, unit });
      }
    }
  return found;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** A line per target, those that are down first, with why. */
function targetsPage(pools: readonly ScrapePool[]): string {
  const lines: string[] = [];
  for (const pool of pools) {
    const { targets } = pool;
    const up = targets.filter(({ health }) => health === 'up').length;
    lines.push(`${pool.job.job_name}: ${up} of ${targets.length} up, ${pool.droppedCount} dropped`);
    const order = { down: 0, unknown: 1, up: 2 };
    for (const target of targets.sort((a, b) => order[a.health] - order[b.health]))
      lines.push(...describe(target));
    lines.push('');
  }
  return lines.length === 0 ? 'nothing is scraped\n' : lines.join('\n');
}

function describe(target: ScrapeTarget): string[] {
  const when =
    target.lastScrape === 0
      ? 'not scraped yet'
      : `${timeText(target.lastScrape)}, took ${Math.round(target.lastDurationMs)} ms`;
  const line = `  ${target.health.padEnd(7)} ${target.url}  ${target.labels}  ${when}`;
  return target.lastError === '' ? [line] : [line, `          ${target.lastError.replaceAll('\n', ' ')}`];
}

function json(data: unknown): HttpResponse {
  return {
    status: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ status: 'success', data }),
  };
}

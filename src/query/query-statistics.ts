import type { HttpRequest, HttpResponse, Route } from '../platform/http.ts';
import type { Counter, Metrics } from '../platform/metrics.ts';
import type { ActiveQueries } from './active-queries.ts';
import { getRoute, onApiPaths } from './api-paths.ts';
import { Params } from './params.ts';
import { type EndedQuery, type QueryObserver, queryText, queryTimes, timeText } from './query-observer.ts';

/** Tenants with numbers of their own; what further ones ask is counted together, under no name. */
const TENANTS_MAX = 1000;
const SLOWEST_MAX = 20;
const TEXT_MAX = 4096;

interface SlowQuery {
  readonly query: string;
  readonly kind: string;
  readonly seconds: number;
  readonly samples: number | undefined;
  readonly outcome: string;
  readonly endedAt: string;
}

interface TenantNumbers {
  queries: number;
  failed: number;
  seconds: number;
  waitedSeconds: number;
  samples: number;
  answerBytes: number;
  /** The slowest first. */
  slowest: SlowQuery[];
}

/** What each tenant's queries took since the start: as metrics, and as `/api/v1/status/queries`. */
export class QueryStatistics implements QueryObserver {
  readonly #tenants = new Map<string, TenantNumbers>();
  readonly #now: () => number;
  readonly #queries: Counter<'tenant' | 'outcome'>;
  readonly #seconds: Counter<'tenant'>;
  readonly #samples: Counter<'tenant'>;
  readonly #bytes: Counter<'tenant'>;

  /** `now` in ms since the epoch. */
  constructor(now: () => number, metrics: Metrics) {
    this.#now = now;
    this.#queries = metrics.counter(
      'verona_queries_total',
      'Queries that ran, by tenant and how they ended.',
      ['tenant', 'outcome'],
    );
    this.#seconds = metrics.counter('verona_query_seconds_total', 'Time that queries ran, by tenant.', [
      'tenant',
    ]);
    this.#samples = metrics.counter('verona_query_samples_total', 'Samples that queries read, by tenant.', [
      'tenant',
    ]);
    this.#bytes = metrics.counter('verona_query_answer_bytes_total', 'Bytes of answers, by tenant.', [
      'tenant',
    ]);
  }

  began(): void {}

  ended(query: EndedQuery): void {
    const { outcome, tookMs, waitedMs, figures, answerBytes } = query;
    const tenant = this.#tenants.has(query.tenant) || this.#tenants.size < TENANTS_MAX ? query.tenant : '';
    const samples = figures?.samplesRead ?? 0;
    this.#queries.inc({ tenant, outcome });
    this.#seconds.inc({ tenant }, tookMs / 1000);
    this.#samples.inc({ tenant }, samples);
    this.#bytes.inc({ tenant }, answerBytes);
    const numbers = this.#of(tenant);
    numbers.queries++;
    if (outcome !== 'ok') numbers.failed++;
    numbers.seconds += tookMs / 1000;
    numbers.waitedSeconds += waitedMs / 1000;
    numbers.samples += samples;
    numbers.answerBytes += answerBytes;
    this.#keepSlow(numbers.slowest, query);
  }

  /** What is asked about are the queries of the request's own tenant. */
  routes(active: ActiveQueries): Route[] {
    return onApiPaths([getRoute('/api/v1/status/queries', async (request) => this.#answer(request, active))]);
  }

  #answer(request: HttpRequest, active: ActiveQueries): HttpResponse {
    const limit = new Params(request).limit() || SLOWEST_MAX;
    const { slowest, ...totals } = this.#tenants.get(request.tenant) ?? newNumbers();
    const running = active.of(request.tenant).slice(0, limit);
    const data = {
      totals,
      running: running.map(({ query, kind, startedAtMs, runningMs }) => ({
        query: query.slice(0, TEXT_MAX),
        kind,
        startedAt: timeText(startedAtMs),
        seconds: runningMs / 1000,
      })),
      slowest: slowest.slice(0, limit),
    };
    return {
      status: 200,
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ status: 'success', data }),
    };
  }

  #of(tenant: string): TenantNumbers {
    let numbers = this.#tenants.get(tenant);
    if (numbers === undefined) this.#tenants.set(tenant, (numbers = newNumbers()));
    return numbers;
  }

  #keepSlow(slowest: SlowQuery[], { job, tookMs, figures, outcome }: EndedQuery): void {
    const seconds = Math.round(tookMs) / 1000;
    const least = slowest.at(-1);
    if (slowest.length === SLOWEST_MAX && least !== undefined && seconds <= least.seconds) return;
    const at = slowest.findIndex((other) => other.seconds < seconds);
    slowest.splice(at === -1 ? slowest.length : at, 0, {
      query: queryText(job).slice(0, TEXT_MAX),
      kind: job.kind,
      ...queryTimes(job),
      seconds,
      samples: figures?.samplesRead,
      outcome,
      endedAt: timeText(this.#now()),
    });
    if (slowest.length > SLOWEST_MAX) slowest.pop();
  }
}

function newNumbers(): TenantNumbers {
  return { queries: 0, failed: 0, seconds: 0, waitedSeconds: 0, samples: 0, answerBytes: 0, slowest: [] };
}

import { join } from 'node:path';
import type { BucketSync } from '../blocks/bucket-sync.ts';
import type { Config } from '../config/schema.ts';
import type { BucketOptions } from '../objstore/open-bucket.ts';
import type { StoreCounts } from '../objstore/store-counts.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { HttpResponse } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { processorCount, startThread } from '../platform/threads.ts';
import { makeBudgetCounter } from '../promql/exec/shared-budget.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import { ActiveQueries } from '../query/active-queries.ts';
import type { QueryApiOptions } from '../query/api.ts';
import type { QueryJob } from '../query/jobs.ts';
import { BareSelectors } from '../query/newest-answer.ts';
import { checkQueryLength, jobLimits, jobTimeout } from '../query/query-limits.ts';
import { QueryLog } from '../query/query-log.ts';
import { observeAll, type QueryObserver } from '../query/query-observer.ts';
import { QueryStatistics } from '../query/query-statistics.ts';
import { type QueryCaller, ThreadPool } from '../query/thread-pool.ts';
import type { Service } from '../server/lifecycle.ts';
import { removeUnfinishedHeaders } from '../store-gateway/header-store.ts';
import type { EndpointSet } from '../storeapi/endpoint-set.ts';
import type { TenantLimits } from '../tenancy/limits.ts';
import { ForeseenAsks } from '../tsdb/foreseen-asks.ts';
import { cacheOptionsOf } from './bucket-options.ts';
import { hasEndpoints, joinedView, remoteOptions } from './endpoints.ts';
import { GoneBlocks } from './gone-blocks.ts';
import type { QueryThreadData } from './query-thread.ts';
import { blockSelectionOf, ServedBlocks, timeShareOf } from './served-blocks.ts';
import { pinTenantView } from './tenant-views.ts';

/** Rows of a query die young: with less room they are copied about before they do. */
const THREAD_YOUNG_MIB = 48;
const THREAD_PAGE_CACHE_BYTES = 64 * 1024 * 1024;

/** What queries read. */
export interface QuerySources {
  readonly tenants: Tenants;
  readonly tenantsDir: string;
  readonly bucket:
    | { readonly options: BucketOptions; readonly counts: StoreCounts; readonly sync: BucketSync }
    | undefined;
  readonly endpoints: EndpointSet | undefined;
}

interface QuerySideDeps {
  readonly limits: TenantLimits;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Starts a query thread. */
  readonly start?: typeof startThread;
}

/** Answers a job for a tenant; see `QueryApiOptions.run`. */
export type RunQuery = (
  tenant: string,
  job: QueryJob,
  caller: QueryCaller,
  timeoutMs?: number,
  accepts?: string,
) => Promise<HttpResponse>;

/** Queries of one process: their threads, and who watches them. */
export interface QuerySide {
  readonly run: RunQuery;
  readonly parse: QueryApiOptions['parse'];
  readonly active: ActiveQueries;
  readonly log: QueryLog;
  readonly statistics: QueryStatistics;
  readonly threads: Service;
}

export function buildQuerySide(
  config: Config,
  { dataDir, cacheDir }: { dataDir: string; cacheDir: string },
  sources: QuerySources,
  deps: QuerySideDeps,
): QuerySide {
  const { limits, disk, clock, log, metrics } = deps;
  const { query } = config;
  const active = new ActiveQueries(join(dataDir, 'queries.active'), query.max_concurrency, disk, clock, log);
  const logOptions = { path: query.log_file, slowMs: query.log_queries_longer_than };
  const queryLog = new QueryLog(logOptions, disk, clock, log, metrics);
  const statistics = new QueryStatistics(() => clock.now(), metrics);
  const threadData = threadDataOf(config, cacheDir, sources);
  const observer = observeAll([active, queryLog, statistics]);
  const pool = buildPool(config, threadData, observer, deps);
  const parse = { features: threadData.features };
  const share = timeShareOf(config);
  const served =
    sources.bucket && new ServedBlocks(sources.bucket.sync, blockSelectionOf(config, clock), share, limits);
  const { bucket } = sources;
  // A look that fails leaves what is known, and the second attempt tells of it.
  const gone = bucket && new GoneBlocks((tenant) => bucket.sync.refresh(tenant).catch(() => undefined));
  const shortcuts = {
    foreseen: new ForeseenAsks(),
    bare: new BareSelectors(parse),
    lookbackDeltaMs: query.lookback_delta,
  };
  return {
    parse,
    active,
    log: queryLog,
    statistics,
    threads: {
      name: 'query threads',
      start: () => removeUnfinishedHeaders(disk, cacheDir),
      stop: () => pool.close(),
    },
    run: (tenant, job, caller, timeoutMs, accepts) => {
      const { tenants, tenantsDir, endpoints } = sources;
      const view = () => {
        const joined = joinedView(config, endpoints, tenant, job);
        return pinTenantView(tenant, tenants, tenantsDir, served, job, shortcuts, joined);
      };
      const own = limits.of(tenant);
      checkQueryLength(job, own);
      const limited = jobLimits(own, clock.now());
      const run = () => pool.run(tenant, job, limited, view, caller, jobTimeout(timeoutMs, own), accepts);
      return gone ? gone.again(tenant, run) : run();
    },
  };
}

function threadDataOf(
  config: Config,
  cacheDir: string,
  { bucket }: QuerySources,
): Omit<QueryThreadData, 'part'> {
  const { query } = config;
  return {
    lookbackDeltaMs: query.lookback_delta,
    maxSamples: query.max_samples,
    maxBytes: query.max_bytes,
    budget: { counter: makeBudgetCounter(), bytesMax: query.max_bytes_of_all },
    timeoutMs: query.timeout,
    features: Object.fromEntries(query.enable_feature.map((name) => [name, true])),
    bucket: bucket?.options,
    counts: bucket?.counts.memory,
    hedgeReads: config.objstore.hedge_reads,
    cache: cacheOptionsOf(config),
    cacheDir,
    gatewayMemoryBytes: config.store_gateway.thread_memory,
    remote: hasEndpoints(config) ? remoteOptions(config) : undefined,
    pageCacheBytes: THREAD_PAGE_CACHE_BYTES,
    logLevel: config.log.level,
    logFormat: config.log.format,
  };
}

/** Threads are numbered: each has its part of the caches. */
function buildPool(
  { query }: Config,
  data: Omit<QueryThreadData, 'part'>,
  observer: QueryObserver,
  { clock, log, metrics, start: begin = startThread }: QuerySideDeps,
): ThreadPool {
  const threads = query.threads || processorCount();
  let started = 0;
  const start = () => {
    const threadData: QueryThreadData = { ...data, part: { number: started++ % threads, count: threads } };
    const place = new URL('./query-thread.ts', import.meta.url);
    return begin(place, threadData, { youngMiB: THREAD_YOUNG_MIB });
  };
  const limits = {
    threads,
    concurrencyMax: query.max_concurrency,
    queuedMax: query.max_queued,
    timeoutMs: query.timeout,
  };
  return new ThreadPool(limits, start, clock, log, metrics, observer);
}

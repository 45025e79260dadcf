import { join, resolve } from 'node:path';
import { BlockCatalog } from '../blocks/block-catalog.ts';
import { BucketSync } from '../blocks/bucket-sync.ts';
import { DeletedTenants } from '../blocks/deleted-tenants.ts';
import { DeletionRequests } from '../blocks/deletion-requests.ts';
import type { Config } from '../config/schema.ts';
import { WasmHeadMemory } from '../kernel/wasm-head-memory.ts';
import { Labels } from '../model/labels.ts';
import { compileLabelRegex } from '../model/regex.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { HttpRequest, Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import type { PinoLog } from '../platform/pino-log.ts';
import { SystemRandom } from '../platform/random.ts';
import { processorCount, startThread } from '../platform/threads.ts';
import { noTracer, openTelemetryTracer } from '../platform/trace.ts';
import { makeBudgetCounter } from '../promql/exec/shared-budget.ts';
import { Tenants } from '../push/ingester/tenants.ts';
import { OtlpHandler } from '../push/otlp-handler.ts';
import { PushMetrics } from '../push/push-metrics.ts';
import { RemoteWriteHandler, WRITE_BODY_MAX } from '../push/remote-write-handler.ts';
import { SelfMetrics } from '../push/self-metrics.ts';
import { LimitPolicy } from '../push/series-policy.ts';
import { ActiveQueries } from '../query/active-queries.ts';
import { queryRoutes } from '../query/api.ts';
import { cardinalityRoutes } from '../query/cardinality-api.ts';
import type { QueryJob } from '../query/jobs.ts';
import { metadataRoutes } from '../query/metadata-api.ts';
import { BareSelectors } from '../query/newest-answer.ts';
import { checkQueryLength, jobLimits, jobTimeout } from '../query/query-limits.ts';
import { QueryLog } from '../query/query-log.ts';
import { observeAll } from '../query/query-observer.ts';
import { QueryStatistics } from '../query/query-statistics.ts';
import { rulesRoutes } from '../query/rules-api.ts';
import { statusRoutes } from '../query/status.ts';
import { targetsRoutes } from '../query/targets-api.ts';
import { type QueryCaller, ThreadPool } from '../query/thread-pool.ts';
import { HttpServer, type ListenerAccess, OPEN_ACCESS } from '../server/http-server.ts';
import { Lifecycle, type Service } from '../server/lifecycle.ts';
import { removeUnfinishedHeaders, retainHeaders } from '../store-gateway/header-store.ts';
import { withExternalLabels } from '../storeapi/external-messages.ts';
import type { StreamingService } from '../storeapi/grpc-server.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { RateLimiter } from '../tenancy/rate-limiter.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';
import { LocalBlockMaker } from '../tsdb/compact/block-maker.ts';
import { ThreadBlockMaker } from '../tsdb/compact/remote-block.ts';
import { ForeseenAsks } from '../tsdb/foreseen-asks.ts';
import { adminRoutes } from './admin-routes.ts';
import { bucketOptionsOf, bucketText, cacheOptionsOf } from './bucket-options.ts';
import { catalogOptions } from './catalog-options.ts';
import { buildCompactor } from './compactor-service.ts';
import { DataLock } from './data-lock.ts';
import { buildEndpoints, hasEndpoints, joinedView, remoteOptions, storesRoutes } from './endpoints.ts';
import { allowedOf, externalLabels, grpcService, keptInfo, reachedInfo, TenantStore } from './grpc.ts';
import { joinedStreams, joinServices } from './joined-services.ts';
import { ownQueries } from './own-queries.ts';
import { ownExemplars, ownMetadata } from './own-services.ts';
import type { QueryThreadData } from './query-thread.ts';
import { buildScraping, withScrapeRoutes } from './scraping.ts';
import { splitAddress } from './split-address.ts';
import { statusSource } from './status-source.ts';
import { tenantDeletionRoutes } from './tenant-deletion-routes.ts';
import { pinTenantView } from './tenant-views.ts';
import { VERSION } from './version.ts';
import { WebAccess } from './web-access.ts';

export interface System {
  readonly version: string;
  readonly lifecycle: Lifecycle;
  readonly bucketName: string;
  /** Where it is reached, once started. */
  url(): string;
  /** Reads the configuration again and applies what can change. Never throws; says in the log what happened. */
  reload(): Promise<boolean>;
}

const PAGE_CACHE_BYTES = 64 * 1024 * 1024;
/** Rows of a query die young: with less room they are copied about before they do. */
const THREAD_YOUNG_MIB = 48;
const THREAD_PAGE_CACHE_BYTES = 64 * 1024 * 1024;
const PUSH_PATHS = [
  '/api/v1/push',
  '/api/v1/receive',
  '/api/v1/write',
  '/api/prom/push',
  '/prometheus/api/v1/write',
];
const OTLP_PATHS = ['/otlp/v1/metrics', '/api/v1/otlp/v1/metrics', '/api/v1/otlp'];

/** `all` takes writes and keeps them; `querier` only asks. */
export type Role = 'all' | 'querier';

/** Wires every room of the house for one process. Nothing is started yet. */
export async function buildSystem(
  config: Config,
  log: PinoLog,
  clock: Clock,
  reread: () => Config,
  role: Role = 'all',
): Promise<System> {
  const metrics = new Metrics();
  metrics.describeProcess();
  const disk = new NodeDisk();
  const random = new SystemRandom();
  const dataDir = resolve(config.data.dir);
  const tenantsDir = join(dataDir, 'tsdb');
  const cacheDir = join(dataDir, 'cache');
  const web =
    config.web.config_file === ''
      ? undefined
      : await WebAccess.open(config.web.config_file, disk, clock, log);
  const limits = new TenantLimits(config.limits, config.overrides);
  const bucketOptions = config.objstore.enabled ? bucketOptionsOf(config, dataDir) : undefined;
  const bucket = bucketOptions && (await openBucket(bucketOptions, { disk, clock, random, metrics }));
  const deletions = bucket && new DeletionRequests({ bucket, clock, random, log, metrics });
  const catalog = bucket && new BlockCatalog(catalogOptions(config), { bucket, clock, log, metrics });
  const dropHeaders = (tenant: string, ulids: ReadonlySet<string>) =>
    retainHeaders(disk, cacheDir, tenant, ulids).catch((error) =>
      log.warn('cached index-headers were not removed', { tenant, error: String(error) }),
    );
  const bucketSync =
    bucket &&
    catalog &&
    deletions &&
    new BucketSync(config.objstore.sync_interval, {
      catalog,
      deletions,
      deletedTenants: new DeletedTenants({
        bucket,
        clock,
        log,
        memory: { disk, path: join(dataDir, 'verona.deleted-tenants.json') },
      }),
      clock,
      log,
      ...(config.objstore.bucket_index_interval > 0 && {
        index: { bucket, intervalMs: config.objstore.bucket_index_interval },
      }),
      onListed: async (tenant, blocks) => {
        await tenants.applyDeletions({ signal: new AbortController().signal }, tenant);
        await dropHeaders(tenant, new Set(blocks.map(({ meta }) => meta.ulid)));
      },
      onTenantDeleted: async (tenant) => {
        await tenants.drop(tenant);
        await dropHeaders(tenant, new Set());
      },
    });
  const pageCache = new PageCache(PAGE_CACHE_BYTES);
  const tenants: Tenants = new Tenants(
    {
      dir: tenantsDir,
      tenantsMax: config.tsdb.max_tenants,
      blockRangeMs: config.tsdb.block_duration,
      outOfOrderWindowMs: config.tsdb.out_of_order_time_window,
      features: config.tsdb.enable_feature,
      retentionMs: config.tsdb.retention_time,
      retentionBytes: config.tsdb.retention_size,
      wal: {
        compression: config.tsdb.wal_compression ? 'snappy' : 'none',
        fsync: config.tsdb.wal_fsync,
        fsyncIntervalMs: config.tsdb.wal_fsync_interval,
        segmentBytes: config.tsdb.wal_segment_size,
      },
    },
    {
      disk,
      clock,
      random,
      log,
      metrics,
      limits,
      pageCache,
      blockMaker: new ThreadBlockMaker(
        () => startThread(new URL('./block-thread.ts', import.meta.url), undefined),
        new LocalBlockMaker(disk, pageCache),
      ),
      newMemory: (options) =>
        new WasmHeadMemory({ ...options, hashSeed: Math.floor(random.next() * 2 ** 32) }),
      shipping: bucket &&
        deletions &&
        bucketSync && { bucket, bucketSync, deletions, intervalMs: config.objstore.sync_interval },
    },
  );
  const threads = config.query.threads || processorCount();
  let threadCount = 0;
  const threadData: Omit<QueryThreadData, 'part'> = {
    lookbackDeltaMs: config.query.lookback_delta,
    maxSamples: config.query.max_samples,
    maxBytes: config.query.max_bytes,
    budget: { counter: makeBudgetCounter(), bytesMax: config.query.max_bytes_of_all },
    timeoutMs: config.query.timeout,
    features: Object.fromEntries(config.query.enable_feature.map((name) => [name, true])),
    bucket: bucketOptions,
    hedgeReads: config.objstore.hedge_reads,
    cache: cacheOptionsOf(config),
    cacheDir,
    remote: hasEndpoints(config) ? remoteOptions(config) : undefined,
    pageCacheBytes: THREAD_PAGE_CACHE_BYTES,
    logLevel: config.log.level,
    logFormat: config.log.format,
  };
  const activeQueries = new ActiveQueries(
    join(dataDir, 'queries.active'),
    config.query.max_concurrency,
    disk,
    clock,
    log,
  );
  const queryLog = new QueryLog(
    { path: config.query.log_file, slowMs: config.query.log_queries_longer_than },
    disk,
    clock,
    log,
    metrics,
  );
  const queryStatistics = new QueryStatistics(() => clock.now(), metrics);
  const pool = new ThreadPool(
    {
      threads,
      concurrencyMax: config.query.max_concurrency,
      queuedMax: config.query.max_queued,
      timeoutMs: config.query.timeout,
    },
    () => {
      const part = { number: threadCount++ % threads, count: threads };
      const threadOptions: QueryThreadData = { ...threadData, part };
      return startThread(new URL('./query-thread.ts', import.meta.url), threadOptions, {
        youngMiB: THREAD_YOUNG_MIB,
      });
    },
    clock,
    log,
    metrics,
    observeAll([activeQueries, queryLog, queryStatistics]),
  );
  const push = { tenants, limits, rates: new RateLimiter(clock), metrics: new PushMetrics(metrics) };
  const reloads = { ok: true, atMs: clock.now() };
  let current = config;

  const system: System = {
    version: VERSION,
    bucketName: bucketOptions ? bucketText(bucketOptions) : 'none: blocks stay on this disk',
    url: () => `${web?.current.tls ? 'https' : 'http'}://${bound.host}:${bound.port}`,
    reload: async () => {
      // What is scraped stands in a file of its own: each of them is applied if it is good.
      const scrapes = (await scraping?.scraper.reload()) ?? true;
      try {
        current = reread();
        limits.replace(current.limits, current.overrides);
        void tenants.applyLimits();
        log.setLevel(current.log.level);
        Object.assign(reloads, scrapes ? { ok: true, atMs: clock.now() } : { ok: false });
        queryLog.reopen();
        log.info('the configuration was read again: limits, overrides and log level are in force');
        return scrapes;
      } catch (error) {
        Object.assign(reloads, { ok: false });
        log.error('the configuration was not read again; the old one stays', { error: String(error) });
        return false;
      }
    },
    get lifecycle() {
      return lifecycle;
    },
  };
  const endpoints = hasEndpoints(config) ? buildEndpoints(config, { clock, log, metrics }) : undefined;
  const scraping =
    config.scrape.config_file === '' || role === 'querier'
      ? undefined
      : buildScraping(config, push, { clock, disk, log, metrics });
  /** Rules of this process would stand here too. */
  const own: readonly StreamingService[] = [ownMetadata(tenants), ...(scraping ? [scraping.service] : [])];
  const services = joinServices(config, own, endpoints, clock);
  const parse = { features: threadData.features };
  const shortcuts = {
    foreseen: new ForeseenAsks(),
    bare: new BareSelectors(parse),
    lookbackDeltaMs: config.query.lookback_delta,
  };
  const run = (tenant: string, job: QueryJob, caller: QueryCaller, timeoutMs?: number, accepts?: string) => {
    const view = () =>
      pinTenantView(
        tenant,
        tenants,
        tenantsDir,
        bucketSync,
        job,
        shortcuts,
        joinedView(config, endpoints, tenant, job),
      );
    const own = limits.of(tenant);
    checkQueryLength(job, own);
    const limited = jobLimits(own, clock.now());
    return pool.run(tenant, job, limited, view, caller, jobTimeout(timeoutMs, own), accepts);
  };
  const runForSignal = (tenant: string, job: QueryJob, signal: AbortSignal, timeoutMs?: number) =>
    run(tenant, job, { signal }, timeoutMs);
  const compactor =
    bucket && bucketOptions && deletions && config.compactor.enabled
      ? buildCompactor(config, bucketOptions, { bucket, disk, clock, deletions, limits, log, metrics })
      : undefined;
  const routes: Route[] = [
    ...(compactor?.routes ?? []),
    ...(config.http.enable_admin_api && catalog && bucketSync
      ? tenantDeletionRoutes({ catalog, deleteTenant: (ctx, tenant) => bucketSync.deleteTenant(ctx, tenant) })
      : []),
    ...storesRoutes(endpoints),
    ...(role === 'querier'
      ? []
      : pushRoutes(new RemoteWriteHandler(push), new OtlpHandler(push, otlpOptions(config)))),
    ...queryRoutes({
      clock,
      parse,
      run,
    }),
    ...cardinalityRoutes({
      clock,
      run,
      activeWindowMs: config.query.active_series_window,
      headSeries: (tenant) => tenants.find(tenant)?.db.head.seriesCount ?? 0,
    }),
    ...queryStatistics.routes(activeQueries),
    ...rulesRoutes(services),
    ...targetsRoutes(services),
    ...metadataRoutes(services),
    ...withScrapeRoutes(
      statusRoutes(
        statusSource(
          tenants,
          clock.now(),
          () => current,
          () => reloads,
        ),
      ),
      scraping?.routes ?? [],
    ),
    ...adminRoutes({
      tenants,
      metrics,
      reload: () => system.reload(),
      adminApi: config.http.enable_admin_api,
    }),
  ];
  const [host, port] = splitAddress(config.http.listen_address);
  let bound = { host, port };
  const server = new HttpServer(
    {
      clock,
      host,
      port,
      allowsOrigin: originTest(config.http.cors_origin),
      requestTimeoutMs: config.http.request_timeout,
      connectionsMax: config.http.max_connections,
      bodyBytesMax: config.http.max_request_bytes_in_flight,
      access: web?.current ?? OPEN_ACCESS,
      tenantOf: (headers, fallback) => tenantOf(headers, fallback ?? config.tenant.default),
      isReady: () => lifecycle.ready,
      tracer: config.tracing.enabled ? await openTelemetryTracer() : noTracer,
    },
    routes,
    log,
    metrics,
  );
  web?.onChange((access) => server.replaceAccess(access));
  metrics.gauge('verona_build_info', 'The version that runs.', ['version']).set({ version: VERSION }, 1);
  const lifecycle: Lifecycle = new Lifecycle(
    [
      new DataLock(disk, dataDir),
      ...(web ? [web] : []),
      {
        name: 'listener',
        start: async () => {
          if (!isGuarded(web?.current ?? OPEN_ACCESS)) warnIfOpen(host, log);
          bound = await server.listen();
        },
        stop: async () => {},
      },
      ...(bucketSync ? [bucketSync] : []),
      tenants,
      activeQueries,
      queryLog,
      {
        name: 'query threads',
        start: () => removeUnfinishedHeaders(disk, threadData.cacheDir),
        stop: () => pool.close(),
      },
      ...(compactor ? [compactor.service] : []),
      ...(endpoints ? [endpoints] : []),
      ...(config.self_metrics.enabled ? [selfMetrics()] : []),
      ...(scraping ? [scraping.scraper] : []),
      ...(config.grpc.enabled ? [await grpc()] : []),
      { name: 'requests', start: async () => {}, stop: () => server.close(config.http.shutdown_timeout) },
    ],
    log,
    clock,
  );
  return system;

  function knownTenants(): string[] {
    return [...new Set([...tenants.all.keys(), ...(bucketSync?.knownTenants ?? [])])].sort();
  }

  function grpc(): Promise<Service> {
    const external = externalLabels(config.grpc.external_labels);
    const keeps = role === 'all';
    const tenantLabel = keeps ? config.grpc.tenant_label : '';
    const store = new TenantStore({
      external,
      tenantLabel,
      joinsEndpoints: !keeps,
      info: (allowed) =>
        keeps
          ? keptInfo(external, tenantLabel, allowedOf(knownTenants(), allowed))
          : reachedInfo(endpoints?.endpoints ?? [], external, bucketSync && blockLabels(bucketSync)),
      run: runForSignal,
    });
    const exemplars = ownExemplars({
      external: (tenant) => store.labelsOf(tenant),
      joinsEndpoints: !keeps,
      run: runForSignal,
    });
    const queries = ownQueries({
      external: (tenant) => store.labelsOf(tenant),
      joinsEndpoints: !keeps,
      replicaLabels: config.query.replica_label,
      clock,
      run: runForSignal,
    });
    const shown = keeps ? own : joinedStreams(services);
    const labelled = withExternalLabels(shown, (tenant) => store.labelsOf(tenant));
    const further = [...labelled, exemplars, queries];
    return grpcService(config, store, further, () => lifecycle.ready, { disk, clock, log, metrics });
  }

  function selfMetrics(): SelfMetrics {
    const { interval, tenant } = config.self_metrics;
    const appender = async () => (await tenants.open(tenant)).appender(new LimitPolicy(limits.of(tenant)));
    return new SelfMetrics(
      { intervalMs: interval, instance: `${host}:${port}` },
      appender,
      metrics,
      clock,
      log,
    );
  }
}

/** Of each block that is known, without doubles. */
function blockLabels(sync: BucketSync): Labels[] {
  const sets = new Map<string, Labels>();
  for (const tenant of sync.knownTenants)
    for (const { seriesLabels } of sync.blocksOf(tenant)) {
      const labels = Labels.from(seriesLabels ?? {});
      sets.set(labels.key(), labels);
    }
  return [...sets.values()];
}

function pushRoutes(remoteWrite: RemoteWriteHandler, otlp: OtlpHandler): Route[] {
  const post = { methods: ['POST'], bodyMax: WRITE_BODY_MAX } as const;
  return [
    ...PUSH_PATHS.map((path) => ({
      ...post,
      path,
      isDirect: true,
      handle: (request: HttpRequest) => remoteWrite.handle(request),
    })),
    ...OTLP_PATHS.map((path) => ({ ...post, path, handle: (request: HttpRequest) => otlp.handle(request) })),
  ];
}

function otlpOptions({ otlp }: Config) {
  return {
    translationStrategy: otlp.translation_strategy,
    promoteResourceAttributes: otlp.promote_resource_attributes,
  };
}

function originTest(expression: string): ((origin: string) => boolean) | undefined {
  if (expression === '') return undefined;
  const regex = compileLabelRegex(expression);
  return (origin) => regex.matches(origin);
}

function isGuarded({ tls, rules }: ListenerAccess): boolean {
  return tls !== undefined || rules.users.length > 0 || rules.tokens.length > 0;
}

function warnIfOpen(host: string, log: Logger): void {
  if (host === '127.0.0.1' || host === 'localhost' || host === '::1') return;
  log.warn(
    'listening beyond loopback without TLS or credentials: everybody who can connect can read and write every tenant',
    {
      host,
    },
  );
}

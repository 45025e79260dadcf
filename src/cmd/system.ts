import { join, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { compileLabelRegex } from '../model/regex.ts';
import type { Clock } from '../platform/clock.ts';
import type { Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import type { PinoLog } from '../platform/pino-log.ts';
import { SystemRandom } from '../platform/random.ts';
import { noTracer, openTelemetryTracer } from '../platform/trace.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import { OtlpHandler } from '../push/otlp-handler.ts';
import { PushMetrics } from '../push/push-metrics.ts';
import { RemoteWriteHandler } from '../push/remote-write-handler.ts';
import { SelfMetrics } from '../push/self-metrics.ts';
import { LimitPolicy } from '../push/series-policy.ts';
import { queryRoutes } from '../query/api.ts';
import { cardinalityRoutes } from '../query/cardinality-api.ts';
import { metadataRoutes } from '../query/metadata-api.ts';
import { rulesRoutes } from '../query/rules-api.ts';
import { statusRoutes } from '../query/status.ts';
import { targetsRoutes } from '../query/targets-api.ts';
import { HttpServer, type ListenerAccess, OPEN_ACCESS } from '../server/http-server.ts';
import { Lifecycle, type Service } from '../server/lifecycle.ts';
import type { StreamingService } from '../storeapi/grpc-server.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { RateLimiter } from '../tenancy/rate-limiter.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';
import { adminRoutes } from './admin-routes.ts';
import { bucketText } from './bucket-options.ts';
import { openBucketSide } from './bucket-side.ts';
import { buildCompactor } from './compactor-service.ts';
import { DataLock } from './data-lock.ts';
import { buildEndpoints, hasEndpoints, storesRoutes } from './endpoints.ts';
import { buildGrpcSide } from './grpc-side.ts';
import { joinServices } from './joined-services.ts';
import { ownMetadata, ownStatistics } from './own-services.ts';
import { buildQuerySide } from './query-side.ts';
import { buildScraping, withScrapeRoutes } from './scraping.ts';
import { splitAddress } from './split-address.ts';
import { statusSource } from './status-source.ts';
import { tenantDeletionRoutes } from './tenant-deletion-routes.ts';
import { VERSION } from './version.ts';
import { WebAccess } from './web-access.ts';
import { buildTenants, otlpOptions, pushRoutes } from './write-side.ts';

export interface System {
  readonly version: string;
  readonly lifecycle: Lifecycle;
  readonly bucketName: string;
  /** Where it is reached, once started. */
  url(): string;
  /** Reads the configuration again and applies what can change. Never throws; says in the log what happened. */
  reload(): Promise<boolean>;
}

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
  const web =
    config.web.config_file === ''
      ? undefined
      : await WebAccess.open(config.web.config_file, disk, clock, log);
  const limits = new TenantLimits(config.limits, config.overrides);
  const places = { dataDir, cacheDir: join(dataDir, 'cache') };
  const bucketDeps = { disk, clock, random, log, metrics };
  const bucket = await openBucketSide(config, places, bucketDeps, {
    onListed: (tenant) => tenants.applyDeletions({ signal: new AbortController().signal }, tenant),
    onTenantDeleted: (tenant) => tenants.drop(tenant),
  });
  const tenants: Tenants = buildTenants(config, tenantsDir, bucket, { ...bucketDeps, limits });
  const push = { tenants, limits, rates: new RateLimiter(clock), metrics: new PushMetrics(metrics) };
  const reloads = { ok: true, atMs: clock.now() };
  let current = config;

  const system: System = {
    version: VERSION,
    bucketName: bucket ? bucketText(bucket.options) : 'none: blocks stay on this disk',
    url: () => `${web?.current.tls ? 'https' : 'http'}://${bound.host}:${bound.port}`,
    reload: async () => {
      // What is scraped stands in a file of its own: each of them is applied if it is good.
      const scrapes = (await scraping?.scraper.reload()) ?? true;
      try {
        current = reread();
        limits.replace(current.limits, current.overrides);
        await tenants.applyLimits();
        log.setLevel(current.log.level);
        Object.assign(reloads, scrapes ? { ok: true, atMs: clock.now() } : { ok: false });
        queries.log.reopen();
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
  const own: readonly StreamingService[] = [
    ownMetadata(tenants),
    ownStatistics(tenants),
    ...(scraping ? [scraping.service] : []),
  ];
  const services = joinServices(config, own, endpoints, clock);
  const queries = buildQuerySide(
    config,
    places,
    { tenants, tenantsDir, bucket, endpoints },
    { limits, disk, clock, log, metrics },
  );
  const { run, parse } = queries;
  const compactor =
    bucket && config.compactor.enabled
      ? buildCompactor(config, bucket.options, { ...bucket, disk, clock, limits, log, metrics })
      : undefined;
  const routes: Route[] = [
    ...(compactor?.routes ?? []),
    ...(config.http.enable_admin_api && bucket
      ? tenantDeletionRoutes({
          catalog: bucket.catalog,
          deleteTenant: (ctx, tenant) => bucket.sync.deleteTenant(ctx, tenant),
        })
      : []),
    ...storesRoutes(endpoints),
    ...(role === 'querier'
      ? []
      : pushRoutes(new RemoteWriteHandler(push), new OtlpHandler(push, otlpOptions(config)))),
    ...queryRoutes({ clock, parse, run, autoDownsampling: config.query.auto_downsampling }),
    ...cardinalityRoutes({
      clock,
      run,
      activeWindowMs: config.query.active_series_window,
      headSeries: (tenant) => tenants.find(tenant)?.db.head.seriesCount ?? 0,
    }),
    ...queries.statistics.routes(queries.active),
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
        services,
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
      ...(bucket?.metas ? [bucket.metas] : []),
      ...(bucket ? [bucket.sync] : []),
      tenants,
      queries.active,
      queries.log,
      queries.threads,
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

  function grpc(): Promise<Service> {
    const keeps = role === 'all';
    const shown = { keeps, tenants, bucketSync: bucket?.sync, endpoints, run, own, services };
    return buildGrpcSide(config, shown, limits, () => lifecycle.ready, { disk, clock, log, metrics });
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

import { dirname, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import type { DiscoveryConfig } from '../config/scrape/discovery.ts';
import { loadScrapeFile, type ScrapeFile } from '../config/scrape/scrape-file.ts';
import type { ConfigSource } from '../config/yaml-file.ts';
import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import { SystemResolver } from '../platform/dns.ts';
import type { Route } from '../platform/http.ts';
import type { Logger } from '../platform/log.ts';
import type { Metrics } from '../platform/metrics.ts';
import { openWebClient } from '../platform/web-client.ts';
import { parseMatchers } from '../promql/parser/parse.ts';
import { DnsDiscovery } from '../pull/scrape/discovery/dns-discovery.ts';
import { FileDiscovery, matchingFiles } from '../pull/scrape/discovery/file-discovery.ts';
import { HttpDiscovery } from '../pull/scrape/discovery/http-discovery.ts';
import { KubernetesDiscovery } from '../pull/scrape/discovery/kubernetes/kubernetes-discovery.ts';
import { StaticDiscovery } from '../pull/scrape/discovery/static-discovery.ts';
import type { Discovery } from '../pull/scrape/discovery/target-group.ts';
import { ScrapeMetrics } from '../pull/scrape/scrape-metrics.ts';
import { Scraper } from '../pull/scrape/scraper.ts';
import { targetRoutes } from '../pull/scrape/target-routes.ts';
import { targetService } from '../pull/scrape/target-service.ts';
import type { PushContext } from '../push/remote-write-handler.ts';
import { ScrapedWrites } from '../push/scraped-writes.ts';
import type { StreamingService } from '../storeapi/grpc-server.ts';
import { VERSION } from './version.ts';

const USER_AGENT = `Verona/${VERSION}`;

interface ScrapingDeps {
  readonly clock: Clock;
  readonly disk: Disk;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** What scrapes in this process, and what tells of it. */
export interface Scraping {
  readonly scraper: Scraper;
  /** Its targets, for whoever asks over HTTP or gRPC. */
  readonly service: StreamingService;
  readonly routes: readonly Route[];
}

/** Scraping as `scrape.config_file` says, into one tenant. */
export function buildScraping(config: Config, push: PushContext, deps: ScrapingDeps): Scraping {
  const metrics = new ScrapeMetrics(deps.metrics);
  const resolver = new SystemResolver();
  const shared = {
    ...deps,
    metrics,
    open: openWebClient,
    userAgent: USER_AGENT,
    resolver,
    environment: process.env,
  };
  const { config_file, max_concurrency, max_targets } = config.scrape;
  const tenant = config.scrape.tenant || config.tenant.default;
  const scraper = new Scraper(
    { concurrencyMax: max_concurrency, targetsMax: max_targets, instance: config.http.listen_address },
    {
      ...shared,
      writer: new ScrapedWrites(push, tenant),
      startTimes: config.tsdb.enable_feature.length > 0,
      readFile: () => readScrapeFile(resolve(config_file), deps.disk),
      discover: (discovery) => discoveriesOf(discovery, shared),
    },
  );
  const parseSelector = (text: string) => parseMatchers(text);
  const pools = () => scraper.pools;
  return {
    scraper,
    service: targetService(tenant, pools),
    routes: targetRoutes({ tenant, pools, parseSelector }),
  };
}

type DiscoveryDeps = ConstructorParameters<typeof HttpDiscovery>[1] &
  ConstructorParameters<typeof DnsDiscovery>[1] &
  ConstructorParameters<typeof FileDiscovery>[1] &
  ConstructorParameters<typeof KubernetesDiscovery>[1];

function discoveriesOf(config: DiscoveryConfig, deps: DiscoveryDeps): Discovery[] {
  return [
    ...(config.static_configs.length > 0 ? [new StaticDiscovery(config.static_configs)] : []),
    ...config.file_sd_configs.map((one) => new FileDiscovery(one, deps)),
    ...config.http_sd_configs.map((one) => new HttpDiscovery(one, deps)),
    ...config.dns_sd_configs.map((one) => new DnsDiscovery(one, deps)),
    ...config.kubernetes_sd_configs.map((one) => new KubernetesDiscovery(one, deps)),
  ];
}

async function readScrapeFile(path: string, disk: Disk): Promise<ScrapeFile> {
  const source = await readSource(path, disk);
  return loadScrapeFile(source, dirname(path), process.env, async (pattern) => {
    const files = await matchingFiles(disk, pattern);
    return Promise.all(files.map((file) => readSource(file, disk)));
  });
}

async function readSource(file: string, disk: Disk): Promise<ConfigSource> {
  try {
    return { file, text: Buffer.from(await disk.readFile(file)).toString('utf8') };
  } catch (cause) {
    throw new VeronaError('bad_data', `cannot read ${file}: ${(cause as Error).message}`, { cause });
  }
}

/** The routes of status with those of scraping in the place of the ones that tell of no targets. */
export function withScrapeRoutes(status: readonly Route[], scraping: readonly Route[]): Route[] {
  const api = scraping.filter(({ path }) => path.startsWith('/api/'));
  const replaced = status.map((route) => {
    const own = api.find(({ path }) => route.path.endsWith(path));
    return own === undefined ? route : { ...own, path: route.path };
  });
  return [...replaced, ...scraping.filter((route) => !api.includes(route))];
}

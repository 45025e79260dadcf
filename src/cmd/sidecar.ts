import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Shipper } from '../blocks/shipper.ts';
import { loadHttpClient } from '../config/http-client-file.ts';
import { loadConfig } from '../config/load.ts';
import { readPrometheusFile } from '../config/prometheus-config.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { StoreCounts } from '../objstore/store-counts.ts';
import { type Clock, SystemClock } from '../platform/clock.ts';
import type { HttpClient } from '../platform/http-client.ts';
import type { Logger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { PinoLog } from '../platform/pino-log.ts';
import { SystemProcesses } from '../platform/processes.ts';
import { SystemRandom } from '../platform/random.ts';
import { openWebClient } from '../platform/web-client.ts';
import { reloadByHttp, reloadBySignal } from '../pull/reloader/reload.ts';
import { Reloader } from '../pull/reloader/reloader.ts';
import { ConfiguredClient } from '../pull/scrape/credentials.ts';
import { ConfiguredHttp } from '../pull/sidecar/configured-http.ts';
import { PrometheusClient } from '../pull/sidecar/prometheus-client.ts';
import { PrometheusSource } from '../pull/sidecar/prometheus-querier.ts';
import { prometheusServices } from '../pull/sidecar/prometheus-services.ts';
import { Sidecar } from '../pull/sidecar/sidecar.ts';
import { storeLimits } from '../query/query-limits.ts';
import { Lifecycle } from '../server/lifecycle.ts';
import { QueryableStore } from '../storeapi/queryable-store.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { bucketOptionsOf } from './bucket-options.ts';
import { readConfigFile } from './config-file.ts';
import { addSettingFlags, type FlagAliases, givenFlags } from './flags.ts';
import { grpcService } from './grpc.ts';
import { plainListener } from './plain-listener.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { timeBoundOf } from './time-bound.ts';

/** Names in `thanos sidecar`, so that its command line can stay. */
const THANOS_NAMES: FlagAliases = {
  '--prometheus.url': '--sidecar.prometheus-url',
  '--prometheus.http-client': '--sidecar.http-client',
  '--prometheus.http-client-file': '--sidecar.http-client-file',
  '--prometheus.get_config_interval': '--sidecar.check-interval',
  '--tsdb.path': '--sidecar.tsdb-path',
  '--shipper.upload-compacted': '--sidecar.upload-compacted',
  '--shipper.ignore-unequal-block-size': '--sidecar.ignore-unequal-block-size',
  '--min-time': '--sidecar.min-time',
  '--grpc-address': '--grpc.listen-address',
  '--grpc-server-tls-cert': '--grpc.tls-cert-file',
  '--grpc-server-tls-key': '--grpc.tls-key-file',
  '--grpc-server-tls-client-ca': '--grpc.tls-client-ca-file',
  '--store.limits.request-series': '--limits.max-series-per-store-request',
  '--store.limits.request-samples': '--limits.max-samples-per-store-request',
  '--http-address': '--http.listen-address',
  '--http.config': '--web.config-file',
};

/** To Prometheus; it has a limit of its own for reads. */
const CONNECTIONS_MAX = 256;
const CHECK_TIMEOUT_MS = 10_000;

/** `verona sidecar`: beside a Prometheus, serves it over the StoreAPI and ships its blocks. */
export function addSidecarCommand(program: Command): void {
  const command = program
    .command('sidecar')
    .description(
      'stands beside a Prometheus: serves its newest data over gRPC and uploads its finished blocks',
    );
  addSettingFlags(command, THANOS_NAMES);
  command.addHelpText(
    'after',
    `
Beside a Prometheus with external labels, without a bucket:
  verona sidecar --sidecar.prometheus-url=http://127.0.0.1:9090
With one, from Prometheus' data folder:
  verona sidecar --sidecar.tsdb-path=/var/lib/prometheus --objstore.config-file=bucket.yml
Then ask it:
  verona querier --endpoint.address=127.0.0.1:9095`,
  );
  command.action(async () => {
    const { configFile, flags } = givenFlags(command, THANOS_NAMES);
    const text = configFile === undefined ? '' : readConfigFile(configFile);
    process.exitCode = await run(loadConfig({ file: configFile ?? 'flags', text }, flags, process.env));
  });
}

async function run(config: Config): Promise<number> {
  const log = PinoLog.open(config.log.level, config.log.format);
  const lifecycle = await buildLifecycle(config, log);
  return runUntilSignal(lifecycle, log, { name: 'the sidecar', stopping: 'stopping' }, () =>
    log.info('the sidecar is up', {
      prometheus: config.sidecar.prometheus_url,
      grpc: config.grpc.listen_address,
      uploads:
        config.sidecar.tsdb_path === '' ? 'none: sidecar.tsdb_path is empty' : config.sidecar.tsdb_path,
    }),
  );
}

async function buildLifecycle(config: Config, log: PinoLog): Promise<Lifecycle> {
  const clock = new SystemClock();
  const metrics = new Metrics();
  metrics.describeProcess();
  const { sidecar: settings } = config;
  const client = new PrometheusClient(
    settings.prometheus_url,
    prometheusHttp(settings, clock),
    readPrometheusFile,
  );
  const mint = timeBoundOf(settings.min_time, 'sidecar.min_time', clock, 0);
  const sidecar = new Sidecar(
    {
      checkIntervalMs: settings.check_interval,
      checkTimeoutMs: CHECK_TIMEOUT_MS,
      shipIntervalMs: settings.ship_interval,
      mint,
      rules: {
        uploadCompacted: settings.upload_compacted,
        ignoreUnequalBlockSize: settings.ignore_unequal_block_size,
      },
    },
    { client, openShipper: await shipperOpener(config, log, metrics), clock, log, metrics },
  );
  const limits = new TenantLimits(config.limits, config.overrides);
  const store = new QueryableStore(
    new PrometheusSource(client, mint, () => sidecar.plainLabels),
    () => sidecar.info(),
    (tenant) => storeLimits(limits.of(tenant)),
  );
  const services = prometheusServices(client, () => sidecar.externalLabels);
  const disk = new NodeDisk();
  const grpc = await grpcService(config, store, services, limits, () => sidecar.isReady, {
    disk,
    clock,
    log,
    metrics,
  });
  const listener = await plainListener(config, [], () => sidecar.isReady, { disk, clock, log, metrics });
  const reloader = buildReloader(config, client, () => sidecar.check(), { disk, clock, log, metrics });
  return new Lifecycle([...listener, reloader, sidecar, grpc], log, clock);
}

function prometheusHttp({ http_client, http_client_file }: Config['sidecar'], clock: Clock): HttpClient {
  if (http_client !== '' && http_client_file !== '')
    throw new VeronaError('bad_data', 'at most one of sidecar.http_client and sidecar.http_client_file');
  const source =
    http_client_file === ''
      ? { file: 'sidecar.http_client', text: http_client }
      : { file: http_client_file, text: readConfigFile(http_client_file) };
  const deps = { open: openWebClient, disk: new NodeDisk(), clock, connectionsMax: CONNECTIONS_MAX };
  return new ConfiguredHttp(new ConfiguredClient(loadHttpClient(source, process.env), deps));
}

function buildReloader(
  { reloader: settings }: Config,
  client: PrometheusClient,
  reloaded: () => Promise<void>,
  deps: { readonly disk: NodeDisk; readonly clock: Clock; readonly log: Logger; readonly metrics: Metrics },
): Reloader {
  if (settings.config_envsubst_file !== '' && settings.config_file === '')
    throw new VeronaError(
      'bad_data',
      'reloader.config_envsubst_file needs reloader.config_file to be made of',
    );
  const reload =
    settings.method === 'http'
      ? reloadByHttp(client, deps.clock)
      : reloadBySignal(client, new SystemProcesses(), settings.process_name, deps.clock);
  return new Reloader(
    {
      configFile: settings.config_file,
      outputFile: settings.config_envsubst_file,
      ruleDirs: settings.rule_dir,
      watchIntervalMs: settings.watch_interval,
      retryIntervalMs: settings.retry_interval,
      toleratesUnset: settings.tolerate_env_var_expansion_errors,
      environment: process.env,
    },
    {
      ...deps,
      reload: async (signal) => {
        await reload(signal);
        await reloaded();
      },
    },
  );
}

/** undefined without a folder of blocks, or a bucket to bring them to. */
async function shipperOpener(config: Config, log: PinoLog, metrics: Metrics) {
  const { sidecar, objstore, tenant, data } = config;
  if (sidecar.tsdb_path === '' || !objstore.enabled) return undefined;
  const disk = new NodeDisk();
  const clock = new SystemClock();
  const random = new SystemRandom();
  const counts = StoreCounts.shownIn(metrics);
  const options = bucketOptionsOf(config, resolve(data.dir));
  const bucket = await openBucket(options, { disk, clock, random, counts });
  return (labels: Iterable<readonly [string, string]>) =>
    Shipper.open(
      {
        tenant: tenant.default,
        dir: resolve(sidecar.tsdb_path),
        labels: Object.fromEntries(labels),
        layout: 'root',
        source: 'sidecar',
        uploadCompacted: sidecar.upload_compacted,
      },
      { bucket, disk, clock, random, log, metrics },
    );
}

import { resolve } from 'node:path';
import type { Command } from 'commander';
import { Shipper } from '../blocks/shipper.ts';
import { loadConfig } from '../config/load.ts';
import { externalLabelsOf } from '../config/prometheus-config.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { SystemHttpClient } from '../platform/http-client.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { PinoLog } from '../platform/pino-log.ts';
import { SystemRandom } from '../platform/random.ts';
import { noTracer } from '../platform/trace.ts';
import { PrometheusClient } from '../pull/sidecar/prometheus-client.ts';
import { PrometheusSource } from '../pull/sidecar/prometheus-querier.ts';
import { prometheusServices } from '../pull/sidecar/prometheus-services.ts';
import { Sidecar } from '../pull/sidecar/sidecar.ts';
import { HttpServer, OPEN_ACCESS } from '../server/http-server.ts';
import { Lifecycle } from '../server/lifecycle.ts';
import { QueryableStore } from '../storeapi/queryable-store.ts';
import { bucketOptionsOf } from './bucket-options.ts';
import { readConfigFile } from './config-file.ts';
import { EXIT } from './exit.ts';
import { addSettingFlags, givenFlags } from './flags.ts';
import { grpcService } from './grpc.ts';
import { metricsRoute } from './metrics-route.ts';
import { splitAddress } from './split-address.ts';
import { WebAccess } from './web-access.ts';

const CHECK_TIMEOUT_MS = 10_000;

/** `verona sidecar`: beside a Prometheus, serves it over the StoreAPI and ships its blocks. */
export function addSidecarCommand(program: Command): void {
  const command = program
    .command('sidecar')
    .description(
      'stands beside a Prometheus: serves its newest data over gRPC and uploads its finished blocks',
    );
  addSettingFlags(command);
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
    const { configFile, flags } = givenFlags(command);
    const text = configFile === undefined ? '' : readConfigFile(configFile);
    process.exitCode = await run(loadConfig({ file: configFile ?? 'flags', text }, flags, process.env));
  });
}

/** Runs until a signal says stop; resolves with the exit code. */
async function run(config: Config): Promise<number> {
  const log = PinoLog.open(config.log.level, config.log.format);
  const stopped = new Promise<string>((done) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => done(signal));
  });
  const lifecycle = await buildLifecycle(config, log);
  try {
    await lifecycle.start();
  } catch (error) {
    log.error('the sidecar did not start', { error: error instanceof Error ? error.message : String(error) });
    process.exit(EXIT.failed);
  }
  log.info('the sidecar is up', {
    prometheus: config.sidecar.prometheus_url,
    grpc: config.grpc.listen_address,
    uploads: config.sidecar.tsdb_path === '' ? 'none: sidecar.tsdb_path is empty' : config.sidecar.tsdb_path,
  });
  const signal = await stopped;
  log.info('stopping', { signal });
  process.once('SIGINT', () => process.exit(EXIT.failed));
  process.once('SIGTERM', () => process.exit(EXIT.failed));
  const clean = await lifecycle.stop();
  log.info('stopped');
  return clean ? EXIT.ok : EXIT.failed;
}

async function buildLifecycle(config: Config, log: PinoLog): Promise<Lifecycle> {
  const clock = new SystemClock();
  const metrics = new Metrics();
  metrics.describeProcess();
  const { sidecar: settings } = config;
  const client = new PrometheusClient(settings.prometheus_url, new SystemHttpClient(), externalLabelsOf);
  const sidecar = new Sidecar(
    {
      checkIntervalMs: settings.check_interval,
      checkTimeoutMs: CHECK_TIMEOUT_MS,
      shipIntervalMs: settings.ship_interval,
      mint: minTimeOf(settings.min_time),
      rules: {
        uploadCompacted: settings.upload_compacted,
        ignoreUnequalBlockSize: settings.ignore_unequal_block_size,
      },
    },
    { client, openShipper: await shipperOpener(config, log, metrics), clock, log, metrics },
  );
  const store = new QueryableStore(new PrometheusSource(client), () => sidecar.info());
  const services = prometheusServices(client, () => sidecar.externalLabels);
  const grpc = grpcService(config, store, services, () => sidecar.isReady, { clock, log, metrics });
  const web =
    config.web.config_file === ''
      ? undefined
      : await WebAccess.open(config.web.config_file, new NodeDisk(), clock, log);
  const [host, port] = splitAddress(config.http.listen_address);
  const server = new HttpServer(
    {
      clock,
      host,
      port,
      allowsOrigin: undefined,
      requestTimeoutMs: config.http.request_timeout,
      connectionsMax: config.http.max_connections,
      tenantOf: () => config.tenant.default,
      isReady: () => sidecar.isReady,
      tracer: noTracer,
      access: web?.current ?? OPEN_ACCESS,
    },
    [metricsRoute(metrics)],
    log,
    metrics,
  );
  web?.onChange((access) => server.replaceAccess(access));
  return new Lifecycle(
    [
      {
        name: 'listener',
        start: async () => void (await server.listen()),
        stop: () => server.close(config.http.shutdown_timeout),
      },
      ...(web ? [web] : []),
      sidecar,
      grpc,
    ],
    log,
    clock,
  );
}

/** ms; 0 for none. Throws `bad_data`. */
function minTimeOf(text: string): number {
  const ms = text === '' ? 0 : Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new VeronaError(
    'bad_data',
    `sidecar.min_time: ${JSON.stringify(text)} is no time; write for example 2026-01-31T00:00:00Z`,
  );
}

/** undefined without a folder of blocks, or a bucket to bring them to. */
async function shipperOpener(config: Config, log: PinoLog, metrics: Metrics) {
  const { sidecar, objstore, tenant, data } = config;
  if (sidecar.tsdb_path === '' || !objstore.enabled) return undefined;
  const disk = new NodeDisk();
  const clock = new SystemClock();
  const random = new SystemRandom();
  const bucket = await openBucket(bucketOptionsOf(config, resolve(data.dir)), {
    disk,
    clock,
    random,
    metrics,
  });
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

import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { DeletionRequests } from '../blocks/deletion-requests.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { PinoLog } from '../platform/pino-log.ts';
import { SystemRandom } from '../platform/random.ts';
import { noTracer } from '../platform/trace.ts';
import { HttpServer, OPEN_ACCESS } from '../server/http-server.ts';
import { Lifecycle } from '../server/lifecycle.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { tenantOf } from '../tenancy/tenant-id.ts';
import { bucketOptionsOf, bucketText } from './bucket-options.ts';
import { buildCompactor } from './compactor-service.ts';
import { readConfigFile } from './config-file.ts';
import { DataLock } from './data-lock.ts';
import { EXIT } from './exit.ts';
import { addSettingFlags, givenFlags } from './flags.ts';
import { metricsRoute } from './metrics-route.ts';
import { splitAddress } from './split-address.ts';
import { WebAccess } from './web-access.ts';

/** `verona compactor`: the compactor alone, beside others that write and read the same bucket. */
export function addCompactorCommand(program: Command): void {
  const command = program
    .command('compactor')
    .description('only the compactor: joins, downsamples, expires and cleans up the blocks in a bucket');
  addSettingFlags(command);
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
    log.error('the compactor did not start', {
      error: error instanceof Error ? error.message : String(error),
    });
    process.exit(EXIT.failed);
  }
  const signal = await stopped;
  log.info('stopping: jobs under way are given up and begun anew by the next start', { signal });
  process.once('SIGINT', () => process.exit(EXIT.failed));
  process.once('SIGTERM', () => process.exit(EXIT.failed));
  const clean = await lifecycle.stop();
  log.info('stopped');
  return clean ? EXIT.ok : EXIT.failed;
}

async function buildLifecycle(config: Config, log: PinoLog): Promise<Lifecycle> {
  if (!config.objstore.enabled)
    throw new VeronaError(
      'bad_data',
      'objstore.enabled is false: a compactor without a bucket has nothing to do',
    );
  const disk = new NodeDisk();
  const clock = new SystemClock();
  const random = new SystemRandom();
  const metrics = new Metrics();
  metrics.describeProcess();
  const dataDir = resolve(config.data.dir);
  const bucketOptions = bucketOptionsOf(config, dataDir);
  const bucket = await openBucket(bucketOptions, { disk, clock, random, metrics });
  const deletions = new DeletionRequests({ bucket, clock, random, log, metrics });
  const { service, routes } = buildCompactor(config, bucketOptions, {
    bucket,
    disk,
    clock,
    deletions,
    limits: new TenantLimits(config.limits, config.overrides),
    log,
    metrics,
  });
  const web =
    config.web.config_file === ''
      ? undefined
      : await WebAccess.open(config.web.config_file, disk, clock, log);
  const [host, port] = splitAddress(config.http.listen_address);
  const server = new HttpServer(
    {
      clock,
      host,
      port,
      allowsOrigin: undefined,
      requestTimeoutMs: config.http.request_timeout,
      connectionsMax: config.http.max_connections,
      tenantOf: (headers) => tenantOf(headers, config.tenant.default),
      isReady: () => lifecycle.ready,
      tracer: noTracer,
      access: web?.current ?? OPEN_ACCESS,
    },
    [...routes, metricsRoute(metrics)],
    log,
    metrics,
  );
  web?.onChange((access) => server.replaceAccess(access));
  const listener = {
    name: 'listener',
    start: async () => {
      const bound = await server.listen();
      log.info('the compactor listens', { ...bound, bucket: bucketText(bucketOptions) });
    },
    stop: () => server.close(config.http.shutdown_timeout),
  };
  // Its own folder: it may run beside `verona all` on the same data folder.
  const lock = new DataLock(disk, join(dataDir, 'compactor-lock'));
  const lifecycle: Lifecycle = new Lifecycle([lock, ...(web ? [web] : []), listener, service], log, clock);
  return lifecycle;
}

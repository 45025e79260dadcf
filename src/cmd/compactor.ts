import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { BlockCatalog } from '../blocks/block-catalog.ts';
import { BucketIndexWriter } from '../blocks/bucket-index-writer.ts';
import { DeletedTenants } from '../blocks/deleted-tenants.ts';
import { DeletionRequests } from '../blocks/deletion-requests.ts';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { VeronaError } from '../model/errors.ts';
import { openBucket } from '../objstore/open-bucket.ts';
import { StoreCounts } from '../objstore/store-counts.ts';
import { SystemClock } from '../platform/clock.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { PinoLog } from '../platform/pino-log.ts';
import { SystemRandom } from '../platform/random.ts';
import { Lifecycle } from '../server/lifecycle.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { bucketOptionsOf, bucketText, metasOf } from './bucket-options.ts';
import { catalogOptions } from './catalog-options.ts';
import { buildCompactor } from './compactor-service.ts';
import { readConfigFile } from './config-file.ts';
import { DataLock } from './data-lock.ts';
import { addSettingFlags, givenFlags } from './flags.ts';
import { plainListener } from './plain-listener.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { tenantDeletionRoutes } from './tenant-deletion-routes.ts';

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

async function run(config: Config): Promise<number> {
  const log = PinoLog.open(config.log.level, config.log.format);
  const texts = {
    name: 'the compactor',
    stopping: 'stopping: jobs under way are given up and begun anew by the next start',
  };
  return runUntilSignal(await buildLifecycle(config, log), log, texts, () => {});
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
  const counts = StoreCounts.shownIn(metrics);
  const bucket = await openBucket(bucketOptions, { disk, clock, random, counts });
  const cached = { disk, clock, log, counts };
  const metas = metasOf(config, bucket, bucketOptions, join(dataDir, 'compactor-metas'), cached);
  const deletions = new DeletionRequests({ bucket, clock, random, log, metrics });
  const { bucket_index_interval: indexInterval } = config.objstore;
  const { service, routes } = buildCompactor(config, bucketOptions, {
    bucket,
    counts,
    metas,
    disk,
    clock,
    deletions,
    index: indexInterval > 0 ? new BucketIndexWriter(indexInterval, { bucket, clock, log }) : undefined,
    limits: new TenantLimits(config.limits, config.overrides),
    log,
    metrics,
  });
  const deletedTenants = new DeletedTenants({ bucket, clock, log });
  const adminRoutes = config.http.enable_admin_api
    ? tenantDeletionRoutes({
        catalog: new BlockCatalog(catalogOptions(config), {
          bucket,
          metas,
          clock,
          log,
          metrics: new Metrics(),
        }),
        deleteTenant: (ctx, tenant) => deletedTenants.mark(ctx, tenant),
      })
    : [];
  const listener = await plainListener(
    config,
    [...routes, ...adminRoutes],
    () => lifecycle.ready,
    { disk, clock, log, metrics },
    (bound) => log.info('the compactor listens', { ...bound, bucket: bucketText(bucketOptions) }),
  );
  // Its own folder: it may run beside `verona all` on the same data folder.
  const lock = new DataLock(disk, join(dataDir, 'compactor-lock'));
  const lifecycle: Lifecycle = new Lifecycle(
    [lock, ...listener, ...(metas ? [metas] : []), service],
    log,
    clock,
  );
  return lifecycle;
}

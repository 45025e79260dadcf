import { join } from 'node:path';
import type { Command } from 'commander';
import { loadConfig } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import { SystemClock } from '../platform/clock.ts';
import { PinoLog } from '../platform/pino-log.ts';
import { readConfigFile } from './config-file.ts';
import { addSettingFlags, givenFlags } from './flags.ts';
import { runUntilSignal } from './run-until-signal.ts';
import { buildSystem, type Role, type System } from './system.ts';

/** `verona all`: everything in one process, with embedded defaults. */
export function addAllCommand(program: Command): void {
  const command = program
    .command('all', { isDefault: false })
    .description('everything in one process: takes writes, keeps them, ships blocks, answers queries');
  addSettingFlags(command);
  command.action(async () => {
    const read = () => readConfig(command);
    process.exitCode = await run(read(), read, 'all');
  });
}

/** `verona querier`: asks stores elsewhere, and a bucket when one is configured; takes and keeps nothing. */
export function addQuerierCommand(program: Command): void {
  const command = program
    .command('querier')
    .description('asks Thanos sidecars, stores and other Veronas (--endpoint.address) as one; keeps nothing');
  addSettingFlags(command);
  command.action(async () => {
    const read = () => asQuerier(readConfig(command));
    process.exitCode = await run(read(), read, 'querier');
  });
}

/** Without what only a process needs that keeps data. */
function asQuerier(config: Config): Config {
  const hasBucket = config.objstore.config !== '' || config.objstore.config_file !== '';
  return {
    ...config,
    objstore: { ...config.objstore, enabled: config.objstore.enabled && hasBucket },
    compactor: { ...config.compactor, enabled: false },
    self_metrics: { ...config.self_metrics, enabled: false },
  };
}

function readConfig(command: Command): Config {
  const { configFile, flags } = givenFlags(command);
  const text = configFile === undefined ? '' : readConfigFile(configFile);
  return loadConfig({ file: configFile ?? 'flags', text }, flags, process.env);
}

async function run(config: Config, reread: () => Config, role: Role): Promise<number> {
  const log = PinoLog.open(config.log.level, config.log.format);
  const system = await buildSystem(config, log, new SystemClock(), reread, role);
  process.on('SIGHUP', () => void system.reload());
  const texts = { name: 'Verona', stopping: 'stopping: requests under way are finished first' };
  return runUntilSignal(system.lifecycle, log, texts, () => greet(config, system, role));
}

/** What a person wants to know first: where to send, where to ask, where the data lie. */
function greet(config: Config, system: System, role: Role): void {
  if (config.log.format === 'json') return;
  const url = system.url();
  if (role === 'querier') {
    process.stdout.write(`
  Verona ${system.version} is ready.

    ask    Prometheus API, Grafana   ${url}
           its stores                ${url}/api/v1/stores
    bucket                           ${system.bucketName}

`);
    return;
  }
  process.stdout.write(`
  Verona ${system.version} is ready.

    send   Prometheus remote_write   ${url}/api/v1/push
           OpenTelemetry (OTLP)      ${url}/otlp/v1/metrics
    ask    Prometheus API, Grafana   ${url}
           a first query             ${url}/api/v1/query?query=verona_head_series
    data   head, log, blocks         ${join(config.data.dir, 'tsdb')}
           bucket                    ${system.bucketName}

  Ctrl-C stops it; nothing acknowledged is lost.

`);
}

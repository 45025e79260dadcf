import { configYaml, flagTexts } from '../config/print.ts';
import type { Config } from '../config/schema.ts';
import { formatDuration } from '../model/duration.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { StatusSource } from '../query/status.ts';
import { VERSION } from './version.ts';

/** What `/api/v1/status/*` says, out of the parts of this process. */
export function statusSource(
  tenants: Tenants,
  startedAtMs: number,
  config: () => Config,
  lastReload: StatusSource['lastReload'],
): StatusSource {
  return {
    version: VERSION,
    startedAtMs,
    lastReload,
    storageRetention: formatDuration(config().tsdb.retention_time),
    config: () => configYaml(config()),
    flags: () => flagTexts(config()),
    replay: () => tenants.replay,
  };
}

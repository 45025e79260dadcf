import { configYaml, flagTexts } from '../config/print.ts';
import type { Config } from '../config/schema.ts';
import { formatDuration } from '../model/duration.ts';
import type { Tenants } from '../push/ingester/tenants.ts';
import type { HeadStatus, StatusSource } from '../query/status.ts';
import { headStatus } from '../tsdb/head/head-status.ts';
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
    head: async (tenant, top): Promise<HeadStatus> => {
      const db = tenants.find(tenant)?.db;
      return db ? headStatus(db.head, top) : EMPTY_HEAD;
    },
  };
}

const EMPTY_HEAD: HeadStatus = {
  numSeries: 0,
  numLabelPairs: 0,
  chunkCount: 0,
  minTime: 0,
  maxTime: 0,
  seriesCountByMetricName: [],
  labelValueCountByLabelName: [],
  memoryInBytesByLabelName: [],
  seriesCountByLabelValuePair: [],
};

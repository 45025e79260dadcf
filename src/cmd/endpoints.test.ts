import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { buildEndpoints } from './endpoints.ts';

function endpointsOf(flags: Record<string, string>) {
  const given = { '--endpoint.address': '127.0.0.1:1', '--endpoint.enforce-tenancy': 'true', ...flags };
  const config = loadConfig({ file: 'verona.yml', text: '' }, given, {});
  return buildEndpoints(config, { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() });
}

test('tenants cannot be kept apart by a label without a name', () => {
  expect(() => endpointsOf({ '--grpc.tenant-label': '' })).toThrow('grpc.tenant_label, which is empty');
  expect(() => endpointsOf({})).not.toThrow();
});

import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { buildEndpoints, joinedView } from './endpoints.ts';

function configOf(flags: Record<string, string>) {
  const given = { '--endpoint.address': '127.0.0.1:1', '--endpoint.enforce-tenancy': 'true', ...flags };
  return loadConfig({ file: 'verona.yml', text: '' }, given, {});
}

function endpointsOf(flags: Record<string, string>) {
  const deps = { clock: new SystemClock(), log: silentLogger, metrics: new Metrics() };
  return buildEndpoints(configOf(flags), deps);
}

test('tenants cannot be kept apart by a label without a name', () => {
  expect(() => endpointsOf({ '--grpc.tenant-label': '' })).toThrow('grpc.tenant_label, which is empty');
  expect(() => endpointsOf({})).not.toThrow();
});

test.each([
  ['series', undefined, 'warn'],
  ['federate', undefined, 'abort'],
  ['remoteRead', undefined, 'abort'],
  ['federate', true, 'warn'],
  ['series', false, 'abort'],
] as const)('a store that fails in %s with partial_response %s: %s', (kind, partialResponse, expected) => {
  const read = { dedup: true, replicaLabels: undefined, storeMatches: [], partialResponse };
  const { remote } = joinedView(configOf({}), endpointsOf({}), 'acme', { kind, read });
  expect(remote?.read.partialResponse).toBe(expected);
});

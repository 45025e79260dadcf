import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import type { QueryJob } from '../query/jobs.ts';
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
  const jobs: Record<typeof kind, QueryJob> = {
    series: { kind: 'series', matcherSets: [], startMs: 0, endMs: 1, limit: 0, read },
    federate: { kind: 'federate', matcherSets: [], timeMs: 0, read },
    remoteRead: { kind: 'remoteRead', body: new Uint8Array(), read },
  };
  const { remote } = joinedView(configOf({}), endpointsOf({}), 'acme', jobs[kind]);
  expect(remote?.read.partialResponse).toBe(expected);
});

function instant(given: Partial<Extract<QueryJob, { kind: 'instant' }>>): QueryJob {
  const options = { query: 'up', lookbackDeltaMs: 0, limit: 0, stats: 'none' as const, analyze: false };
  return { kind: 'instant', timeMs: 0, ...options, ...given };
}

test('stores are told how coarse data may be, and which shard is wanted when that is the same before replicas are joined', () => {
  const flags = { '--query.replica-label': 'replica' };
  const shard = { index: 0, total: 2, by: true, labels: ['cluster'] };
  const readOf = (job: QueryJob) => joinedView(configOf(flags), endpointsOf(flags), 'acme', job).remote?.read;
  const read = { dedup: true, replicaLabels: undefined, partialResponse: undefined, storeMatches: [], shard };
  expect(readOf(instant({ resolutionMaxMs: 300_000, read }))).toMatchObject({
    maxResolutionMs: 300_000,
    shard,
  });
  expect(readOf(instant({}))).toMatchObject({ maxResolutionMs: 0, shard: undefined });
  const byReplica = { ...shard, labels: ['replica'] };
  const without = { ...shard, by: false };
  for (const other of [byReplica, without])
    expect(readOf(instant({ read: { ...read, shard: other } }))?.shard).toBeUndefined();
  expect(readOf(instant({ read: { ...read, dedup: false, shard: without } }))?.shard).toEqual(without);
});

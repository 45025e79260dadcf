import { expect, test } from 'vitest';
import { loadConfig } from '../config/load.ts';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { emptyQuerier } from '../storage/empty-querier.ts';
import type { Endpoint } from '../storeapi/endpoint-set.ts';
import { QueryableStore } from '../storeapi/queryable-store.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { grpcService, keptInfo, reachedInfo } from './grpc.ts';

test.each([
  ['0.0.0.0:0', 1],
  ['127.0.0.1:0', 0],
])('gRPC at %s without credentials is warned of %i times', async (address, times) => {
  const config = loadConfig({ file: 'verona.yml', text: '' }, { '--grpc.listen-address': address }, {});
  const source = { querier: async () => emptyQuerier([]) };
  const store = new QueryableStore(source, () => keptInfo(Labels.empty, '', []));
  const warnings: string[] = [];
  const log = { ...silentLogger, warn: (message: string) => warnings.push(message) };
  const deps = { disk: new NodeDisk(), clock: new SystemClock(), log, metrics: new Metrics() };
  const service = await grpcService(config, store, [], new TenantLimits(), () => true, deps);
  await service.start();
  await service.stop();
  expect(warnings.filter((text) => text.includes('can read every tenant'))).toHaveLength(times);
});

function endpointWith(labelSets: readonly Labels[], given: Partial<Endpoint> = {}): Endpoint {
  return {
    address: 'x:1',
    members: ['x:1'],
    strict: false,
    healthy: true,
    lastCheckMs: 0,
    lastError: '',
    component: 'sidecar',
    labelSets,
    mint: 5,
    maxt: 9,
    services: new Set(['store']),
    ...given,
  };
}

test('a querier says which labels and times it reaches, and none when some of them are not known', () => {
  const [eu, us, z] = [
    ['cluster', 'eu'],
    ['cluster', 'us'],
    ['zone', 'z'],
  ].map(([name, value]) => Labels.from({ [name]: value }));
  const two = [endpointWith([eu]), endpointWith([us, eu], { mint: 3, maxt: 7 })];
  expect(reachedInfo(two, Labels.empty, undefined)).toMatchObject({ labelSets: [eu, us], mint: 3, maxt: 9 });
  const bucket = reachedInfo([endpointWith([eu])], z, [us]);
  expect(bucket.labelSets.map(String)).toEqual(['{cluster="eu", zone="z"}', '{cluster="us", zone="z"}']);
  expect(bucket).toMatchObject({ mint: 0, maxt: Number.MAX_SAFE_INTEGER });
  expect(reachedInfo([...two, endpointWith([])], Labels.empty, undefined).labelSets).toEqual([]);
  expect(reachedInfo(two, z, [Labels.empty]).labelSets).toEqual([z]);
  const absent = { component: '', services: new Set<string>(), healthy: false };
  expect(
    reachedInfo([...two, endpointWith([], { ...absent, strict: true })], Labels.empty, undefined).labelSets,
  ).toEqual([]);
  expect(reachedInfo([...two, endpointWith([], absent)], Labels.empty, undefined).labelSets).toHaveLength(2);
});

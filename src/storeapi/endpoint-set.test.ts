import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import type { Resolver } from '../platform/dns.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { resolveEndpoint } from './discovery.ts';
import { type ConfiguredEndpoint, EndpointSet } from './endpoint-set.ts';
import { remoteStoresOf } from './remote-stores.ts';
import { writeLabelSet } from './wire-requests.ts';

/** Names of a network of its own; one that is not there cannot be resolved. */
function resolverOf(hosts: Record<string, readonly string[]>): Resolver {
  const addresses = async (host: string) => {
    const found = hosts[host];
    if (!found) throw new Error(`${host} is not known`);
    return found;
  };
  const services = async (name: string) =>
    (await addresses(name)).map((target) => ({ name: target, port: 9095 }));
  return { addresses, services };
}

test('a name stands for its addresses, those of its services, or their names', async () => {
  const resolver = resolverOf({
    store: ['10.0.0.1', '10.0.0.2', 'fd00::1'],
    _grpc: ['a', 'b'],
    a: ['10.0.1.1'],
    b: ['10.0.1.2'],
  });
  const found = (endpoint: string) => resolveEndpoint(endpoint, resolver);
  expect(await found('store:9095')).toEqual(['store:9095']);
  expect(await found('dns+store:9095')).toEqual(['10.0.0.1:9095', '10.0.0.2:9095', '[fd00::1]:9095']);
  expect(await found('dnssrv+_grpc')).toEqual(['10.0.1.1:9095', '10.0.1.2:9095']);
  expect(await found('dnssrvnoa+_grpc')).toEqual(['a:9095', 'b:9095']);
  await expect(found('dns+nowhere:1')).rejects.toThrow('nowhere');
});

const closed: string[] = [];

/** Endpoints that answer when their address is in `alive`. */
function setOf(
  endpoints: readonly ConfiguredEndpoint[],
  hosts: Record<string, readonly string[]>,
  alive: Set<string>,
) {
  const connect = (address: string) => ({
    describe: async () => {
      if (!alive.has(address)) throw new Error('nobody listens');
      return {
        label_sets: [writeLabelSet(Labels.from({ cluster: 'eu' }))],
        ComponentType: 'store',
        store: {
          min_time: 5,
          max_time: address.startsWith('10.0.0.2') ? 20 : 10,
          supports_sharding: true,
          supports_without_replica_labels: true,
          tsdb_infos: [],
        },
        rules: {},
        metric_metadata: null,
        targets: null,
        exemplars: null,
        query: null,
        status: null,
      };
    },
    async *messages() {},
    close: () => void closed.push(address),
  });
  const options = { endpoints: async () => endpoints, checkIntervalMs: 60_000, unhealthyTimeoutMs: 60_000 };
  return new EndpointSet(options, connect, {
    resolver: resolverOf(hosts),
    clock: new SystemClock(),
    log: silentLogger,
    metrics: new Metrics(),
  });
}

const group = (address: string, strict = false): ConfiguredEndpoint => ({ address, strict, group: true });

test('a group is one endpoint, asked at the members that answer', async () => {
  const alive = new Set(['10.0.0.1:9095', '10.0.0.2:9095']);
  const hosts = { store: ['10.0.0.1', '10.0.0.2', '10.0.0.3'] };
  const set = setOf([group('store:9095')], hosts, alive);
  await set.check();
  expect(set.endpoints).toMatchObject([
    { address: 'store:9095', healthy: true, lastError: '', mint: 5, maxt: 20, members: [...alive] },
  ]);
  expect(set.offering('rules').map(({ endpoint }) => endpoint.address)).toEqual(['store:9095']);
  alive.delete('10.0.0.1:9095');
  await set.check();
  expect(remoteStoresOf(set.endpoints)).toMatchObject([{ healthy: true, members: ['10.0.0.2:9095'] }]);
  alive.clear();
  await set.check();
  const [gone] = set.endpoints;
  expect(gone).toMatchObject({ healthy: false, component: 'store', maxt: 20 });
  expect(gone.members).toHaveLength(3);
  expect(gone.lastError).toContain('10.0.0.3:9095: nobody listens');
  await set.stop();
});

test('members come and go with what the name stands for, and stay when it cannot be looked up', async () => {
  const hosts: Record<string, readonly string[]> = { store: ['10.0.0.1', '10.0.0.2'] };
  const set = setOf([group('dns+store:9095')], hosts, new Set(['10.0.0.1:9095', '10.0.0.2:9095']));
  await set.check();
  hosts.store = ['10.0.0.2'];
  closed.length = 0;
  await set.check();
  expect(closed).toEqual(['10.0.0.1:9095']);
  delete hosts.store;
  await set.check();
  expect(set.endpoints).toMatchObject([{ healthy: true, members: ['10.0.0.2:9095'] }]);
  expect(set.problem).toContain('store is not known');
  await set.stop();
});

test('a strict group that nobody could look up is asked all the same, so that it is missed', async () => {
  const set = setOf([group('nowhere:1', true), group('elsewhere:1')], {}, new Set());
  await set.check();
  expect(remoteStoresOf(set.endpoints)).toMatchObject([
    { address: 'nowhere:1', members: [], healthy: false },
  ]);
  expect(set.offering('rules')).toEqual([]);
  await set.stop();
});

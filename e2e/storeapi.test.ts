import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Client, credentials, loadPackageDefinition, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Matcher } from '../src/model/matcher.ts';
import { SystemClock } from '../src/platform/clock.ts';
import { selectSamples } from '../src/storage/acceptance.ts';
import { loadServices } from '../src/storeapi/service-definitions.ts';
import { NO_CREDENTIALS, StoreClient } from '../src/storeapi/store-client.ts';
import { StoreQuerier } from '../src/storeapi/store-querier.ts';
import { type Peer, startVerona } from './peers.ts';
import { freePort } from './process.ts';
import { exemplar, floats, histograms, push } from './push.ts';

mkdirSync(join(import.meta.dirname, '../.cache'), { recursive: true });
const folder = mkdtempSync(join(import.meta.dirname, '../.cache/e2e-'));
const now = Date.now();
let verona: Peer;
let address: string;
let client: StoreClient;

beforeAll(async () => {
  address = `127.0.0.1:${await freePort()}`;
  verona = await startVerona(join(folder, 'verona'), [
    '--grpc.enabled=true',
    `--grpc.listen-address=${address}`,
    '--grpc.external-labels=cluster=eu',
    '--self-metrics.enabled=false',
    '--limits.max-series-per-store-request=5',
  ]);
  const times = Array.from({ length: 300 }, (_, i) => now - (300 - i) * 1000);
  await push(verona.writeUrl, [
    floats(
      { __name__: 'up', instance: 'a' },
      times.map((t, i) => [t, i]),
    ),
    floats(
      { __name__: 'up', instance: 'a', zone: 'z' },
      times.map((t, i) => [t, i / 2]),
    ),
    histograms({ __name__: 'sizes' }, [[now - 1000, 3]]),
  ]);
  await push(verona.writeUrl, [floats({ __name__: 'up', instance: 'b' }, [[now, 1]])], { tenant: 'team-b' });
  const samples = Array.from({ length: 60 }, (_, i) => [now - (60 - i) * 1000, i * 1000] as const);
  const metadata = { type: 'counter' as const, help: 'Requests.', unit: '' };
  const exemplars = [exemplar('0a', 7, now - 5000)];
  const series = { ...floats({ __name__: 'requests_total' }, samples, exemplars), metadata };
  await push(verona.writeUrl, [series], { tenant: 'team-c', version: 2 });
  const options = { credentials: () => NO_CREDENTIALS, messageBytesMax: 64 << 20, unaryTimeoutMs: 10_000 };
  client = new StoreClient({ ...options, address, compression: 'none' }, loadServices(), new SystemClock());
});

afterAll(async () => {
  client?.close();
  await verona?.process.stop();
  rmSync(folder, { recursive: true, force: true });
});

const everything = {
  matchers: [new Matcher('!=', '__name__', '')],
  mint: now - 1_000_000,
  maxt: now + 1000,
  sorted: true,
};

function asTenant(tenant: string): StoreQuerier {
  const limits = { seriesMax: 1000, bytesMax: 1e9, maxResolutionMs: 0 };
  return new StoreQuerier(client, { tenant, endpoint: address, partialResponse: 'warn', ...limits });
}

test('a querier reads each tenant’s series under its external labels, and only them', async () => {
  const own = await selectSamples(asTenant('anonymous'), everything);
  expect(Object.keys(own)).toEqual([
    '{__name__="sizes", cluster="eu", tenant_id="anonymous"}',
    '{__name__="up", cluster="eu", instance="a", tenant_id="anonymous"}',
    '{__name__="up", cluster="eu", instance="a", tenant_id="anonymous", zone="z"}',
  ]);
  expect(own['{__name__="up", cluster="eu", instance="a", tenant_id="anonymous"}']).toHaveLength(300);
  expect(Object.keys(await selectSamples(asTenant('team-b'), everything))).toEqual([
    '{__name__="up", cluster="eu", instance="b", tenant_id="team-b"}',
  ]);
  expect(await selectSamples(asTenant('nobody'), everything)).toEqual({});
});

test('the tenant that a Thanos querier names when nobody named one is the default tenant', async () => {
  expect(Object.keys(await selectSamples(asTenant('default-tenant'), everything))).toHaveLength(3);
  await expect(selectSamples(asTenant('../x'), everything)).rejects.toThrow('tenant id');
});

test('a read of more series than the tenant may have at once ends, and says which limit it was', async () => {
  const series = Array.from({ length: 6 }, (_, i) => floats({ __name__: 'up', i: String(i) }, [[now, 1]]));
  await push(verona.writeUrl, series, { tenant: 'team-b' });
  const reading = selectSamples(asTenant('team-b'), everything);
  await expect(reading).rejects.toThrow('max_series_per_store_request');
});

test('info lists the label sets of all tenants', async () => {
  const { component, labelSets } = await client.info('anonymous');
  expect(component).toBe('receive');
  expect(labelSets.map(String)).toEqual([
    '{cluster="eu", tenant_id="anonymous"}',
    '{cluster="eu", tenant_id="team-b"}',
    '{cluster="eu", tenant_id="team-c"}',
  ]);
});

interface Frame {
  readonly batch?: { readonly series: readonly { readonly labels: object[]; readonly chunks: object[] }[] };
}

test('a client generated from the .proto reads series in batches', async () => {
  const includeDirs = [join(import.meta.dirname, '../src/proto/thanos')];
  const loaded = loadPackageDefinition(
    loadSync('store.proto', { includeDirs, longs: Number }),
  ) as unknown as {
    thanos: {
      Store: new (
        address: string,
        c: object,
      ) => Client & {
        series(request: object, metadata: Metadata): AsyncIterable<Frame>;
      };
    };
  };
  const stub = new loaded.thanos.Store(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('thanos-tenant', 'anonymous');
  const request = {
    minTime: everything.mint,
    maxTime: everything.maxt,
    matchers: [{ type: 'EQ', name: '__name__', value: 'up' }],
    responseBatchSize: 64,
  };
  const frames: Frame[] = [];
  for await (const frame of stub.series(request, metadata)) frames.push(frame);
  expect(frames).toHaveLength(1);
  expect(frames[0].batch?.series.map(({ labels }) => labels.length)).toEqual([4, 5]);
  // Where series close their chunks is their matter.
  for (const { chunks } of frames[0].batch?.series ?? []) expect(chunks.length).toBeGreaterThan(1);
  stub.close();
});

type Stub = Client & Record<string, (request: object, metadata: Metadata, ...rest: unknown[]) => unknown>;
type StubClass = new (address: string, c: object) => Stub;

test('a client generated from the .proto reads every service', async () => {
  const includeDirs = [join(import.meta.dirname, '../src/proto/thanos')];
  const files = ['store', 'info', 'metadata', 'exemplars', 'query'].map((name) => `${name}.proto`);
  const loaded = loadPackageDefinition(loadSync(files, { includeDirs, longs: Number })) as unknown as {
    thanos: Record<'Store' | 'Metadata' | 'Exemplars' | 'Query', StubClass> & { info: { Info: StubClass } };
  };
  const metadata = new Metadata();
  metadata.set('THANOS-TENANT', 'team-c');
  const stubs: Stub[] = [];
  const open = (Service: StubClass) => {
    const stub = new Service(address, credentials.createInsecure());
    stubs.push(stub);
    return stub;
  };
  const unary = <T>(Service: StubClass, method: string, request: object) =>
    new Promise<T>((resolve, reject) => {
      open(Service)[method](request, metadata, (error: Error | null, answer: T) =>
        error ? reject(error) : resolve(answer),
      );
    });
  const stream = async (Service: StubClass, method: string, request: object) => {
    const messages: object[] = [];
    for await (const message of open(Service)[method](request, metadata) as AsyncIterable<object>)
      messages.push(message);
    return messages;
  };
  const { Store, Metadata: MetadataService, Exemplars, Query, info } = loaded.thanos;
  const times = { start: everything.mint, end: everything.maxt };
  expect(await unary(info.Info, 'info', {})).toMatchObject({
    ComponentType: 'receive',
    store: { supportsSharding: true, supportsWithoutReplicaLabels: true },
    metricMetadata: {},
    exemplars: {},
    query: {},
  });
  expect(await unary(Store, 'labelNames', times)).toMatchObject({
    names: ['__name__', 'cluster', 'tenant_id'],
  });
  expect(await unary(Store, 'labelValues', { ...times, label: 'cluster' })).toMatchObject({ values: ['eu'] });
  expect(await stream(MetadataService, 'metricMetadata', { limit: -1 })).toEqual([
    {
      metadata: {
        metadata: { requests_total: { metas: [{ type: 'counter', help: 'Requests.', unit: '' }] } },
      },
    },
  ]);
  const labelsOf = (labels: Record<string, string>) =>
    Object.entries(labels).map(([name, value]) => ({ name, value }));
  const external = { cluster: 'eu', tenant_id: 'team-c' };
  expect(
    await stream(Exemplars, 'exemplars', { ...times, query: 'rate(requests_total{cluster="eu"}[1m])' }),
  ).toEqual([
    {
      data: {
        seriesLabels: { labels: labelsOf({ __name__: 'requests_total', ...external }) },
        exemplars: [{ labels: { labels: labelsOf({ trace_id: '0a' }) }, value: 7, ts: now - 5000 }],
      },
    },
  ]);
  const seconds = Math.floor(now / 1000);
  const query = 'sum by (cluster, tenant_id) (requests_total{cluster="eu"} > bool 10)';
  expect(await stream(Query, 'query', { query, timeSeconds: seconds })).toEqual([
    { timeseries: { labels: labelsOf(external), samples: [{ value: 1, timestamp: seconds * 1000 }] } },
    { stats: { samplesTotal: expect.any(Number), peakSamples: expect.any(Number) } },
  ]);
  const range = { startTimeSeconds: seconds - 20, endTimeSeconds: seconds, intervalSeconds: 10 };
  const [first] = await stream(Query, 'queryRange', { query, ...range });
  expect(first).toMatchObject({
    timeseries: { samples: [20, 10, 0].map((ago) => ({ value: 1, timestamp: (seconds - ago) * 1000 })) },
  });
  for (const stub of stubs) stub.close();
});

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
import { floats, histograms, push } from './push.ts';

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

test('info lists the label sets of all tenants', async () => {
  const { component, labelSets } = await client.info('anonymous');
  expect(component).toBe('receive');
  expect(labelSets.map(String)).toEqual([
    '{cluster="eu", tenant_id="anonymous"}',
    '{cluster="eu", tenant_id="team-b"}',
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
  expect(frames[0].batch?.series.map(({ labels, chunks }) => [labels.length, chunks.length])).toEqual([
    [4, 3],
    [5, 3],
  ]);
  stub.close();
});

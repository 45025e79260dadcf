import { afterEach, expect, test } from 'vitest';
import { XorAppender } from '../chunkenc/xor.ts';
import { decodeLabels, encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { type AcceptanceData, querierAcceptance, selectSamples } from '../storage/acceptance.ts';
import { BatchBuilder } from '../storage/batch-builder.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Queryable, SelectRequest } from '../storage/querier.ts';
import { withoutAggregates } from '../tsdb/downsample/aggregate-querier.ts';
import { QueryableStore } from './queryable-store.ts';
import { shardQueryable } from './shard-queryable.ts';
import { aggregatePayload } from './store-chunks.ts';
import { StoreQuerier } from './store-querier.ts';
import type { StoreServer } from './store-server.ts';
import { loopback } from './testdata/loopback.ts';
import { seriesRequest } from './testdata/series-request.ts';

const closers: (() => Promise<void>)[] = [];
const ctx = { signal: new AbortController().signal };

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function storageWith({ floats, histograms }: AcceptanceData): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const { labels, t, v } of floats) appender.append(labels, t, v);
  for (const { labels, t, histogram } of histograms) appender.appendHistogram(labels, t, histogram);
  await appender.commit();
  return storage;
}

async function serve(store: StoreServer, options = {}) {
  const opened = await loopback(store, options);
  closers.push(opened.close);
  return opened;
}

function infoOf(...labelSets: Labels[]) {
  return () => ({ component: 'store', labelSets, mint: 0, maxt: Number.MAX_SAFE_INTEGER });
}

async function remote(source: Queryable, external = Labels.empty, options = {}) {
  const { client } = await serve(new QueryableStore(source, infoOf(external)), options);
  return new StoreQuerier(client, {
    tenant: 'anonymous',
    endpoint: client.address,
    partialResponse: 'warn',
    maxResolutionMs: 0,
    seriesMax: 1000,
    bytesMax: 1e9,
  });
}

querierAcceptance('a store over gRPC', async (data) => {
  const storage = await storageWith(data);
  return { querier: () => remote(storage) };
});

querierAcceptance('a store over gRPC with compressed answers', async (data) => {
  const storage = await storageWith(data);
  return { querier: () => remote(storage, Labels.empty, { compression: 'gzip' }) };
});

function sample(labels: Record<string, string>, t = 1, v = 1) {
  return { labels: Labels.from(labels), t, v };
}

const everything = { matchers: [new Matcher('!=', '__name__', '')], mint: 0, maxt: 100, sorted: true };

test('series come sorted under their external labels, which win over labels of the same name', async () => {
  const storage = await storageWith({
    floats: [
      sample({ __name__: 'up' }),
      sample({ __name__: 'up', a: '1' }),
      sample({ __name__: 'up', a: '1', z: '1' }),
      sample({ __name__: 'up', cluster: 'inner' }),
      sample({ __name__: 'v' }),
    ],
    histograms: [],
  });
  const querier = await remote(storage, Labels.from({ cluster: 'eu', region: 'r' }));
  const seen: string[] = [];
  for await (const batch of querier.select(ctx, everything))
    for (let i = 0; i < batch.seriesCount; i++)
      seen.push(decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]).toString());
  expect(seen).toEqual([
    '{__name__="up", a="1", cluster="eu", region="r"}',
    '{__name__="up", a="1", cluster="eu", region="r", z="1"}',
    '{__name__="up", cluster="eu", region="r"}',
    '{__name__="v", cluster="eu", region="r"}',
  ]);
});

test('matchers on external labels choose the store, and are not asked of its source', async () => {
  const storage = await storageWith({ floats: [sample({ __name__: 'up' })], histograms: [] });
  const querier = await remote(storage, Labels.from({ cluster: 'eu' }));
  const select = (...matchers: Matcher[]) => selectSamples(querier, { ...everything, matchers });
  const up = new Matcher('=', '__name__', 'up');
  expect(await select(up, new Matcher('=~', 'cluster', 'e.'))).toEqual({
    '{__name__="up", cluster="eu"}': ['1 1'],
  });
  expect(await select(up, new Matcher('=', 'cluster', 'us'))).toEqual({});
  await expect(select(new Matcher('=', 'cluster', 'eu'))).rejects.toThrow('no matchers specified');
});

test('label names and values know the external labels', async () => {
  const storage = await storageWith({ floats: [sample({ __name__: 'up', a: '1' })], histograms: [] });
  const querier = await remote(storage, Labels.from({ cluster: 'eu' }));
  const all = { matchers: [], mint: 0, maxt: 10, limit: 0 };
  expect(await querier.labelNames(ctx, all)).toEqual(['__name__', 'a', 'cluster']);
  expect(await querier.labelValues(ctx, 'cluster', all)).toEqual(['eu']);
  expect(await querier.labelValues(ctx, 'a', all)).toEqual(['1']);
});

test('replica labels are removed before sorting when the client says so', async () => {
  const storage = await storageWith({
    floats: [
      sample({ __name__: 'up', replica: 'a', x: '2' }),
      sample({ __name__: 'up', replica: 'b', x: '1' }),
    ],
    histograms: [],
  });
  const store = new QueryableStore(storage, infoOf(Labels.from({ replica: 'r' })));
  const { client } = await serve(store);
  const seen: string[] = [];
  const request = seriesRequest({ withoutReplicaLabels: ['replica'] });
  const { frameBatches } = await import('./frame-batches.ts');
  const frames = client.series('anonymous', request, ctx.signal);
  const options = { endpoint: 'x', warn: () => {}, seriesMax: 10, bytesMax: 1e6 };
  for await (const batch of frameBatches(frames, options))
    for (let i = 0; i < batch.seriesCount; i++)
      seen.push(decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]).toString());
  expect(seen).toEqual(['{__name__="up", x="1"}', '{__name__="up", x="2"}']);
});

test('the shards of a select are the whole, each series in one of them', async () => {
  const storage = await storageWith({
    floats: Array.from({ length: 50 }, (_, i) =>
      sample({ __name__: 'up', instance: `i${i}`, le: `${i % 3}` }),
    ),
    histograms: [],
  });
  const { client } = await serve(new QueryableStore(storage, infoOf()));
  const sizes: number[] = [];
  for (let index = 0; index < 4; index++) {
    const shard = { index, total: 4, by: false, labels: ['le'] };
    let series = 0;
    const { frameBatches } = await import('./frame-batches.ts');
    const options = { endpoint: 'x', warn: () => {}, seriesMax: 100, bytesMax: 1e6 };
    for await (const batch of frameBatches(
      client.series('anonymous', seriesRequest({ shard }), ctx.signal),
      options,
    ))
      series += batch.seriesCount;
    sizes.push(series);
  }
  expect(sizes.reduce((a, b) => a + b)).toBe(50);
  expect(Math.min(...sizes)).toBeGreaterThan(3);
});

test('a call that is aborted ends the work behind it, and says why', async () => {
  let ended = false;
  const endless: StoreServer = {
    ...new QueryableStore(new MemoryStorage(), infoOf()),
    info: async () => infoOf()(),
    labelNames: async () => ({ values: [], warnings: [] }),
    labelValues: async () => ({ values: [], warnings: [] }),
    async *series(_tenant, _request, signal) {
      try {
        for (;;) {
          signal.throwIfAborted();
          yield new Uint8Array(1024);
          await new Promise((resolve) => setImmediate(resolve));
        }
      } finally {
        ended = true;
      }
    },
  };
  const { client } = await serve(endless);
  const abort = new AbortController();
  const read = async () => {
    for await (const _ of client.series('anonymous', seriesRequest({}), abort.signal))
      abort.abort(new Error('enough'));
  };
  await expect(read()).rejects.toThrow('enough');
  await expect.poll(() => ended).toBe(true);
});

test('who lacks the token is not let in', async () => {
  const storage = await storageWith({ floats: [sample({ __name__: 'up' })], histograms: [] });
  const store = new QueryableStore(storage, infoOf());
  const { client } = await serve(store, {
    token: 'secret',
    credentials: () => ({ tls: undefined, bearerToken: 'guess' }),
  });
  await expect(client.info('anonymous')).rejects.toThrow('credentials are missing or wrong');
  const { client: known } = await serve(store, {
    token: 'secret',
    credentials: () => ({ tls: undefined, bearerToken: 'secret' }),
  });
  expect((await known.info('anonymous')).component).toBe('store');
});

test('an endpoint that is not there is named', async () => {
  const { client, close } = await loopback(new QueryableStore(new MemoryStorage(), infoOf()), {
    address: '127.0.0.1:1',
  });
  closers.push(close);
  await expect(client.info('anonymous')).rejects.toThrow('127.0.0.1:1: ');
});

test('a store that sends series of another tenant has failed, whatever came before them', async () => {
  const storage = await storageWith({
    floats: [sample({ __name__: 'up', tenant_id: 'a' }), sample({ __name__: 'up', tenant_id: 'aa' })],
    histograms: [],
  });
  const { client } = await serve(new QueryableStore(storage, infoOf()));
  const guarded = new StoreQuerier(client, {
    tenant: 'a',
    endpoint: client.address,
    partialResponse: 'warn',
    maxResolutionMs: 0,
    seriesMax: 1000,
    bytesMax: 1e9,
    required: { name: 'tenant_id', value: 'a' },
  });
  await expect(selectSamples(guarded, everything)).rejects.toThrow('a series without tenant_id="a" came');
  const own = { ...everything, matchers: [new Matcher('=', 'tenant_id', 'a')] };
  expect(Object.keys(await selectSamples(guarded, own))).toEqual(['{__name__="up", tenant_id="a"}']);
});

test('exemplars are asked for by selectors that Prometheus can read, and other tenants’ are refused', async () => {
  const asked: string[] = [];
  const labels = {
    labels: [
      { name: '__name__', value: 'up' },
      { name: 'tenant_id', value: 'b' },
    ],
  };
  const options = {
    tenant: 'a',
    endpoint: 'x:1',
    partialResponse: 'warn' as const,
    maxResolutionMs: 0,
    seriesMax: 10,
    bytesMax: 1e9,
    async *exemplars({ query }: { query: string }) {
      asked.push(query);
      yield { data: { seriesLabels: labels, exemplars: [{ labels: null, value: 2, ts: 7 }] } };
      yield { warning: 'half of it' };
    },
  };
  const { client } = await serve(
    new QueryableStore(await storageWith({ floats: [], histograms: [] }), infoOf()),
  );
  const querier = new StoreQuerier(client, options);
  const sets = [[new Matcher('=', '__name__', 'up')], [new Matcher('=~', 'a.b', 'x')], []];
  const found = await querier.exemplars(ctx, sets, 0, 10);
  expect(found.map((one) => [String(one.labels), one.exemplars[0].t])).toEqual([
    ['{__name__="up", tenant_id="b"}', 7],
  ]);
  // Prometheus 2 knows no quoted names, so only those are quoted that it cannot have.
  expect(asked).toEqual(['{__name__="up"} or {"a.b"=~"x"} or {__name__!=""}']);
  expect(querier.warnings).toEqual(['x:1: half of it']);
  const guarded = new StoreQuerier(client, { ...options, required: { name: 'tenant_id', value: 'a' } });
  await expect(guarded.exemplars(ctx, sets, 0, 10)).rejects.toThrow('tenant_id');
});

test('downsampled data come when they may, with the aggregates that the function wants', async () => {
  const xor = (value: number) => {
    const appender = new XorAppender();
    appender.append(299_999, value);
    return { type: 0, data: appender.bytes().slice() };
  };
  const asked: SelectRequest[] = [];
  const source: Queryable = {
    querier: async () => ({
      warnings: [],
      async *select(_ctx, request) {
        asked.push(request);
        const builder = new BatchBuilder();
        builder.addSeries(encodeLabels(Labels.from({ __name__: 'up' })));
        builder.addChunk(299_999, 299_999, 255, aggregatePayload([4, 10, 1, 5, 9].map(xor)));
        yield builder.take();
      },
      labelNames: async () => [],
      labelValues: async () => [],
      exemplars: async () => [],
      close: async () => {},
    }),
  };
  const { client } = await serve(new QueryableStore(source, infoOf()));
  const options = {
    tenant: 'a',
    endpoint: 'x:1',
    partialResponse: 'warn' as const,
    seriesMax: 10,
    bytesMax: 1e6,
  };
  const sampleOf = async (func: string) => {
    const querier = withoutAggregates(new StoreQuerier(client, { ...options, maxResolutionMs: 300_000 }));
    const request = { ...everything, maxt: 400_000, hints: { func } };
    return Object.values(await selectSamples(querier, request))[0];
  };
  for (const [func, v] of [
    ['max_over_time', 5],
    ['min', 1],
    ['count', 4],
    ['sum_over_time', 10],
    ['sum', 2.5],
    ['count_values', 2.5],
  ] as const)
    expect(await sampleOf(func), func).toEqual([`299999 ${v}`]);
  expect(await sampleOf('count_over_time')).toEqual(['149999 1', '224999 1', '299999 1', '74999 1']);
  expect(asked.at(-1)?.hints?.func).toBe('count_over_time');
});

test('shards of a source are all of it, each series in one of them', async () => {
  const storage = await storageWith({
    floats: Array.from({ length: 40 }, (_, i) => sample({ __name__: 'up', i: String(i % 20), r: String(i) })),
    histograms: [],
  });
  const seen: string[] = [];
  for (const index of [0, 1, 2]) {
    const shard = { index, total: 3, by: true, labels: ['i'] };
    const querier = await shardQueryable(storage, shard).querier(0, 100);
    const found = Object.keys(await selectSamples(querier, { ...everything, hints: { limit: 1 } }));
    expect(found.length).toBeGreaterThan(0);
    const { client } = await serve(new QueryableStore(storage, infoOf()));
    const options = {
      tenant: 'a',
      endpoint: 'x:1',
      partialResponse: 'warn' as const,
      seriesMax: 99,
      bytesMax: 1e6,
    };
    const remoteShard = new StoreQuerier(client, { ...options, maxResolutionMs: 0, shard });
    expect(Object.keys(await selectSamples(remoteShard, everything))).toEqual(found);
    seen.push(...found);
  }
  expect(new Set(seen).size).toBe(40);
  expect(seen).toHaveLength(40);
});

import { afterEach, expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { QueryableStore } from './queryable-store.ts';
import type { SeriesLimits } from './series-limits.ts';
import { SeriesPlaces } from './series-places.ts';
import type { SeriesRequest } from './store-server.ts';
import { loopback } from './testdata/loopback.ts';
import { seriesRequest } from './testdata/series-request.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const REQUEST = seriesRequest({ matchers: [new Matcher('=', '__name__', 'x')] });

/** Three series of four samples, under limits for tenant `small`; others have none. */
async function serve(limits: SeriesLimits) {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const i of [1, 2, 3])
    for (const t of [1000, 2000, 3000, 4000])
      appender.append(Labels.from({ __name__: 'x', i: `${i}` }), t, i);
  await appender.commit();
  const info = () => ({ component: 'store', labelSets: [], mint: 0, maxt: 100_000 });
  const none = { seriesMax: 0, samplesMax: 0 };
  const store = new QueryableStore(storage, info, (tenant) => (tenant === 'small' ? limits : none));
  const { client, close } = await loopback(store);
  closers.push(close);
  return async (tenant: string) => {
    let frames = 0;
    for await (const _ of client.series(tenant, REQUEST, new AbortController().signal)) frames++;
    return frames;
  };
}

test('more series than a tenant may read at once are RESOURCE_EXHAUSTED and name the limit', async () => {
  const read = await serve({ seriesMax: 2, samplesMax: 0 });
  expect(await read('large')).toBe(3);
  await expect(read('small')).rejects.toMatchObject({
    code: 'limit',
    message: expect.stringMatching(
      /3 series or more, 2 are allowed \(limits\.max_series_per_store_request\)/,
    ),
  });
  expect(await (await serve({ seriesMax: 3, samplesMax: 12 }))('small')).toBe(3);
});

test('more samples than a tenant may read at once are RESOURCE_EXHAUSTED and name the limit', async () => {
  const read = await serve({ seriesMax: 0, samplesMax: 11 });
  await expect(read('small')).rejects.toMatchObject({
    code: 'limit',
    message: expect.stringMatching(
      /12 samples or more, 11 are allowed \(limits\.max_samples_per_store_request\)/,
    ),
  });
});

test('a tenant has as many Series calls under way as it may, and a place again when one ends', async () => {
  const answer = async () => ({ values: [], warnings: [] });
  const info = async () => ({ component: 'store', labelSets: [], mint: 0, maxt: 1 });
  const store = {
    info,
    labelNames: answer,
    labelValues: answer,
    async *series(_tenant: string, _request: SeriesRequest, signal: AbortSignal) {
      const ended = new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      yield new Uint8Array([10, 0]);
      await ended;
    },
  };
  const { client, close } = await loopback(new SeriesPlaces(store, (tenant) => (tenant === 'small' ? 1 : 0)));
  closers.push(close);
  const call = async (tenant: string) => {
    const gone = new AbortController();
    const frames = client.series(tenant, REQUEST, gone.signal);
    expect((await frames.next()).value).toHaveLength(2);
    return async () => {
      gone.abort();
      await frames.next().catch(() => {});
    };
  };
  const hangUp = await call('small');
  await expect(call('small')).rejects.toMatchObject({
    code: 'limit',
    message: expect.stringMatching(
      /tenant small has 1 Series calls under way, 1 are allowed \(limits\.max_concurrent_store_requests\)/,
    ),
  });
  const others = await Promise.all([call('large'), call('large')]);
  await hangUp();
  let again: (() => Promise<void>) | undefined;
  for (let i = 0; i < 100 && again === undefined; i++) {
    again = await call('small').catch(() => undefined);
    if (again === undefined) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  expect(again).toBeDefined();
  for (const end of [...others, again!]) await end();
});

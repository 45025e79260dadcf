import { afterEach, expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { type Clock, SystemClock } from '../platform/clock.ts';
import { selectSamples } from '../storage/acceptance.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { QueryableStore } from './queryable-store.ts';
import { type RemoteStore, RemoteStores } from './remote-stores.ts';
import { NO_CREDENTIALS } from './store-client.ts';
import { loopback } from './testdata/loopback.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function storeOf(cluster: string): Promise<RemoteStore> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  appender.append(Labels.from({ __name__: 'up' }), 1, 1);
  await appender.commit();
  const external = Labels.from({ cluster });
  const info = () => ({ component: 'store', labelSets: [external], mint: 0, maxt: 10 });
  const { client, close } = await loopback(new QueryableStore(storage, info));
  closers.push(close);
  return {
    address: client.address,
    members: [client.address],
    healthy: true,
    lastError: '',
    labelSets: [encodeLabels(external)],
    mint: 0,
    maxt: 10,
    hasExemplars: false,
    hasQueries: false,
  };
}

const request = { matchers: [new Matcher('=', '__name__', 'up')], mint: 0, maxt: 10, sorted: true };
const READ = { partialResponse: 'abort' as const, maxResolutionMs: 0, tenantLabel: '' };

/** Stores over a clock that can be put forward. */
function open() {
  const system = new SystemClock();
  let shift = 0;
  const clock: Clock = {
    now: () => system.now() + shift,
    monotonic: () => system.monotonic(),
    after: (ms, run) => system.after(ms, run),
  };
  const client = {
    credentials: () => NO_CREDENTIALS,
    compression: 'none' as const,
    messageBytesMax: 1 << 20,
    unaryTimeoutMs: 10_000,
  };
  const remotes = new RemoteStores(
    { client, stallMs: 5000, hedgeMs: 0, seriesMax: 10, bytesMax: 1e6 },
    clock,
  );
  const querierOf = (store: RemoteStore) => remotes.queriers('a', [store], READ, 0, 10)[0];
  return { remotes, querierOf, pass: (ms: number) => void (shift += ms) };
}

test('a connection that nobody uses any more is closed when queries come, and made again when asked for', async () => {
  const [gone, used] = [await storeOf('gone'), await storeOf('used')];
  const { remotes, querierOf, pass } = open();
  const [before, other] = [querierOf(gone), querierOf(used)];
  for (const querier of [before, other])
    expect(Object.keys(await selectSamples(querier, request))).toHaveLength(1);
  expect(remotes.connected).toEqual([gone.address, used.address]);
  pass(4 * 60_000);
  await selectSamples(other, request);
  expect(remotes.connected).toHaveLength(2);
  pass(4 * 60_000);
  await selectSamples(other, request);
  expect(remotes.connected).toEqual([used.address]);
  expect(Object.keys(await selectSamples(before, request))).toEqual(['{__name__="up", cluster="gone"}']);
});

test('a store is asked only for times and labels that it may have, and not where it is left out', async () => {
  const store = await storeOf('eu');
  const { querierOf } = open();
  const querier = querierOf(store);
  const other = { ...request, matchers: [...request.matchers, new Matcher('=', 'cluster', 'us')] };
  const unreachable = { ...store, address: '127.0.0.1:1', members: ['127.0.0.1:1'] };
  expect(await selectSamples(querierOf(unreachable), other)).toEqual({});
  expect(await selectSamples(querierOf(unreachable), { ...request, without: ['127.0.0.1:1'] })).toEqual({});
  expect(querierOf({ ...store, mint: 11, maxt: 20 })).toBeUndefined();
  expect(Object.keys(await selectSamples(querier, { ...request, without: ['x:1'] }))).toHaveLength(1);
});

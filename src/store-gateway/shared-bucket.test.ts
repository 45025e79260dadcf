import { afterEach, beforeAll, expect, test } from 'vitest';
import { BlockCatalog, type BucketBlock } from '../blocks/block-catalog.ts';
import { blockRef } from '../blocks/layout.ts';
import { uploadBlock } from '../compactor/upload.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { selectSamples } from '../storage/acceptance.ts';
import { mergeQueriers } from '../storage/merge.ts';
import type { Querier } from '../storage/querier.ts';
import { QueryableStore } from '../storeapi/queryable-store.ts';
import { type RemoteStore, RemoteStores } from '../storeapi/remote-stores.ts';
import { NO_CREDENTIALS } from '../storeapi/store-client.ts';
import { loopback } from '../storeapi/testdata/loopback.ts';
import { testUlid, writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import { withoutAggregates } from '../tsdb/downsample/aggregate-querier.ts';
import { downsampleBlock } from '../tsdb/downsample/downsample-block.ts';
import type { ResolutionWish } from './choose-blocks.ts';
import { StoreGateway } from './store-gateway.ts';

const CALM = { signal: new AbortController().signal };
const DAY = 86_400_000;
const START = 19_675 * DAY;
const STEP = 150_000;
const FIVE_MINUTES = 300_000;
const clock = new SystemClock();
const bucket = new MemoryBucket(clock);
let blocks: readonly BucketBlock[] = [];
const closers: (() => Promise<void>)[] = [];

/** Days of blocks: seven of one day, three of them at 5m as well, and one of two days. */
beforeAll(async () => {
  const spans = [0, 1, 2, 3, 4, 5, 6].map((day) => [day, day + 1]).concat([[7, 9]]);
  for (const [i, [from, to]] of spans.entries()) await put(i, from, to, i < 3);
  const deps = { bucket, clock, log: silentLogger, metrics: new Metrics() };
  blocks = (await new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps).refresh(CALM, 'a')).readable;
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function put(i: number, from: number, to: number, isDownsampled: boolean): Promise<void> {
  const disk = new MemoryDisk();
  const [minTime, maxTime, ulid] = [START + from * DAY, START + to * DAY, testUlid(i)];
  const series = Object.fromEntries(
    [1, 7, 500].map((size) => [
      JSON.stringify({ __name__: 'requests_total', size: String(size) }),
      Array.from({ length: (maxTime - minTime) / STEP }, (_, k) => ({
        t: minTime + k * STEP,
        value: (k * size) % 10_007,
      })),
    ]),
  );
  await writeTestBlock(disk, 'b', { ulid, minTime, maxTime, series });
  await uploadBlock(CALM, bucket, disk, `b/${ulid}`, blockRef('a', ulid), { labels: {}, resolutionMs: 0 });
  if (!isDownsampled) return;
  const output = testUlid(100 + i);
  const folders = { source: `b/${ulid}`, ulid, dir: 'b', output };
  await downsampleBlock({ disk, ...folders, inMs: 0, outMs: FIVE_MINUTES });
  const section = { labels: {}, resolutionMs: FIVE_MINUTES };
  await uploadBlock(CALM, bucket, disk, `b/${output}`, blockRef('a', output), section);
}

/** Gateways that share the bucket behind gRPC, one of them perhaps dead, as one source. */
async function shared(
  { replicationFactor = 1, dead = -1, onFailure = 'abort' as 'abort' | 'warn' },
  wish: ResolutionWish,
): Promise<Querier> {
  const stores: RemoteStore[] = [];
  for (let instance = 0; instance < 3; instance++) {
    const place = { tenant: 'a', instance, instances: 3, replicationFactor, spanMs: DAY, unknownMs: 0 };
    const gateway = gatewayOf();
    const view = { blocks, localUlids: new Set<string>(), share: place };
    const source = { querier: async (mint: number, maxt: number) => gateway.querier(view, mint, maxt, wish) };
    const info = () => ({ component: 'store', labelSets: [], mint: 0, maxt: Number.MAX_SAFE_INTEGER });
    const { client, close } = await loopback(new QueryableStore(source, info));
    if (instance === dead) await close();
    else closers.push(close);
    const { address } = client;
    const health = { members: [address], healthy: instance !== dead, lastError: '' };
    const range = { labelSets: [], mint: 0, maxt: Number.MAX_SAFE_INTEGER };
    stores.push({ address, ...health, ...range, hasExemplars: false, hasQueries: false });
  }
  const client = {
    credentials: () => NO_CREDENTIALS,
    compression: 'none' as const,
    messageBytesMax: 1 << 24,
    unaryTimeoutMs: 10_000,
  };
  const limits = { stallMs: 5000, hedgeMs: 0, seriesMax: 1000, bytesMax: 1e8 };
  const remotes = new RemoteStores({ client, ...limits }, clock);
  const read = { partialResponse: onFailure, maxResolutionMs: wish.maxMs, tenantLabel: '' };
  return withoutAggregates(mergeQueriers(remotes.queriers('a', stores, read, 0, 2e12)));
}

function gatewayOf(): StoreGateway {
  return new StoreGateway(
    { cacheDir: 'cache' },
    { bucket, disk: new MemoryDisk(), clock, log: silentLogger },
  );
}

function alone(wish: ResolutionWish): Querier {
  return withoutAggregates(gatewayOf().querier({ blocks, localUlids: new Set() }, 0, 2e12, wish));
}

function requestOf(func: string, mint = START, maxt = START + 9 * DAY - 1) {
  return {
    matchers: [new Matcher('=', '__name__', 'requests_total')],
    mint,
    maxt,
    sorted: true,
    hints: { func },
  };
}

const WISHES: readonly ResolutionWish[] = [
  { maxMs: 0 },
  { maxMs: FIVE_MINUTES },
  { maxMs: FIVE_MINUTES, preferRaw: true },
];
const LABELS = { matchers: [], mint: START, maxt: START + 9 * DAY, limit: 0 };

test('three gateways that share a bucket answer as one does, with one and with two replicas', async () => {
  for (const replicationFactor of [1, 2])
    for (const wish of WISHES) {
      const [together, one] = [await shared({ replicationFactor }, wish), alone(wish)];
      for (const func of ['count_over_time', 'rate'])
        for (const [mint, maxt] of [
          [START, START + 9 * DAY - 1],
          [START + DAY / 2, START + 8.2 * DAY],
        ]) {
          const request = requestOf(func, mint, maxt);
          expect(await selectSamples(together, request)).toEqual(await selectSamples(one, request));
        }
    }
  const together = await shared({}, { maxMs: 0 });
  expect(await together.labelValues(CALM, 'size', LABELS)).toEqual(['1', '500', '7']);
});

test('with two replicas one that is dead is no loss, with one replica its absence is an error or a warning', async () => {
  const wish = { maxMs: FIVE_MINUTES };
  const request = requestOf('count_over_time');
  const whole = await selectSamples(alone(wish), request);
  const sizeOf = (samples: Record<string, readonly unknown[]>) =>
    Object.values(samples).reduce((sum, { length }) => sum + length, 0);
  let lost = 0;
  for (const dead of [0, 1, 2]) {
    const two = await shared({ replicationFactor: 2, dead, onFailure: 'warn' }, wish);
    expect(await selectSamples(two, request)).toEqual(whole);
    const one = await shared({ dead, onFailure: 'warn' }, wish);
    lost += sizeOf(whole) - sizeOf(await selectSamples(one, request));
    expect(one.warnings.join()).toContain('ECONNREFUSED');
    await expect(selectSamples(await shared({ dead }, wish), request)).rejects.toThrow('ECONNREFUSED');
  }
  // Each sample was one of the three's.
  expect(lost).toBe(sizeOf(whole));
});

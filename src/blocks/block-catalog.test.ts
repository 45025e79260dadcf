import { beforeEach, describe, expect, test } from 'vitest';
import { CALM } from '../objstore/acceptance.ts';
import { CACHING_RULES } from '../objstore/cache/caching-bucket.ts';
import { GuardedCache } from '../objstore/cache/guarded-cache.ts';
import { ListedObjects } from '../objstore/cache/listed-objects.ts';
import { MemoryCache } from '../objstore/cache/memory-cache.ts';
import { FailingBucket, NO_FAULTS } from '../objstore/failing-bucket.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import type { Clock } from '../platform/clock.ts';
import { type Logger, silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { BlockCatalog, type BlockCatalogOptions } from './block-catalog.ts';

const HOUR_MS = 3_600_000;
let nowMs: number;
const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, after: () => () => {} };
let store: MemoryBucket;
let reads: string[];
let warnings: unknown[];
let metrics: Metrics;
let bucket: FailingBucket;

beforeEach(() => {
  nowMs = 1_700_000_000_000;
  store = new MemoryBucket(clock);
  bucket = new FailingBucket(store, new SeededRandom(1), clock);
  const get = bucket.get.bind(bucket);
  reads = [];
  bucket.get = (ctx, key, max) => {
    reads.push(key);
    return get(ctx, key, max);
  };
  warnings = [];
  metrics = new Metrics();
});

function open(
  blocksMax?: number,
  more: Partial<BlockCatalogOptions> = {},
  metas?: ListedObjects,
): BlockCatalog {
  const log: Logger = { ...silentLogger, warn: (_, fields) => void warnings.push(fields) };
  return new BlockCatalog(
    { ignoreDeletionMarksDelayMs: 6 * HOUR_MS, blocksMax, ...more },
    { bucket, clock, log, metrics, metas },
  );
}

const ulid = (i: number) => `01HQ000000000000000000000${i}`;
const put = (key: string, value: unknown) =>
  store.upload(CALM, key, Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)));

async function putBlock(i: number, tenant = 'acme'): Promise<string> {
  const id = ulid(i);
  await put(`${tenant}/${id}/chunks/000001`, 'cc');
  await put(`${tenant}/${id}/index`, 'iii');
  await put(`${tenant}/${id}/meta.json`, { ulid: id, minTime: 10 - i, maxTime: 20, version: 1 });
  return id;
}

const gauge = async (state: string) =>
  (await metrics.registry.metrics()).match(
    `verona_blocks_meta_synced{tenant="acme",state="${state}"} (\\d+)`,
  )?.[1];

test('blocks come oldest first with their sizes, and each meta.json is read once', async () => {
  const [a, b] = [await putBlock(1), await putBlock(2)];
  const blocks = open();
  expect(blocks.blocks('acme')).toEqual([]);
  const found = (await blocks.refresh(CALM, 'acme')).readable;
  expect(found.map(({ meta }) => meta.ulid)).toEqual([b, a]);
  expect(found[0].sizes.get('chunks/000001')).toBe(2);
  expect(found[0].sizes.get('index')).toBe(3);
  const c = await putBlock(3);
  await blocks.refresh(CALM, 'acme');
  expect(blocks.blocks('acme').map(({ meta }) => meta.ulid)).toEqual([c, b, a]);
  expect(reads.filter((key) => key.endsWith('meta.json'))).toHaveLength(3);
});

test('many new blocks cost a listing per thousand objects, few cost one each', async () => {
  let listings = 0;
  const list = bucket.list.bind(bucket);
  bucket.list = (...args) => {
    listings++;
    return list(...args);
  };
  const many = (from: number, count: number) =>
    Promise.all(
      Array.from({ length: count }, async (_, i) => {
        const id = `01HQ0000000000000000000${String(from + i).padStart(3, '0')}`;
        await put(`acme/${id}/index`, 'iii');
        await put(`acme/${id}/meta.json`, { ulid: id, minTime: 0, maxTime: 20, version: 1 });
      }),
    );
  const blocks = open();
  await many(0, 10);
  expect((await blocks.refresh(CALM, 'acme')).whole).toHaveLength(10);
  await many(10, 5);
  listings = 0;
  expect((await blocks.refresh(CALM, 'acme')).whole).toHaveLength(15);
  expect(listings).toBe(2 + 5);
  await many(15, 200);
  listings = 0;
  expect((await blocks.refresh(CALM, 'acme')).whole).toHaveLength(215);
  expect(listings).toBe(2);
});

test('the next start reads the meta.json of no block that is as it was, and every mark', async () => {
  const cache = new MemoryCache({ sizeBytesMax: 1 << 20, itemBytesMax: 1 << 20 }, clock);
  const start = async () => {
    reads = [];
    const guarded = new GuardedCache(cache, { clock, log: silentLogger });
    const metas = new ListedObjects(bucket, CACHING_RULES, async () => guarded);
    await metas.start();
    const found = await open(undefined, {}, metas).refresh(CALM, 'acme');
    await new Promise((resolve) => setTimeout(resolve, 5));
    return found.whole.map(({ meta, marks }) => [meta.ulid, meta.maxt, Object.keys(marks)]);
  };
  const [a, b] = [await putBlock(1), await putBlock(2)];
  await put(`acme/${a}/no-compact-mark.json`, { id: a, version: 1, no_compact_time: 1, reason: 'x' });
  const first = await start();
  expect(reads.filter((key) => key.endsWith('meta.json'))).toHaveLength(2);
  expect(await start()).toEqual(first);
  expect(reads.filter((key) => !key.endsWith('bucket-index.json.gz'))).toEqual([
    `acme/${a}/no-compact-mark.json`,
  ]);
  // As the compactor does that notes what it has applied.
  nowMs += 1000;
  await put(`acme/${b}/meta.json`, { ulid: b, minTime: 8, maxTime: 19, version: 1 });
  await put(`acme/${b}/deletion-mark.json`, { id: b, version: 1, deletion_time: nowMs / 1000 });
  expect(await start()).toEqual([
    [b, 19, ['deletion']],
    [a, 20, ['no-compact']],
  ]);
  expect(reads.filter((key) => key.endsWith('meta.json'))).toEqual([`acme/${b}/meta.json`]);
});

test('a block is held when a refresh found it, or one that was made of it', async () => {
  const id = await putBlock(1);
  const blocks = open();
  expect(blocks.holds('acme', id)).toBe(false);
  await blocks.refresh(CALM, 'acme');
  expect(blocks.holds('acme', id)).toBe(true);
  expect(blocks.holds('other', id)).toBe(false);
  const compaction = { level: 2, sources: [ulid(3), ulid(4)] };
  await put(`acme/${ulid(5)}/meta.json`, { ulid: ulid(5), minTime: 1, maxTime: 20, version: 1, compaction });
  await blocks.refresh(CALM, 'acme');
  expect([3, 4, 5, 6].map((i) => blocks.holds('acme', ulid(i)))).toEqual([true, true, true, false]);
});

test('tenants are the folders that are not marked as internal', async () => {
  await putBlock(1, 'b');
  await putBlock(1, 'a');
  await put('__markers__/a/x', 'x');
  await put('user-index.json.gz', 'x');
  expect(await open().tenants(CALM)).toEqual(['a', 'b']);
});

test('who owns what lies below the root is a tenant also when only leftovers are there', async () => {
  await put(`${ulid(1)}/chunks/000001`, 'cc');
  const rootTenancy = { tenantLabel: '', tenant: 'acme', isTenant: () => true };
  expect(await open(undefined, { rootTenancy }).tenants(CALM)).toEqual(['acme']);
});

test('partial uploads are skipped and counted, and seen when they are complete', async () => {
  await put(`acme/${ulid(1)}/index`, 'iii');
  await put('acme/bucket-index.json.gz', 'x');
  await put('acme/not-a-block/meta.json', '{}');
  const blocks = open();
  expect((await blocks.refresh(CALM, 'acme')).readable).toEqual([]);
  expect(await gauge('partial')).toBe('1');
  await putBlock(1);
  expect((await blocks.refresh(CALM, 'acme')).readable).toHaveLength(1);
  expect(await gauge('partial')).toBe('0');
  expect(await gauge('loaded')).toBe('1');
});

test('a broken meta.json is a warning once and a number, and is read again when it is replaced', async () => {
  await putBlock(2);
  await put(`acme/${ulid(1)}/meta.json`, '{"version":1,');
  const blocks = open();
  for (let i = 0; i < 3; i++) expect((await blocks.refresh(CALM, 'acme')).readable).toHaveLength(1);
  expect(warnings).toHaveLength(1);
  expect(await gauge('corrupted')).toBe('1');
  await putBlock(1);
  expect((await blocks.refresh(CALM, 'acme')).readable).toHaveLength(2);
});

test.each([`${ulid(1)}/deletion-mark.json`, `markers/${ulid(1)}-deletion-mark.json`])(
  'a block marked by %s is read until the delay is over',
  async (path) => {
    await putBlock(1);
    await put(`acme/${path}`, { id: ulid(1), version: 1, deletion_time: nowMs / 1000 });
    const blocks = open();
    const [found] = (await blocks.refresh(CALM, 'acme')).readable;
    expect(found.marks.deletion?.timeMs).toBe(nowMs);
    nowMs += 6 * HOUR_MS - 1;
    expect((await blocks.refresh(CALM, 'acme')).readable).toHaveLength(1);
    nowMs += 1;
    expect((await blocks.refresh(CALM, 'acme')).readable).toEqual([]);
    expect(await gauge('marked-for-deletion')).toBe('1');
    expect(reads.filter((key) => key.includes('mark'))).toHaveLength(1);
  },
);

test('a mark that cannot be read, or is of another block, does not hide the block', async () => {
  await putBlock(1);
  await putBlock(2);
  await put(`acme/${ulid(1)}/deletion-mark.json`, 'garbage');
  await put(`acme/${ulid(2)}/deletion-mark.json`, { id: ulid(1), version: 1, deletion_time: 1 });
  expect((await open().refresh(CALM, 'acme')).readable).toHaveLength(2);
  expect(warnings).toHaveLength(2);
});

test('a bucket that fails leaves the last view', async () => {
  await putBlock(1);
  const blocks = open();
  await blocks.refresh(CALM, 'acme');
  await putBlock(2);
  bucket.faults = { ...NO_FAULTS, errors: 1 };
  await expect(blocks.refresh(CALM, 'acme')).rejects.toMatchObject({ code: 'unavailable' });
  expect(blocks.blocks('acme')).toHaveLength(1);
});

test('deleted blocks vanish, and the number of blocks has a limit', async () => {
  await putBlock(1);
  await putBlock(2);
  const blocks = open(2);
  await blocks.refresh(CALM, 'acme');
  for (const file of ['meta.json', 'index', 'chunks/000001'])
    await store.delete(CALM, `acme/${ulid(1)}/${file}`);
  expect((await blocks.refresh(CALM, 'acme')).readable).toHaveLength(1);
  await putBlock(1);
  await putBlock(3);
  await expect(blocks.refresh(CALM, 'acme')).rejects.toMatchObject({ code: 'limit' });
});

const listings = async (run: () => Promise<unknown>): Promise<string[]> => {
  const list = store.list.bind(store);
  const prefixes: string[] = [];
  store.list = (ctx, prefix, options) => {
    prefixes.push(prefix);
    return list(ctx, prefix, options);
  };
  await run().finally(() => {
    store.list = list;
  });
  return prefixes;
};

test('a second look lists folders and marks, and only what is new in whole', async () => {
  await putBlock(1);
  await putBlock(2);
  const blocks = open();
  await blocks.refresh(CALM, 'acme');
  await putBlock(3);
  await put(`acme/${ulid(4)}/index`, 'iii');
  const prefixes = await listings(() => blocks.refresh(CALM, 'acme'));
  expect(prefixes).toEqual(['acme/', `acme/${ulid(3)}/`, `acme/${ulid(4)}/`, 'acme/markers/']);
  expect(blocks.view('acme').whole).toHaveLength(3);
  expect(blocks.view('acme').unfinished).toMatchObject([{ kind: 'partial', newestMs: nowMs }]);
});

test('the list stays the same array until something in it changes', async () => {
  await putBlock(1);
  const blocks = open();
  const { readable } = await blocks.refresh(CALM, 'acme');
  expect((await blocks.refresh(CALM, 'acme')).readable).toBe(readable);
  expect((await blocks.refresh(CALM, 'acme', { full: true })).readable).toBe(readable);
  await put(`acme/markers/${ulid(1)}-deletion-mark.json`, {
    id: ulid(1),
    version: 1,
    deletion_time: nowMs / 1000,
  });
  const marked = (await blocks.refresh(CALM, 'acme')).readable;
  expect(marked).not.toBe(readable);
  await putBlock(2);
  expect((await blocks.refresh(CALM, 'acme')).readable).not.toBe(marked);
});

test('a mark beside a known block is seen by a full look, and by any after a quarter of an hour', async () => {
  await putBlock(1);
  const blocks = open();
  await blocks.refresh(CALM, 'acme');
  await put(`acme/${ulid(1)}/no-compact-mark.json`, {
    id: ulid(1),
    version: 1,
    no_compact_time: 5,
    reason: 'manual',
  });
  expect((await blocks.refresh(CALM, 'acme')).whole[0].marks).toEqual({});
  const marked = { 'no-compact': { timeMs: 5000, reason: 'manual' } };
  expect((await blocks.refresh(CALM, 'acme', { full: true })).whole[0].marks).toMatchObject(marked);
  await store.delete(CALM, `acme/${ulid(1)}/no-compact-mark.json`);
  expect((await blocks.refresh(CALM, 'acme')).whole[0].marks).toMatchObject(marked);
  nowMs += 15 * 60_000;
  expect((await blocks.refresh(CALM, 'acme')).whole[0].marks).toEqual({});
});

test('without a consistency delay a clock behind that of the store hides no block', async () => {
  await putBlock(1);
  nowMs -= HOUR_MS;
  expect((await open().refresh(CALM, 'acme')).readable).toHaveLength(1);
});

test('a block is read when its meta.json is as old as the consistency delay', async () => {
  await putBlock(1);
  const blocks = open(undefined, { consistencyDelayMs: 60_000 });
  expect(await blocks.refresh(CALM, 'acme')).toMatchObject({ readable: [], whole: [{}] });
  nowMs += 60_000;
  expect((await blocks.refresh(CALM, 'acme')).readable).toHaveLength(1);
});

describe("blocks in Thanos' layout", () => {
  const tenancy = (tenantLabel: string, tenant = '') => ({
    rootTenancy: { tenantLabel, tenant, isTenant: (name: string) => /^[a-z-]+$/.test(name) },
  });
  const putRoot = (i: number, labels: Record<string, string>) =>
    put(`${ulid(i)}/meta.json`, { ulid: ulid(i), minTime: i, maxTime: 20, version: 1, thanos: { labels } });
  const owners = async (blocks: BlockCatalog) => {
    const tenants = await blocks.tenants(CALM);
    const views = await Promise.all(tenants.map((tenant) => blocks.refresh(CALM, tenant)));
    return tenants.map(
      (tenant, i) => `${tenant}: ${views[i].whole.map(({ ref }) => ref.folder.slice(-1)).join('')}`,
    );
  };

  beforeEach(async () => {
    await putRoot(1, { tenant_id: 'acme' });
    await putRoot(2, { cluster: 'a' });
    await putRoot(3, { tenant_id: '../other' });
    await put('0-tenant/markers/x', 'x');
    await putRoot(5, { tenant_id: 'beta', cluster: 'a' });
    await putBlock(4);
  });

  test('they are nobody’s unless a setting says whose', async () => {
    expect(await owners(open())).toEqual(['0-tenant: ', 'acme: 4']);
  });

  test('the label names the owner; a block without it, or with a name that cannot be, is nobody’s', async () => {
    expect(await owners(open(undefined, tenancy('tenant_id')))).toEqual([
      '0-tenant: ',
      'acme: 14',
      'beta: 5',
    ]);
    expect(await metrics.registry.metrics()).toContain('verona_blocks_unowned 2');
  });

  test('the owner of the rest gets no block that names another', async () => {
    expect(await owners(open(undefined, tenancy('tenant_id', 'rest')))).toEqual([
      '0-tenant: ',
      'acme: 14',
      'beta: 5',
      'rest: 2',
    ]);
    expect(await owners(open(undefined, tenancy('', 'rest')))).toEqual([
      '0-tenant: ',
      'acme: 4',
      'rest: 1235',
    ]);
  });

  test('its series have its external labels, but for the one that names the owner', async () => {
    const blocks = open(undefined, tenancy('tenant_id'));
    await blocks.tenants(CALM);
    const [beta] = (await blocks.refresh(CALM, 'beta')).readable;
    expect(beta.seriesLabels).toEqual({ cluster: 'a' });
    const own = (await blocks.refresh(CALM, 'acme')).readable.find(({ ref }) => ref.layout === 'tenant');
    expect(own?.seriesLabels).toBeUndefined();
  });

  test('new ones and gone ones are seen by a quick look', async () => {
    const blocks = open(undefined, tenancy('', 'rest'));
    await owners(blocks);
    await putRoot(6, {});
    await store.delete(CALM, `${ulid(2)}/meta.json`);
    expect(await owners(blocks)).toEqual(['0-tenant: ', 'acme: 4', 'rest: 1356']);
  });

  test('a block that is there in both layouts is read once', async () => {
    await putRoot(4, { tenant_id: 'acme' });
    const blocks = open(undefined, tenancy('tenant_id'));
    await blocks.tenants(CALM);
    const view = await blocks.refresh(CALM, 'acme');
    expect(view.whole.map(({ ref }) => ref.folder)).toHaveLength(3);
    expect(view.readable.map(({ ref }) => ref.layout)).toEqual(['root', 'tenant']);
  });
});

import { gunzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { BlockMarker } from '../blocks/block-marker.ts';
import { BucketIndexWriter } from '../blocks/bucket-index-writer.ts';
import { needsDeletion } from '../blocks/deletion-request.ts';
import { blockRef } from '../blocks/layout.ts';
import { readTenantDeletion, writeTenantDeletion } from '../blocks/tenant-deletion.ts';
import { Matcher } from '../model/matcher.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import type { AnySample } from '../tsdb/head/clip-chunk.ts';
import { CompactorKit, CTX, HOUR, RULES, TENANT } from './testdata/kit.ts';

/** Midnight, days before the kit's clock. */
const T = 1_700_006_400_000;

/** As it was made at its end. */
function ulidAt(timeMs: number, i = 0): string {
  const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  let time = '';
  for (let rest = timeMs, k = 0; k < 10; k++, rest = Math.floor(rest / 32)) time = digits[rest % 32] + time;
  return `${time}${String(i).padStart(16, '0')}`;
}

function samples(from: number, to: number, value = 1): AnySample[] {
  const all: AnySample[] = [];
  for (let t = from; t < to; t += 60_000) all.push({ t, value: value * (t - T) });
  return all;
}

/** Two hours from T + `hour` h on. */
function twoHours(hour: number, i = 0, value = 1) {
  const minTime = T + hour * HOUR;
  const maxTime = minTime + 2 * HOUR;
  const series = { '{"a":"1"}': samples(minTime, maxTime, value), '{"a":"2"}': samples(minTime, maxTime, 2) };
  return { ulid: ulidAt(maxTime, i), minTime, maxTime, series };
}

async function dayOfBlocks(kit: CompactorKit): Promise<void> {
  for (let hour = 0; hour < 24; hour += 2) await kit.put(twoHours(hour));
}

test('a day of two-hour blocks becomes one block, and later the sources are gone', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  const before = await kit.samples();
  await kit.compactor().runRound(CTX);
  const [{ meta, marks }, ...others] = await kit.visible();
  expect(others).toEqual([]);
  expect(marks).toEqual({});
  expect(meta).toMatchObject({ mint: T, maxt: T + 24 * HOUR, level: 2, labels: { __org_id__: TENANT } });
  expect(await kit.samples()).toEqual(before);
  kit.clock.time += 13 * HOUR;
  await kit.compactor().runRound(CTX);
  expect([...new Set((await kit.keys()).map((key) => key.split('/')[1]))]).toEqual([meta.ulid]);
  expect(await kit.samples()).toEqual(before);
});

test('the bucket index tells of results and marks, and is written anew when it is due', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  const { bucket, clock } = kit;
  const compactor = kit.compactor({
    index: new BucketIndexWriter(HOUR, { bucket, clock, log: silentLogger }),
  });
  const told = async () => {
    const text = gunzipSync(await bucket.get(CTX, `${TENANT}/bucket-index.json.gz`)).toString();
    const index = JSON.parse(text) as {
      blocks: object[];
      block_deletion_marks: object[];
      updated_at: number;
    };
    return [index.blocks.length, index.block_deletion_marks.length, index.updated_at * 1000];
  };
  await compactor.runRound(CTX);
  const first = clock.time;
  expect(await told()).toEqual([13, 12, first]);
  clock.time += HOUR / 2;
  await compactor.runRound(CTX);
  expect(await told()).toEqual([13, 12, first]);
  clock.time += 13 * HOUR;
  await compactor.runRound(CTX);
  expect(await told()).toEqual([1, 0, clock.time]);
});

test('replicas become one series without their label', async () => {
  const kit = new CompactorKit();
  for (let hour = 0; hour < 24; hour += 2) {
    await kit.put(twoHours(hour, 1), { replica: 'a' });
    const { series, ...other } = twoHours(hour, 2);
    const later = series['{"a":"1"}'].map(({ t, value }) => ({ t: t + 7000, value }));
    await kit.put(
      { ...other, series: { '{"a":"1"}': later.filter(({ t }) => t < other.maxTime) } },
      { replica: 'b' },
    );
  }
  await kit.compactor().runRound(CTX);
  const [{ meta }, ...others] = await kit.visible();
  expect(others).toEqual([]);
  expect(meta.labels).toEqual({ __org_id__: TENANT });
  const { series } = await kit.samples();
  expect(series['{"a":"1"}']).toHaveLength(24 * 60);
});

test('a damaged block is set aside with the reason, and everything else is compacted', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  const bad = twoHours(10);
  const key = `${TENANT}/${bad.ulid}/chunks/000001`;
  const bytes = await kit.bucket.get(CTX, key);
  bytes[60] ^= 1;
  await kit.bucket.upload(CTX, key, bytes);
  const metrics = new Metrics();
  await kit.compactor({ metrics }).runRound(CTX);
  const visible = await kit.visible();
  expect(visible.map(({ meta }) => [(meta.mint - T) / HOUR, (meta.maxt - T) / HOUR])).toEqual([
    [0, 10],
    [10, 12],
    [12, 24],
  ]);
  expect(visible[1].marks.quarantine).toMatchObject({ reason: 'damaged', hidden: false });
  expect(visible[1].marks.quarantine?.details).toMatch(/chunks\/000001: bad chunk checksum at \d+/);
  expect(await metrics.registry.metrics()).toContain('verona_compactor_blocks_quarantined_total 1');
});

test('a block that lost its index is hidden, and the next round has nothing to do', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  await kit.bucket.delete(CTX, `${TENANT}/${twoHours(4).ulid}/index`);
  await kit.compactor().runRound(CTX);
  expect((await kit.visible()).map(({ meta }) => (meta.mint - T) / HOUR)).toEqual([0, 6]);
  const before = await kit.keys();
  expect(await kit.compactor().runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
  expect(await kit.keys()).toEqual(before);
});

test('a result too large is split by series, and the shards stand in for their sources together', async () => {
  const kit = new CompactorKit();
  const many = Object.fromEntries(
    Array.from({ length: 64 }, (_, i) => [`{"a":"${i}"}`, samples(T, T + 2 * HOUR)]),
  );
  const { ulid, minTime, maxTime } = twoHours(0);
  await kit.put({ ulid, minTime, maxTime, series: many });
  await kit.put(twoHours(2));
  const before = await kit.samples();
  await kit.compactor({ rules: { ...RULES, seriesMax: 20 } }).runRound(CTX);
  const shards = (await kit.visible()).map(({ meta }) => meta.labels.__compactor_shard_id__);
  expect(shards.sort()).toEqual(['1_of_4', '2_of_4', '3_of_4', '4_of_4']);
  expect(await kit.samples()).toEqual(before);
});

test('while many jobs are done one after the other, what was marked long ago does not wait for the last', async () => {
  const kit = new CompactorKit();
  const old = twoHours(-48);
  await kit.put(old);
  await new BlockMarker({ bucket: kit.bucket, clock: kit.clock, log: silentLogger }).mark(
    CTX,
    blockRef(TENANT, old.ulid),
    'deletion',
  );
  kit.clock.time += 13 * HOUR;
  for (const day of [0, 24]) for (const hour of [0, 2]) await kit.put(twoHours(day + hour));
  const told: string[] = [];
  const info = (message: string) => {
    if (!/job of the compactor|block is deleted/.test(message)) return;
    told.push(message);
    kit.clock.time += 11 * 60_000;
  };
  await kit.compactor({ concurrency: 1, log: { ...silentLogger, info } }).runRound(CTX);
  const done = 'a job of the compactor is done';
  expect(told).toEqual([done, 'a block is deleted', done]);
});

test('a mark of which one of two objects was stored gets the other one', async () => {
  const kit = new CompactorKit();
  const block = twoHours(0);
  await kit.put(block);
  const marker = new BlockMarker({ bucket: kit.bucket, clock: kit.clock, log: silentLogger });
  await marker.mark(CTX, blockRef(TENANT, block.ulid), 'deletion');
  const copy = `${TENANT}/markers/${block.ulid}-deletion-mark.json`;
  await kit.bucket.delete(CTX, copy);
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toContain(copy);
});

test('a job that fails is left alone for a while and then done', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  let full = true;
  const bucket: Bucket = new Proxy(kit.bucket, {
    get: (target, name) => {
      if (name === 'upload' && full) return () => Promise.reject(new Error('no room'));
      const value = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const metrics = new Metrics();
  const compactor = kit.compactor({ bucket, metrics });
  const failing = async () =>
    /^verona_compactor_jobs_failing (.*)$/m.exec(await metrics.registry.metrics())?.[1];
  expect(await compactor.runRound(CTX)).toEqual({ jobs: 0, failures: 1 });
  full = false;
  expect(await compactor.runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
  expect([...compactor.progress.failures.values()]).toEqual([expect.stringContaining('no room')]);
  expect(await failing()).toBe('1');
  kit.clock.time += 61_000;
  expect(await compactor.runRound(CTX)).toEqual({ jobs: 1, failures: 0 });
  expect(await failing()).toBe('0');
});

test('a deletion request is worked off: in blocks that are joined, in those that stay, and not where there is nothing', async () => {
  const kit = new CompactorKit();
  for (let hour = 0; hour < 24; hour += 2) await kit.put(twoHours(hour));
  const apart = twoHours(26);
  await kit.put(apart);
  const without = twoHours(50);
  await kit.put({ ...without, series: { '{"a":"2"}': samples(without.minTime, without.maxTime) } });
  const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: T + 5 * HOUR, maxt: T + 60 * HOUR };
  const request = await kit.deletions().add(CTX, TENANT, wish);
  // As if the blocks had been made before the request.
  expect(request.timeMs).toBeGreaterThan(without.maxTime);
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  const { series } = await kit.samples();
  expect(series['{"a":"1"}'].at(-1)?.[0]).toBe(T + 5 * HOUR - 60_000);
  expect(series['{"a":"2"}']).toHaveLength(14 * 120);
  const visible = await kit.visible();
  expect(visible.map(({ meta }) => meta.appliedDeletions)).toEqual([
    [request.id],
    [request.id],
    [request.id],
  ]);
  expect(visible.map(({ meta }) => meta.ulid === without.ulid)).toEqual([false, false, true]);
  expect(await kit.deletions().refresh(CTX, TENANT)).toHaveLength(1);
  kit.clock.time += 50 * HOUR;
  const compactor = kit.compactor();
  for (let round = 0; round < 4; round++) await compactor.runRound(CTX);
  const requests = kit.deletions();
  await requests.refresh(CTX, TENANT);
  expect(requests.finished(TENANT)).toEqual([request]);
  expect(await kit.samples()).toEqual({ series, doubled: 0 });
});

test('a deletion that blocks are still to be rewritten for is counted until they are', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0));
  await kit.deletions().add(CTX, TENANT, {
    matcherSets: [[new Matcher('=', 'a', '1')]],
    mint: T,
    maxt: T + HOUR,
  });
  const compactor = kit.compactor();
  const waiting = async () => {
    await compactor.runRound(CTX);
    return compactor.progress.tenants.get(TENANT)?.deletions;
  };
  expect(await waiting()).toBe(1);
  kit.clock.time += HOUR;
  await waiting();
  expect(await waiting()).toBe(0);
});

test('a deletion that was worked off long ago holds for a block that was made before it and comes only now', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0));
  const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: T, maxt: T + 60 * HOUR };
  const request = await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  kit.clock.time += 50 * HOUR;
  for (let round = 0, compactor = kit.compactor(); round < 4; round++) await compactor.runRound(CTX);
  expect(Object.keys((await kit.samples()).series)).toEqual(['{"a":"2"}']);
  kit.clock.time += 1000 * HOUR;
  const late = twoHours(26);
  await kit.put(late);
  const requests = kit.deletions();
  await requests.refresh(CTX, TENANT);
  expect(requests.finished(TENANT)).toEqual([request]);
  // Readers follow it at once.
  const meta = (await kit.visible()).find(({ ref }) => ref.ulid === late.ulid)?.meta;
  expect(meta && needsDeletion(meta, request)).toBe(true);
  await kit.compactor().runRound(CTX);
  expect(Object.keys((await kit.samples()).series)).toEqual(['{"a":"2"}']);
  expect((await kit.visible()).every((block) => block.meta.appliedDeletions.includes(request.id))).toBe(true);
});

test('of deletions that were worked off the newest thousand are kept', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0));
  const requests = kit.deletions();
  const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: 0, maxt: 1 };
  for (let i = 0; i < 1002; i++) {
    kit.clock.time += 1;
    const { id } = await requests.add(CTX, TENANT, wish);
    await requests.finish(CTX, TENANT, id);
  }
  const before = requests.of(TENANT);
  kit.clock.time += 50 * HOUR;
  await kit.compactor().runRound(CTX);
  expect(await kit.deletions().refresh(CTX, TENANT)).toEqual(before.slice(2));
});

test('a block of a replica that comes after a late one of its time was joined loses nothing to penalty dedup', async () => {
  const kit = new CompactorKit();
  const [first, second, third] = [0, 2, 4].map((hour) => twoHours(hour, 1));
  const later = second.series['{"a":"1"}'].map(({ t, value }) => ({ t: t + 7000, value }));
  const late = { ...second, ulid: ulidAt(second.maxTime, 7), isLate: true, series: { '{"a":"1"}': later } };
  const labels = { replica: 'a' };
  await kit.put(first, labels);
  await kit.put(late, labels);
  const rules = { ...RULES, rangesMs: [2, 4, 12].map((hours) => hours * HOUR) };
  await kit.compactor({ rules }).runRound(CTX);
  const [joined] = await kit.visible();
  expect(joined.meta).toMatchObject({ level: 2, replica: '["a"]', labels: { __org_id__: TENANT } });
  await kit.put(second, labels);
  await kit.put(third, labels);
  const before = await kit.samples();
  await kit.compactor({ rules }).runRound(CTX);
  expect(await kit.visible()).toHaveLength(1);
  expect(await kit.samples()).toEqual(before);
});

test('old blocks that are compacted get a block of five minutes, and later one of an hour, each once', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  const downsampling = { fiveMinutesAfterMs: 40 * HOUR, oneHourAfterMs: 240 * HOUR };
  const resolutions = async () =>
    (await kit.visible()).map(({ meta }) => meta.resolutionMs).sort((a, b) => a - b);
  await kit.compactor({ downsampling }).runRound(CTX);
  expect(await resolutions()).toEqual([0, 300_000]);
  expect(await kit.compactor({ downsampling }).runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
  kit.clock.time += 240 * HOUR;
  await kit.compactor({ downsampling }).runRound(CTX);
  expect(await resolutions()).toEqual([0, 300_000, 3_600_000]);
  const [raw, five, hour] = (await kit.visible()).sort((a, b) => a.meta.resolutionMs - b.meta.resolutionMs);
  // Each of two hours, by which queries tell the sources of a stretch of time.
  expect(raw.meta.sourceTimes).toEqual(
    Array.from({ length: 12 }, (_, i) => [T + 2 * i * HOUR, T + 2 * (i + 1) * HOUR]).flat(),
  );
  for (const { meta } of [five, hour]) expect(meta.sourceTimes).toEqual(raw.meta.sourceTimes);
  for (const { meta } of [five, hour])
    expect(meta).toMatchObject({ mint: raw.meta.mint, maxt: raw.meta.maxt, sources: raw.meta.sources });
  expect([five.meta.seriesCount, hour.meta.seriesCount]).toEqual([2, 2]);
});

test('a deletion request reaches downsampled blocks, whole windows at a time', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  const downsampling = { fiveMinutesAfterMs: 40 * HOUR, oneHourAfterMs: 240 * HOUR };
  await kit.compactor({ downsampling }).runRound(CTX);
  const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: T, maxt: T + 12 * HOUR + 60_000 };
  const { id } = await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  await kit.compactor({ downsampling }).runRound(CTX);
  const visible = await kit.visible();
  expect(visible.map(({ meta }) => [meta.resolutionMs, meta.appliedDeletions])).toEqual(
    expect.arrayContaining([
      [0, [id]],
      [300_000, [id]],
    ]),
  );
  expect(visible).toHaveLength(2);
});

test('blocks go when their resolution is not kept any longer, but not before the coarser one is there', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  const downsampling = { fiveMinutesAfterMs: 40 * HOUR, oneHourAfterMs: 240 * HOUR };
  const retentionOf = () => ({ rawMs: 48 * HOUR, fiveMinutesMs: 480 * HOUR, oneHourMs: 0 });
  const resolutions = async () =>
    (await kit.visible(0)).map(({ meta }) => meta.resolutionMs).sort((a, b) => a - b);
  // Only raw ones outlive their time here, and the coarser block cannot be made.
  await kit.compactor().runRound(CTX);
  const failing = { ...downsampling, fiveMinutesAfterMs: 24_000 * HOUR };
  await kit.compactor({ downsampling: failing, retentionOf }).runRound(CTX);
  expect(await resolutions()).toEqual([0]);
  await kit.compactor({ downsampling, retentionOf }).runRound(CTX);
  expect(await resolutions()).toEqual([300_000]);
  kit.clock.time += 500 * HOUR;
  await kit.compactor({ downsampling, retentionOf }).runRound(CTX);
  expect(await resolutions()).toEqual([3_600_000]);
});

test('series with a retention of their own leave blocks that are older as a whole', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  await kit.put(twoHours(72));
  const matchers = [{ name: 'a', type: '=', value: '1' }] as const;
  const age = kit.clock.time - (T + 50 * HOUR);
  const selectorRetention = [{ tenant: TENANT, matchers, keptMs: age }];
  await kit.compactor({ selectorRetention }).runRound(CTX);
  const { series } = await kit.samples();
  expect(series['{"a":"1"}'][0][0]).toBe(T + 72 * HOUR);
  expect(series['{"a":"2"}']).toHaveLength(13 * 120);
  expect(await kit.compactor({ selectorRetention }).runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
  expect(
    await kit.compactor({ selectorRetention: [{ ...selectorRetention[0], tenant: 'other' }] }).runRound(CTX),
  ).toEqual({ jobs: 0, failures: 0 });
});

test('of a deleted tenant nothing is left but the mark, and later not even that: it may begin anew', async () => {
  const kit = new CompactorKit();
  await dayOfBlocks(kit);
  await kit.bucket.upload(CTX, 'other/deletions/x', Buffer.from('x'));
  await writeTenantDeletion(CTX, kit.bucket, TENANT, { requestedMs: kit.clock.time, finishedMs: undefined });
  await kit.compactor().runRound(CTX);
  await kit.bucket.upload(
    CTX,
    `${TENANT}/bucket-index.json.gz`,
    Buffer.from('written by a reader meanwhile'),
  );
  const requestedMs = kit.clock.time;
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toEqual([`__markers__/${TENANT}/tenant-deletion-mark.json`, 'other/deletions/x']);
  expect(await readTenantDeletion(CTX, kit.bucket, TENANT)).toEqual({ requestedMs, finishedMs: requestedMs });
  // An upload that was under way: the delay begins anew.
  await kit.put(twoHours(2));
  await kit.compactor().runRound(CTX);
  expect((await readTenantDeletion(CTX, kit.bucket, TENANT))?.finishedMs).toBe(requestedMs + HOUR);
  kit.clock.time += 6 * HOUR - 1000;
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toHaveLength(2);
  kit.clock.time += 1000;
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toEqual(['other/deletions/x']);
  await dayOfBlocks(kit);
  await kit.compactor().runRound(CTX);
  expect(await kit.visible()).toHaveLength(1);
});

test('a tenant whose mark lies where Mimir writes it is deleted too, and the mark stays to the end', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0));
  const local = `${TENANT}/markers/tenant-deletion-mark.json`;
  await kit.bucket.upload(CTX, local, Buffer.from(`{"deletion_time":${kit.clock.time / 1000}}`));
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toEqual([`__markers__/${TENANT}/tenant-deletion-mark.json`, local]);
  kit.clock.time += 6 * HOUR;
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toEqual([]);
});

test('whenever the deletion of a tenant is interrupted, no block comes back and the next rounds end it', async () => {
  let deaths = 0;
  for (let dieAt = 1; ; dieAt++) {
    const kit = new CompactorKit();
    await kit.put(twoHours(0));
    await kit.put(twoHours(2));
    await writeTenantDeletion(CTX, kit.bucket, TENANT, {
      requestedMs: kit.clock.time,
      finishedMs: undefined,
    });
    const { bucket, changes } = dyingAt(kit.bucket, dieAt);
    for (let round = 0; round < 3; round++) {
      await kit.compactor({ bucket }).runRound(CTX);
      kit.clock.time += 6 * HOUR;
    }
    // What is without a mark is gone: readers that see no mark see no block either.
    if ((await readTenantDeletion(CTX, kit.bucket, TENANT)) === undefined)
      expect(await kit.keys()).toEqual([]);
    for (let round = 0; round < 3; round++) {
      await kit.compactor().runRound(CTX);
      kit.clock.time += 6 * HOUR;
    }
    expect(await kit.keys()).toEqual([]);
    if (changes() < dieAt) break;
    deaths++;
  }
  expect(deaths).toBeGreaterThan(10);
});

/** A bucket whose process dies at its `n`-th change: that one and all later ones do not happen. */
function dyingAt(bucket: Bucket, n: number): { bucket: Bucket; changes: () => number } {
  let changes = 0;
  const dying = new Proxy(bucket, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'upload' && name !== 'create' && name !== 'delete') return value.bind(target);
      return (...args: unknown[]) =>
        ++changes >= n ? Promise.reject(new Error('killed')) : value.apply(target, args);
    },
  });
  return { bucket: dying, changes: () => changes };
}

test('killed at any change of the bucket, nothing is lost, doubled or left for ever', async () => {
  const whole = new CompactorKit();
  const setUp = async (kit: CompactorKit) => {
    for (let hour = 0; hour < 6; hour += 2) await kit.put(twoHours(hour));
    await kit.put(twoHours(4, 9));
  };
  await setUp(whole);
  const expected = await whole.samples();
  const { bucket, changes } = dyingAt(whole.bucket, Number.POSITIVE_INFINITY);
  await whole.compactor({ bucket }).runRound(CTX);
  whole.clock.time += 13 * HOUR;
  await whole.compactor({ bucket }).runRound(CTX);
  expect(changes()).toBeGreaterThan(20);
  for (let n = 1; n <= changes(); n++) {
    const kit = new CompactorKit();
    await setUp(kit);
    const dying = dyingAt(kit.bucket, n);
    await kit.compactor({ bucket: dying.bucket }).runRound(CTX);
    const crashed = await kit.samples();
    expect(crashed.series, `killed at ${n}`).toEqual(expected.series);
    // Two blocks of the same hours are there from the start; after the compaction is visible none is.
    expect([0, expected.doubled], `killed at ${n}`).toContain(crashed.doubled);
    kit.clock.time += 13 * HOUR;
    await kit.compactor({ bucket: dying.bucket }).runRound(CTX);
    for (const hours of [0, 13, 49]) {
      kit.clock.time += hours * HOUR;
      await kit.compactor().runRound(CTX);
      expect(await kit.samples(), `killed at ${n}, ${hours} h later`).toEqual({
        series: expected.series,
        doubled: 0,
      });
    }
    const blocks = new Set((await kit.keys()).map((key) => key.split('/')[1]));
    expect(blocks.size, `killed at ${n}: ${[...blocks]}`).toBe(1);
  }
});

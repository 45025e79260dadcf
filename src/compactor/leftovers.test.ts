import { expect, test } from 'vitest';
import { deletionKey } from '../blocks/deletion-request.ts';
import { Matcher } from '../model/matcher.ts';
import type { Bucket, ListEntry, UploadBody } from '../objstore/bucket.ts';
import { SeededRandom } from '../platform/random.ts';
import { newUlid } from '../tsdb/block/ulid.ts';
import { CompactorKit, CTX, HOUR, RULES, TENANT } from './testdata/kit.ts';

const T = 1_700_006_400_000;

function twoHours(hour: number, i: number, names = ['1']) {
  const minTime = T + hour * HOUR;
  const samples = Array.from({ length: 120 }, (_, k) => ({ t: minTime + k * 60_000, value: k }));
  const series = Object.fromEntries(names.map((name) => [`{"a":"${name}"}`, samples]));
  return { ulid: `01HF8B9V80${String(i).padStart(16, '0')}`, minTime, maxTime: minTime + 2 * HOUR, series };
}

/** Its listings leave out the keys that `hides` names, as those of a store that lags behind. */
function lagging(bucket: Bucket, hides: (key: string) => boolean): Bucket {
  return new Proxy(bucket, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      if (name !== 'list') return value.bind(target);
      return async function* (...args: Parameters<Bucket['list']>): AsyncGenerator<ListEntry> {
        for await (const entry of target.list(...args)) if (!hides(entry.key)) yield entry;
      };
    },
  });
}

test('a listing that lags behind costs no block and no mark', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0, 1));
  const { ulid } = twoHours(0, 1);
  await kit.bucket.upload(CTX, `${TENANT}/markers/${ulid}-no-compact-mark.json`, Buffer.from('{}'));
  kit.clock.time += 100 * HOUR;
  const before = await kit.keys();
  for (const hides of [
    (key: string) => key.endsWith('/meta.json'),
    (key: string) => key.startsWith(`${TENANT}/${ulid}/`),
  ]) {
    const compactor = kit.compactor({ bucket: lagging(kit.bucket, hides) });
    await compactor.runRound(CTX);
  }
  expect(await kit.keys()).toEqual(before);
});

test.each([/index$/, /chunks\/000001$/])(
  'a listing that lags behind, without %s, makes no block a damaged one',
  async (hidden) => {
    const kit = new CompactorKit();
    await kit.put(twoHours(0, 1));
    await kit.put(twoHours(2, 2));
    const before = await kit.samples();
    const compactor = kit.compactor({ bucket: lagging(kit.bucket, (key) => hidden.test(key)) });
    expect(await compactor.runRound(CTX)).toEqual({ jobs: 1, failures: 0 });
    expect((await kit.keys()).filter((key) => key.endsWith('quarantine-mark.json'))).toEqual([]);
    expect(await kit.samples()).toEqual(before);
  },
);

test('a block whose meta.json is broken is set aside with the reason once nobody will finish it', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0, 1));
  const folder = `${TENANT}/${twoHours(0, 1).ulid}`;
  const meta = await kit.bucket.get(CTX, `${folder}/meta.json`);
  await kit.bucket.upload(CTX, `${folder}/meta.json`, meta.subarray(0, 50));
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).not.toContain(`${folder}/quarantine-mark.json`);
  kit.clock.time += 49 * HOUR;
  await kit.compactor().runRound(CTX);
  const mark = JSON.parse(
    Buffer.from(await kit.bucket.get(CTX, `${folder}/quarantine-mark.json`)).toString(),
  );
  expect(mark).toMatchObject({ reason: 'damaged', hidden: true });
  expect(mark.details).toMatch(/meta\.json: not JSON/);
});

test('a meta.json of a version to come is left alone', async () => {
  const kit = new CompactorKit();
  const folder = `${TENANT}/${twoHours(0, 1).ulid}`;
  await kit.bucket.upload(CTX, `${folder}/meta.json`, Buffer.from('{"version":2}'));
  kit.clock.time += 100 * HOUR;
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toEqual([`${folder}/meta.json`]);
});

test('what the upload of a deletion request left that broke off goes when it is old', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0, 1));
  const wish = { matcherSets: [[new Matcher('=', 'a', '9')]], mint: T, maxt: T + HOUR };
  const { id } = await kit.deletions().add(CTX, TENANT, wish);
  const key = deletionKey(TENANT, id);
  const data = await kit.bucket.get(CTX, key);
  await kit.bucket.upload(CTX, key, data.subarray(0, data.length - 5));
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toContain(key);
  kit.clock.time += 49 * HOUR;
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).not.toContain(key);
});

test('a result does not claim a deletion that this compactor takes for too young and a source did not have', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0, 1, ['1', '2']));
  const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: T, maxt: T + 6 * HOUR };
  await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  // As if it had come late: cut before the request, in the bucket after the other block was rewritten.
  await kit.put(twoHours(2, 2, ['1', '2']));
  await kit.put(twoHours(0, 3, ['2']));
  // Another compactor, whose clock is behind.
  kit.clock.time -= HOUR - 60_000;
  await kit.compactor().runRound(CTX);
  kit.clock.time += 2 * HOUR;
  await kit.compactor().runRound(CTX);
  expect(Object.keys((await kit.samples()).series)).toEqual(['{"a":"2"}']);
});

test('a block that is deleted while its meta.json is replaced does not come back without its files', async () => {
  const kit = new CompactorKit();
  const block = twoHours(0, 1);
  await kit.put(block);
  const folder = `${TENANT}/${block.ulid}/`;
  const wish = { matcherSets: [[new Matcher('=', 'a', 'none')]], mint: 0, maxt: 2 * T };
  await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  const removeAll = async () => {
    for (const key of await kit.keys()) if (key.startsWith(folder)) await kit.bucket.delete(CTX, key);
  };
  const bucket: Bucket = new Proxy(kit.bucket, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (name !== 'upload') return typeof value === 'function' ? value.bind(target) : value;
      return async (ctx: typeof CTX, key: string, body: UploadBody) => {
        if (key === `${folder}meta.json`) await removeAll();
        await target.upload(ctx, key, body);
      };
    },
  });
  expect(await kit.compactor({ bucket }).runRound(CTX)).toEqual({ jobs: 0, failures: 1 });
  expect((await kit.keys()).filter((key) => key.startsWith(folder))).toEqual([]);
});

test('what another compactor noted in a meta.json while this one looked at the index is not undone', async () => {
  const kit = new CompactorKit();
  const block = twoHours(0, 1);
  await kit.put(block);
  const key = `${TENANT}/${block.ulid}/meta.json`;
  const before = await kit.bucket.get(CTX, key);
  const wish = { matcherSets: [[new Matcher('=', 'a', 'none')]], mint: 0, maxt: 2 * T };
  const first = await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  const noted = await kit.bucket.get(CTX, key);
  await kit.bucket.upload(CTX, key, before);
  const second = await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  // The other one knew of the first request only, and was quicker.
  const bucket: Bucket = new Proxy(kit.bucket, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (name !== 'exists') return typeof value === 'function' ? value.bind(target) : value;
      return async (ctx: typeof CTX, asked: string) => {
        if (asked.endsWith('/index') && (await target.get(ctx, key)).length === before.length)
          await target.upload(ctx, key, noted);
        return target.exists(ctx, asked);
      };
    },
  });
  expect(await kit.compactor({ bucket }).runRound(CTX)).toEqual({ jobs: 1, failures: 0 });
  const [{ meta }] = await kit.visible();
  expect([...meta.appliedDeletions].sort()).toEqual([first.id, second.id].sort());
  const entries = JSON.parse(new TextDecoder().decode(await kit.bucket.get(CTX, key))).thanos.rewrites;
  expect(entries).toHaveLength(2);
});

test('a shard without series is a block all the same, and stands in with the others', async () => {
  const kit = new CompactorKit();
  const names = ['1', '2'];
  await kit.put(twoHours(0, 1, names));
  await kit.put(twoHours(2, 2, names));
  const before = await kit.samples();
  const downsampling = { fiveMinutesAfterMs: HOUR, oneHourAfterMs: 0 };
  await kit.compactor({ rules: { ...RULES, seriesMax: 0.4 }, downsampling }).runRound(CTX);
  const visible = await kit.visible();
  expect(visible.map(({ meta }) => meta.resolutionMs).sort((a, b) => a - b)).toEqual(
    [0, 300_000].flatMap((resolution) => Array.from({ length: 8 }, () => resolution)),
  );
  expect(visible.some(({ meta }) => meta.seriesCount === 0)).toBe(true);
  const raw = (await kit.samples(0)).series;
  expect(raw).toEqual(before.series);
});

test('a block that claims to be of the future does not keep its time from being compacted', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0, 1));
  await kit.put({ ...twoHours(2, 2), ulid: `7ZZZZZZZZZ${'0'.repeat(16)}` });
  kit.clock.time += 2 * HOUR;
  expect(await kit.compactor().runRound(CTX)).toMatchObject({ jobs: 1, failures: 0 });
});

test('a block set aside that another one holds as well goes like every other', async () => {
  const kit = new CompactorKit();
  for (let i = 0; i < 4; i++) await kit.put(twoHours(2 * i, i + 1));
  await kit.compactor().runRound(CTX);
  const ref = {
    tenant: TENANT,
    ulid: twoHours(0, 1).ulid,
    layout: 'tenant' as const,
    folder: `${TENANT}/${twoHours(0, 1).ulid}`,
  };
  // As if it came back, as a copy that is damaged.
  for (const mark of [`${ref.folder}/deletion-mark.json`, `${TENANT}/markers/${ref.ulid}-deletion-mark.json`])
    await kit.bucket.delete(CTX, mark);
  await kit.bucket.upload(
    CTX,
    `${ref.folder}/quarantine-mark.json`,
    Buffer.from(
      JSON.stringify({ id: ref.ulid, version: 1, quarantine_time: 1, reason: 'damaged', hidden: true }),
    ),
  );
  await kit.compactor().runRound(CTX);
  expect(await kit.keys()).toContain(`${ref.folder}/deletion-mark.json`);
});

test('samples that came after a deletion stay when they are joined with older ones that it does not concern', async () => {
  const kit = new CompactorKit();
  await kit.put(twoHours(0, 1));
  const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: T + 2 * HOUR, maxt: T + 4 * HOUR };
  const request = await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  // Sent again, and cut after the request.
  await kit.put({ ...twoHours(2, 2), ulid: newUlid(kit.clock, new SeededRandom(1)) });
  kit.clock.time += 2 * HOUR;
  await kit.compactor().runRound(CTX);
  expect((await kit.visible()).map(({ meta }) => meta.appliedDeletions)).toEqual([[request.id]]);
  await kit.compactor().runRound(CTX);
  expect((await kit.samples()).series['{"a":"1"}']).toHaveLength(240);
});

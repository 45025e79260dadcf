import { expect, test } from 'vitest';
import { changeName } from '../blocks/changes.ts';
import { needsDeletion } from '../blocks/deletion-request.ts';
import { blockRef } from '../blocks/layout.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import { writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import type { AnySample } from '../tsdb/head/clip-chunk.ts';
import { makeJob } from './make-job.ts';
import { type JobOptions, runJob } from './run-job.ts';
import { CompactorKit, CTX, HOUR, RULES, TENANT } from './testdata/kit.ts';
import { uploadBlock } from './upload.ts';

/** What Thanos' and Cortex' compactors and store gateways take the blocks for that are written anew here, and what of theirs is read. */
const T = 1_700_006_400_000;
const NAMES = Array.from({ length: 12 }, (_, i) => `01HF4D3T00${String(i + 10).padStart(16, '7')}`);

function samples(from: number, to: number): AnySample[] {
  const all: AnySample[] = [];
  for (let t = from; t < to; t += 60_000) all.push({ t, value: t - T });
  return all;
}

function twoHours(i: number) {
  const minTime = T + 2 * i * HOUR;
  const maxTime = minTime + 2 * HOUR;
  const own = samples(minTime, maxTime);
  return { ulid: NAMES[i], minTime, maxTime, series: { '{"a":"1"}': own, '{"a":"2"}': own } };
}

interface Meta {
  readonly ulid: string;
  readonly compaction: { readonly sources: readonly string[] };
  readonly thanos: {
    readonly labels: object;
    readonly downsample: { readonly resolution: number };
    readonly rewrites?: readonly object[];
  };
}

async function json(kit: CompactorKit, key: string): Promise<Meta> {
  return JSON.parse(new TextDecoder().decode(await kit.bucket.get(CTX, key)));
}

/** Thanos' `DefaultDeduplicateFilter`: of blocks with the same labels and resolution those whose sources another has, too. */
async function outdated(kit: CompactorKit): Promise<{ outdated: string[]; unmarked: string[] }> {
  const keys = await kit.keys();
  const metas = await Promise.all(
    keys.filter((key) => key.endsWith('/meta.json')).map((key) => json(kit, key)),
  );
  const sourcesOf = ({ compaction }: Meta) => compaction.sources;
  metas.sort((a, b) => sourcesOf(b).length - sourcesOf(a).length || (a.ulid < b.ulid ? -1 : 1));
  const kept: Meta[] = [];
  const found: string[] = [];
  for (const meta of metas) {
    const isSame = ({ thanos }: Meta) =>
      JSON.stringify([thanos.labels, thanos.downsample]) ===
      JSON.stringify([meta.thanos.labels, meta.thanos.downsample]);
    const isIn = (other: Meta) => sourcesOf(meta).every((source) => sourcesOf(other).includes(source));
    if (kept.some((other) => isSame(other) && isIn(other))) found.push(meta.ulid);
    else kept.push(meta);
  }
  const unmarked = metas.filter(({ ulid }) => !keys.includes(`${TENANT}/${ulid}/deletion-mark.json`));
  return { outdated: found.sort(), unmarked: unmarked.map(({ ulid }) => ulid).sort() };
}

/** Nothing that counts is outdated to Thanos, and everything that does not count is, but for what Thanos itself overlooks. */
async function expectSameView(kit: CompactorKit, overlooked: readonly string[] = []): Promise<void> {
  const view = await outdated(kit);
  const visible = (await kit.visible()).map(({ meta }) => meta.ulid).sort();
  expect(view.unmarked).toEqual(visible);
  expect(view.outdated.filter((ulid) => visible.includes(ulid))).toEqual([]);
  const all = (await kit.keys()).filter((key) => key.endsWith('/meta.json')).length;
  expect(view.outdated).toHaveLength(all - visible.length - overlooked.length);
}

async function rewrite(kit: CompactorKit, options: Partial<JobOptions>, kind: 'rewrite' | 'repair') {
  const [block] = await kit.visible();
  const job = makeJob(TENANT, [block], [], { kind, resolutionMs: 0, shards: 1, replicaLabels: [] });
  const { bucket, clock } = kit;
  const deps = { bucket, disk: new MemoryDisk(), clock, random: new SeededRandom(3) };
  const { outputs } = await runJob(CTX, job, { workDir: 'w', dedup: 'penalty', ...options }, deps);
  await kit.compactor().runRound(CTX);
  return outputs[0];
}

const downsampling = { fiveMinutesAfterMs: 40 * HOUR, oneHourAfterMs: 0 };
const wish = { matcherSets: [[new Matcher('=', 'a', '1')]], mint: T, maxt: T + 60 * HOUR };

test('what was written anew without deleted series is not outdated for Thanos, the old block is, and nothing lacks a coarser block', async () => {
  const kit = new CompactorKit();
  for (let i = 0; i < 12; i++) await kit.put(twoHours(i));
  await kit.compactor({ downsampling }).runRound(CTX);
  const { id } = await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  await kit.compactor({ downsampling }).runRound(CTX);
  await expectSameView(kit);
  const visible = await kit.visible();
  expect(visible.map(({ meta }) => [meta.resolutionMs, meta.sources, meta.changes])).toEqual(
    expect.arrayContaining([0, 300_000].map((resolution) => [resolution, NAMES, [changeName(id)]])),
  );
  const listed = await Promise.all(visible.map(({ ref }) => json(kit, `${ref.folder}/meta.json`)));
  // Thanos makes a raw block coarser that has a source no coarser block has.
  expect(listed[0].compaction.sources).toEqual(listed[1].compaction.sources);
  expect(Object.keys((await kit.samples(0)).series)).toEqual(['{"a":"2"}']);
});

test('a block of first hand that is rewritten, then joined, stays ahead of what it was made of', async () => {
  const kit = new CompactorKit();
  for (let i = 0; i < 3; i++) await kit.put(twoHours(i));
  await kit.deletions().add(CTX, TENANT, wish);
  kit.clock.time += HOUR;
  await kit.compactor({ rules: { ...RULES, rangesMs: [2 * HOUR] } }).runRound(CTX);
  expect(await kit.visible()).toHaveLength(3);
  await expectSameView(kit);
  await kit.compactor().runRound(CTX);
  expect(await kit.visible()).toHaveLength(1);
  await expectSameView(kit);
});

test.each(['rewrite', 'repair'] as const)(
  'a block that is the object of a %s by hand is outdated for Thanos, and the new one is not',
  async (kind) => {
    const kit = new CompactorKit();
    await kit.put(twoHours(0));
    if (kind === 'repair') await spoilCounts(kit);
    const change = (labels: readonly string[]) => [...labels, 'b', 'x'];
    const made = await rewrite(kit, kind === 'rewrite' ? { change, changeId: 'by hand' } : {}, kind);
    expect((await kit.visible()).map(({ meta }) => meta.ulid)).toEqual([made]);
    await expectSameView(kit);
  },
);

/** Chunks outside of the block's time: a repair writes the block anew. */
async function spoilCounts(kit: CompactorKit): Promise<void> {
  const disk = new MemoryDisk();
  const block = twoHours(0);
  const series = { '{"a":"1"}': samples(T - 9 * HOUR, T), '{"a":"2"}': samples(T, T + 2 * HOUR) };
  await writeTestBlock(disk, 'b', { ...block, series });
  await uploadBlock(CTX, kit.bucket, disk, `b/${block.ulid}`, blockRef(TENANT, block.ulid), {
    labels: { __org_id__: TENANT },
  });
}

/** As `thanos tools bucket rewrite` does it: a name of its own as the only source, what it was made of in `thanos.rewrites`. */
async function thanosRewrite(kit: CompactorKit, old: string, ulid: string): Promise<void> {
  const before = await json(kit, `${TENANT}/${old}/meta.json`);
  const block = (await kit.visible()).find(({ meta }) => meta.ulid === old);
  if (!block) throw new Error('the block is not visible');
  const { mint, maxt, resolutionMs } = block.meta;
  const disk = new MemoryDisk();
  const series = { '{"a":"2"}': samples(mint, maxt) };
  await writeTestBlock(disk, 'b', { ulid, minTime: mint, maxTime: maxt, series });
  await uploadBlock(CTX, kit.bucket, disk, `b/${ulid}`, blockRef(TENANT, ulid), {
    labels: block.meta.labels,
    source: 'bucket.rewrite',
    resolutionMs,
    rewrites: [
      ...(before.thanos.rewrites ?? []),
      { sources: before.compaction.sources, deletions_applied: [{ matchers: [], intervals: null }] },
    ],
  });
}

/** Later than all blocks, and than the requests of the tests. */
const REWRITTEN = '7ZZZZZZZZZ0000000000000001';
const AGAIN = '7ZZZZZZZZZ0000000000000002';

test('what Thanos rewrote stands in for what it was made of, and so does the coarser block made of it', async () => {
  const kit = new CompactorKit();
  for (let i = 0; i < 12; i++) await kit.put(twoHours(i));
  await kit.compactor({ downsampling }).runRound(CTX);
  const at = async (resolutionMs: number) =>
    (await kit.visible()).filter(({ meta }) => meta.resolutionMs === resolutionMs);
  const [[raw], [coarse]] = [await at(0), await at(300_000)];
  await thanosRewrite(kit, raw.ref.ulid, REWRITTEN);
  expect((await at(0)).map(({ meta }) => [meta.ulid, meta.sources])).toEqual([[REWRITTEN, NAMES]]);
  expect((await at(300_000)).map(({ meta }) => meta.ulid)).toEqual([coarse.ref.ulid]);
  kit.clock.time += 2 * HOUR;
  await kit.compactor({ downsampling }).runRound(CTX);
  expect(await kit.keys()).toContain(`${TENANT}/${raw.ref.ulid}/deletion-mark.json`);
  const [made, ...others] = await at(300_000);
  expect(others).toEqual([]);
  expect(made.meta).toMatchObject({ sources: NAMES, seriesCount: 1 });
  // Thanos finds what it rewrote, and what that was made of.
  await expectSameView(kit, [raw.ref.ulid]);
  const listed = (await json(kit, `${made.ref.folder}/meta.json`)).compaction.sources;
  expect(listed).toEqual(expect.arrayContaining([REWRITTEN, ...NAMES]));
  expect(await kit.compactor({ downsampling }).runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
  await thanosRewrite(kit, REWRITTEN, AGAIN);
  expect((await at(0)).map(({ meta }) => [meta.ulid, meta.sources])).toEqual([[AGAIN, NAMES]]);
  expect(await kit.samples(0)).toMatchObject({ doubled: 0 });
});

test('a deletion request from before Thanos rewrote a block holds for it, and what it is joined into has its sources', async () => {
  const kit = new CompactorKit();
  for (let i = 0; i < 2; i++) await kit.put(twoHours(i));
  const two = { ...wish, matcherSets: [[new Matcher('=', 'a', '2')]], maxt: T + HOUR };
  const request = await kit.deletions().add(CTX, TENANT, two);
  await thanosRewrite(kit, NAMES[0], REWRITTEN);
  const [rewritten] = (await kit.visible()).filter(({ meta }) => meta.ulid === REWRITTEN);
  expect(needsDeletion(rewritten.meta, request)).toBe(true);
  kit.clock.time += HOUR;
  await kit.compactor().runRound(CTX);
  const [joined] = await kit.visible();
  expect(joined.meta).toMatchObject({ mint: T, maxt: T + 4 * HOUR, sources: NAMES.slice(0, 2) });
  const { series, doubled } = await kit.samples();
  expect(doubled).toBe(0);
  expect(series['{"a":"2"}'][0][0]).toBeGreaterThan(T + HOUR);
  expect(Object.keys(series)).toEqual(['{"a":"1"}', '{"a":"2"}']);
  expect(series['{"a":"1"}'][0][0]).toBe(T + 2 * HOUR);
  const keys = await kit.keys();
  for (const ulid of [...NAMES.slice(0, 2), REWRITTEN])
    expect(keys).toContain(`${TENANT}/${ulid}/deletion-mark.json`);
  const { unmarked, outdated: old } = await outdated(kit);
  expect(unmarked).toEqual([joined.ref.ulid]);
  expect(old).toEqual([...NAMES.slice(0, 2), REWRITTEN].sort());
});

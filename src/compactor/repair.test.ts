import { expect, test } from 'vitest';
import { changeName } from '../blocks/changes.ts';
import { blockRef } from '../blocks/layout.ts';
import { SystemClock } from '../platform/clock.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { writeTestBlock } from '../tsdb/compact/testdata/blocks.ts';
import { encodeLooseIndex, type LooseSeries, readLooseSeries } from '../tsdb/compact/testdata/loose-index.ts';
import type { AnySample } from '../tsdb/head/clip-chunk.ts';
import { makeJob } from './make-job.ts';
import { REPAIR } from './repair-block.ts';
import { type JobOptions, runJob } from './run-job.ts';
import { CompactorKit, CTX, HOUR, TENANT } from './testdata/kit.ts';
import { uploadBlock } from './upload.ts';

const T = 1_700_006_400_000;
const ULIDS = ['01HF4D3T000000000000000001', '01HF4D3T000000000000000002', '01HF4D3T000000000000000003'];

function samples(from: number): AnySample[] {
  return Array.from({ length: 120 }, (_, i) => ({ t: from + i * 60_000, value: i }));
}

function series(hour: number) {
  return { '{"a":"1","b":"x"}': samples(T + hour * HOUR), '{"a":"2","b":"x"}': samples(T + hour * HOUR) };
}

/** Puts a block of two hours whose index is as `loosen` gives its series, or whose files are as `spoil` leaves them. */
async function put(
  kit: CompactorKit,
  i: number,
  loosen: ((series: LooseSeries[]) => LooseSeries[]) | undefined,
  spoil: (disk: MemoryDisk, dir: string) => Promise<void> = async () => {},
): Promise<void> {
  const disk = new MemoryDisk();
  const ulid = ULIDS[i];
  const minTime = T + 2 * i * HOUR;
  await writeTestBlock(disk, 'b', { ulid, minTime, maxTime: minTime + 2 * HOUR, series: series(2 * i) });
  if (loosen) {
    const loose = loosen(await readLooseSeries(disk, `b/${ulid}/index`));
    const symbols = [...new Set(loose.flatMap(({ labels }) => labels))].sort();
    await disk.writeFileAtomic(`b/${ulid}/index`, encodeLooseIndex(symbols, loose));
  }
  await uploadBlock(CTX, kit.bucket, disk, `b/${ulid}`, blockRef(TENANT, ulid), {
    labels: { __org_id__: TENANT },
  });
  await spoil(disk, `b/${ulid}`);
}

const flip = (labels: readonly string[]) => [labels[2], labels[3], labels[0], labels[1]];

async function repair(kit: CompactorKit, i: number, options: Partial<JobOptions> = {}) {
  const block = (await kit.visible()).find(({ meta }) => meta.ulid === ULIDS[i]);
  if (!block) throw new Error('the block is not visible');
  const job = makeJob(TENANT, [block], [], { kind: 'repair', resolutionMs: 0, shards: 1, replicaLabels: [] });
  const deps = {
    bucket: kit.bucket,
    disk: new MemoryDisk(),
    clock: new SystemClock(),
    random: new SeededRandom(3),
  };
  return runJob(CTX, job, { workDir: 'work', dedup: 'penalty', ...options }, deps);
}

test('the compactor writes a block anew that it cannot merge as it is, and goes on with it', async () => {
  const kit = new CompactorKit();
  await put(kit, 0, undefined);
  await put(kit, 1, (all) => all.reverse().map(({ labels, chunks }) => ({ labels: flip(labels), chunks })));
  await put(kit, 2, ([first, second]) => [first, first, second]);
  const metrics = new Metrics();
  await kit.compactor({ metrics }).runRound(CTX);
  const visible = await kit.visible();
  expect(visible.map(({ meta, marks }) => [meta.mint, meta.maxt, marks])).toEqual([[T, T + 6 * HOUR, {}]]);
  const { series: found, doubled } = await kit.samples();
  expect(doubled).toBe(0);
  for (const key of Object.keys(series(0)))
    expect(found[key]).toEqual(
      [0, 2, 4].flatMap((hour) => samples(T + hour * HOUR).map(({ t, value }) => [t, value])),
    );
  const counted = await metrics.registry.metrics();
  expect(counted).toContain('verona_compactor_blocks_repaired_total 2');
  expect(counted).toContain('verona_compactor_blocks_quarantined_total 0');
});

test('a repair keeps what the block was made of and says who made it anew', async () => {
  const kit = new CompactorKit();
  await put(kit, 0, (all) => all.reverse());
  const { outputs, repair: report } = await repair(kit, 0, { source: 'bucket.repair' });
  expect(report?.diagnosis).toMatchObject({
    remedy: 'rewrite',
    findings: [expect.stringMatching(/out of order/)],
  });
  expect(report?.changes).toEqual([
    'symbols, labels or series were put in order',
    'index and counts were made anew',
  ]);
  const key = `${TENANT}/${outputs[0]}/meta.json`;
  expect(JSON.parse(new TextDecoder().decode(await kit.bucket.get(CTX, key)))).toMatchObject({
    minTime: T,
    maxTime: T + 2 * HOUR,
    compaction: {
      level: 2,
      sources: [changeName(REPAIR), ULIDS[0]],
      parents: [{ ulid: ULIDS[0] }],
    },
    thanos: { labels: { __org_id__: TENANT }, source: 'bucket.repair' },
  });
  // Readers see the new one in its place.
  expect((await kit.visible()).map(({ meta }) => meta.ulid)).toEqual(outputs);
});

test('only looking and only trying change nothing in the bucket', async () => {
  const kit = new CompactorKit();
  await put(kit, 0, ([first, second]) => [{ ...first, chunks: [...first.chunks, ...first.chunks] }, second]);
  const keys = await kit.keys();
  const looked = await repair(kit, 0, { repair: 'look' });
  expect(looked.repair).toMatchObject({ changes: [], diagnosis: { remedy: 'rewrite' } });
  const tried = await repair(kit, 0, { repair: 'try' });
  expect(tried.repair?.changes[0]).toMatch(/^2 chunks that overlapped or were there twice were merged/);
  expect(await kit.keys()).toEqual(keys);
});

test('wrong counts and a missing list of files are put right in meta.json alone', async () => {
  const kit = new CompactorKit();
  await put(kit, 0, undefined);
  const key = `${TENANT}/${ULIDS[0]}/meta.json`;
  const meta = JSON.parse(new TextDecoder().decode(await kit.bucket.get(CTX, key)));
  const wrong = {
    ...meta,
    extra: 1,
    stats: { numSamples: 7, numTombstones: 1 },
    thanos: { labels: meta.thanos.labels },
  };
  await kit.bucket.upload(CTX, key, Buffer.from(JSON.stringify(wrong)));
  const { keepsSources, repair: report } = await repair(kit, 0);
  expect(keepsSources).toBe(true);
  expect(report?.diagnosis).toMatchObject({
    remedy: 'meta',
    notes: ['meta.json lists no files'],
    findings: [
      '2 series, meta.json says 0',
      expect.stringMatching(/chunks, meta.json says 0/),
      '240 samples, meta.json says 7',
    ],
  });
  const after = JSON.parse(new TextDecoder().decode(await kit.bucket.get(CTX, key)));
  expect(after).toEqual({
    ...meta,
    extra: 1,
    stats: { ...meta.stats, numTombstones: 1 },
    thanos: { ...meta.thanos, source: '', index_stats: undefined },
  });
  expect((await repair(kit, 0)).repair?.diagnosis.remedy).toBe('none');
});

test('what cannot be read is the fault of the block, whatever is missing', async () => {
  for (const spoil of ['index', 'chunks/000001'] as const) {
    const kit = new CompactorKit();
    await put(kit, 0, undefined);
    const key = `${TENANT}/${ULIDS[0]}/${spoil}`;
    const bytes = await kit.bucket.get(CTX, key);
    await kit.bucket.upload(CTX, key, bytes.subarray(0, bytes.length - 30));
    await expect(repair(kit, 0)).rejects.toMatchObject({ ulid: ULIDS[0] });
    await kit.bucket.delete(CTX, key);
    await expect(repair(kit, 0)).rejects.toMatchObject({ ulid: ULIDS[0] });
    expect((await kit.visible()).map(({ meta }) => meta.ulid)).toEqual([ULIDS[0]]);
  }
});

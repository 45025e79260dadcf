import { expect, test } from 'vitest';
import { FilesystemBucket } from '../objstore/filesystem-bucket.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import type { AnySample } from '../tsdb/head/clip-chunk.ts';
import { compactorPage } from './page.ts';
import { CompactorKit, CTX, HOUR, TENANT, WORK_DIR } from './testdata/kit.ts';

/** Midnight, days before the kit's clock. */
const T = 1_700_006_400_000;

function twoHours(hour: number, seriesCount: number) {
  const minTime = T + hour * HOUR;
  const maxTime = minTime + 2 * HOUR;
  const samples = Array.from(
    { length: 120 },
    (_, i): AnySample => ({ t: minTime + i * 60_000, value: i * i }),
  );
  const series = Object.fromEntries(
    Array.from({ length: seriesCount }, (_, i) => [`{"a":"${i}"}`, samples] as const),
  );
  const ulid = `01HF00000000000000${String(hour).padStart(8, '0')}`;
  return { ulid, minTime, maxTime, series };
}

/** A day of one replica set with few series, and one of another with many: two jobs. */
async function twoDays(kit: CompactorKit): Promise<void> {
  for (let hour = 0; hour < 24; hour += 2) await kit.put(twoHours(hour, 2), { region: 'small' });
  for (let hour = 24; hour < 48; hour += 2) await kit.put(twoHours(hour, 25), { region: 'large' });
}

async function spans(kit: CompactorKit): Promise<Record<string, number>> {
  const count: Record<string, number> = {};
  for (const { meta } of await kit.visible())
    count[meta.labels.region] = (count[meta.labels.region] ?? 0) + 1;
  return count;
}

test('a job that the disk has no room for is left out and says so, others are done, and it is done when there is room', async () => {
  const kit = new CompactorKit();
  await twoDays(kit);
  const before = await kit.samples();
  const disk = new MemoryDisk();
  const metrics = new Metrics();
  const compactor = kit.compactor({ disk, metrics });
  disk.faults.bytesLeft = 1_170_000;
  const report = await compactor.runRound(CTX);
  expect(report).toMatchObject({ jobs: 1 });
  expect(report.failures).toBeGreaterThan(0);
  expect(await spans(kit)).toEqual({ small: 1, large: 12 });
  const page = compactorPage(compactor.progress, 2, kit.clock.time);
  expect(page).toContain('waiting for disk: 1\n');
  expect(page).toMatch(
    /compact .*, 12 blocks, .*, waits for disk: "the job needs \d+ bytes of disk, \d+ are free"/,
  );
  const text = await metrics.registry.metrics();
  expect(text).toContain('verona_compactor_jobs_waiting_for_disk 1');
  expect(text).toMatch(/verona_compactor_jobs_total\{kind="compact",outcome="no_disk"\} [12]/);
  // No wait: a job that was not begun is asked for again in the next round.
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  expect(await compactor.runRound(CTX)).toEqual({ jobs: 1, failures: 0 });
  expect(await spans(kit)).toEqual({ small: 1, large: 1 });
  expect(await kit.samples()).toEqual(before);
  expect(compactorPage(compactor.progress, 2, kit.clock.time)).not.toContain('disk');
  expect(await metrics.registry.metrics()).toContain('verona_compactor_jobs_waiting_for_disk 0');
});

test('a disk that fills up anywhere in a job leaves nothing behind, is no damage of a block, and the job is done later', async () => {
  const kit = new CompactorKit();
  for (let hour = 0; hour < 24; hour += 2) await kit.put(twoHours(hour, 8));
  const before = await kit.samples();
  const keys = await kit.keys();
  const disk = new MemoryDisk();
  disk.faults.hidesLimit = true;
  const steps = new Set<string>();
  let room = 0;
  for (;;) {
    const metrics = new Metrics();
    const compactor = kit.compactor({ disk, metrics });
    disk.faults.bytesLeft = room;
    const report = await compactor.runRound(CTX);
    if (report.failures === 0) break;
    expect(report).toEqual({ jobs: 0, failures: 1 });
    const [shortage] = compactor.progress.shortages.values();
    steps.add(/^disk full in step (\w+): /.exec(shortage)?.[1] ?? shortage);
    expect(await disk.list(WORK_DIR)).toEqual([]);
    expect(await kit.keys()).toEqual(keys);
    // It waits before it is begun again.
    expect(await compactor.runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
    room += 2503;
  }
  expect([...steps]).toEqual(['download', 'merge']);
  expect(await kit.visible()).toHaveLength(1);
  expect(await kit.samples()).toEqual(before);
  expect((await kit.keys()).filter((key) => key.includes('quarantine'))).toEqual([]);
});

test('a bucket on the disk that fills up keeps nothing of the results that did not fit', async () => {
  const kit = new CompactorKit();
  for (let hour = 0; hour < 24; hour += 2) await kit.put(twoHours(hour, 8));
  const disk = new MemoryDisk();
  const bucket = new FilesystemBucket('bucket', { disk, clock: kit.clock, random: new SeededRandom(1) });
  for (const key of await kit.keys()) await bucket.upload(CTX, key, await kit.bucket.get(CTX, key));
  const keysNow = async () => {
    const keys: string[] = [];
    for await (const { key } of bucket.list(CTX, '', { recursive: true })) keys.push(key);
    return keys;
  };
  const before = await keysNow();
  disk.faults.hidesLimit = true;
  const steps = new Set<string>();
  for (let room = 0; ; room += 1999) {
    const compactor = kit.compactor({ disk, bucket });
    disk.faults.bytesLeft = room;
    // The result may be there while a mark beside a source still has no room.
    if ((await compactor.runRound(CTX)).jobs > 0) break;
    const [shortage = ''] = compactor.progress.shortages.values();
    steps.add(/^disk full in step (\w+): /.exec(shortage)?.[1] ?? shortage);
    expect(await keysNow()).toEqual(before);
    expect(await disk.list(WORK_DIR)).toEqual([]);
  }
  // Sources are links, which take no room.
  expect([...steps]).toEqual(['merge', 'upload']);
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  expect(await kit.compactor({ disk, bucket }).runRound(CTX)).toEqual({ jobs: 0, failures: 0 });
  // Its sources are marked, and nothing else is there but the result.
  const added = (await keysNow()).filter((key) => !before.includes(key));
  const marked = new Set(added.map((key) => /(\w{26}).deletion-mark\.json$/.exec(key)?.[1]));
  marked.delete(undefined);
  expect(marked.size).toBe(12);
  const others = added.filter((key) => !key.endsWith('deletion-mark.json'));
  expect(others.map((key) => key.replace(/.*\w{26}./, ''))).toEqual(['chunks/000001', 'index', 'meta.json']);
});

test('the compactor that broke a job off for want of disk does it by itself when there is room', async () => {
  const kit = new CompactorKit();
  for (let hour = 0; hour < 24; hour += 2) await kit.put(twoHours(hour, 3));
  const disk = new MemoryDisk();
  Object.assign(disk.faults, { hidesLimit: true, bytesLeft: 9000 });
  const compactor = kit.compactor({ disk });
  // Twice in a row, which would be enough to take a block for damaged.
  for (let i = 0; i < 2; i++) {
    expect(await compactor.runRound(CTX)).toEqual({ jobs: 0, failures: 1 });
    kit.clock.time += HOUR;
  }
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  expect(await compactor.runRound(CTX)).toEqual({ jobs: 1, failures: 0 });
  const [{ marks, ref }] = await kit.visible();
  expect([marks, ref.tenant]).toEqual([{}, TENANT]);
});

import { expect, test } from 'vitest';
import { VeronaError } from '../model/errors.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';

const OPTIONS = {
  limits: { outOfOrderWindowMs: HOUR },
  wal: { fsync: 'always' as const, segmentBytes: 32 * 1024 },
};
const SERIES = 20;

/** Eight hours of some series, some of it late, in blocks, log and closed chunks; closed without ado. */
async function filledDisk(seriesCount = SERIES): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  const db = await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS);
  for (let t = T0; t < T0 + 8 * HOUR; t += 120_000) {
    await writeAt(db, t, seriesCount);
    if (t % HOUR === 0 && t > T0) await writeAt(db, t - 60_000, seriesCount);
    if (t === T0 + 4 * HOUR) await db.maintain();
  }
  disk.crash(0);
  return disk;
}

async function writeAt(db: Db, t: number, seriesCount = SERIES): Promise<void> {
  const series = Array.from({ length: seriesCount }, (_, i) =>
    floatSeries({ __name__: 'm', i: String(i) }, [[t, valueAt(i, t)]]),
  );
  await db.write(requestBody(series), 1, admitAll);
}

function valueAt(i: number, t: number): number {
  return ((t / 1000) * (i + 1)) % 9973;
}

async function filesIn(disk: MemoryDisk, dir: string): Promise<string[]> {
  const found: string[] = [];
  for (const { name, isDirectory } of await disk.list(dir)) {
    if (isDirectory) found.push(...(await filesIn(disk, `${dir}/${name}`)));
    else found.push(`${dir}/${name}`);
  }
  return found;
}

async function countTrue(db: Db): Promise<number> {
  let count = 0;
  for (const [labels, samples] of Object.entries(await answer(db, 0, T0 * 2))) {
    const i = Number(/i="(\d+)"/.exec(labels)?.[1]);
    for (const [t, v] of samples) {
      expect([i, t, v]).toEqual([i, t, valueAt(i, t)]);
      count++;
    }
  }
  return count;
}

test('without its files of closed chunks a head is read back from the log alone', async () => {
  const disk = await filledDisk();
  const before = await countTrue(await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS));
  disk.crash(1);
  const files = await filesIn(disk, 'data/chunks_head');
  expect(files.length).toBeGreaterThan(0);
  for (const path of files) await disk.remove(path);
  expect(await countTrue(await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS))).toBe(before);
});

test('a segment missing in the middle of the log costs its samples only, and is told', async () => {
  const disk = await filledDisk(150);
  const segments = (await filesIn(disk, 'data/wal')).filter((path) => /wal\/\d+$/.test(path));
  expect(segments.length).toBeGreaterThan(4);
  await disk.remove(segments[2]);
  const db = await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS);
  expect(db.head.replayed.damages).toBe(1);
  expect(await countTrue(db)).toBeGreaterThan(1000);
  await writeAt(db, T0 + 8 * HOUR);
  const after = await countTrue(db);
  disk.crash(2);
  const again = await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS);
  expect(again.head.replayed.damages).toBe(0);
  expect(await countTrue(again)).toBe(after);
});

test('whatever bytes of log and closed chunks are changed, it opens and never answers a wrong sample', async () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 12; round++) {
    const disk = await filledDisk();
    const files = (await filesIn(disk, 'data')).filter((path) => /\/(wal|wbl|chunks_head)\//.test(path));
    for (let i = 0; i < 1 + random.next() * 3; i++) await damage(disk, files, random);
    const db = await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS);
    expect(await countTrue(db)).toBeGreaterThan(0);
    await db.maintain();
    expect(await countTrue(db)).toBeGreaterThan(0);
    await db.close();
    expect(await countTrue(await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS))).toBeGreaterThan(0);
  }
});

async function damage(disk: MemoryDisk, files: readonly string[], random: SeededRandom): Promise<void> {
  const path = files[Math.floor(random.next() * files.length)];
  const data = (await disk.readFile(path)).slice();
  if (data.length === 0) return;
  if (random.next() < 0.2)
    return disk.writeFileAtomic(path, data.subarray(0, Math.floor(random.next() * data.length)));
  for (let i = 0; i < 1 + random.next() * 4; i++)
    data[Math.floor(random.next() * data.length)] ^= 1 << (random.next() * 8);
  await disk.writeFileAtomic(path, data);
}

test('a block that does not open is left out and stays on disk; one that is damaged inside fails the query, naming it', async () => {
  const disk = await filledDisk();
  const blocks = (await disk.list('data'))
    .filter(({ name }) => name.length === 26)
    .map(({ name }) => `data/${name}`);
  expect(blocks.length).toBeGreaterThan(0);
  const chunks = `${blocks[0]}/chunks/000001`;
  const data = (await disk.readFile(chunks)).slice();
  data[100] ^= 1;
  await disk.writeFileAtomic(chunks, data);
  const db = await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS);
  const failure = await answer(db, 0, T0 * 2).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(VeronaError);
  expect(failure).toMatchObject({ code: 'corrupt', message: expect.stringContaining(chunks) });
  await db.close();
  await disk.writeFileAtomic(`${blocks[0]}/meta.json`, new TextEncoder().encode('{'));
  const again = await openDb(disk, new TestClock(T0 + 8 * HOUR), OPTIONS);
  expect(again.blocks.length).toBe(blocks.length - 1);
  expect(await disk.stat(blocks[0])).toBeDefined();
});

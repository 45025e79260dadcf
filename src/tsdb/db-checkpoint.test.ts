import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import { silentLogger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';
import { findLastCheckpoint, listSegments } from './wal/segments.ts';
import { Wal } from './wal/wal.ts';

const MINUTE = 60_000;

test('a series that came back before a restart keeps its samples when the log is cut', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock();
  const open = () =>
    openDb(disk, clock, { wal: { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } });
  let db = await open();
  await write(db, clock, 0, ['always', 'comeback']);
  for (const minute of [125, 190]) await write(db, clock, minute, ['always']);
  await db.maintain();
  expect(db.head.seriesCount).toBe(1);
  // The log knows it by two numbers from now on.
  await write(db, clock, 260, ['always', 'comeback']);
  await db.close();
  db = await open();
  for (let minute = 261; minute < 310; minute++) await write(db, clock, minute, MANY);
  await db.maintain();
  expect((await findLastCheckpoint(disk, 'data/wal'))?.index).toBeGreaterThan(2);
  disk.crash(1);
  db = await open();
  expect(db.head.replayed.unknownRefs).toBe(0);
  const found = await answer(db, T0, T0 + 10 * HOUR);
  expect(found['{__name__="comeback"}'].map(([t]) => (t - T0) / MINUTE)).toEqual([0, 260]);
  await db.close();
});

test('a checkpoint stays until the next one has its name, whatever of the log the cut before left', async () => {
  const disk = new StubbornDisk();
  const clock = new TestClock();
  const wal = { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const;
  const db = await openDb(disk, clock, { wal });
  const segments = async () => (await listSegments(disk, 'data/wal')).map(({ index }) => index);
  // So many that two thirds are the same ones when the first has gone.
  for (let minute = 0; minute < 330 || (await segments()).length % 3 !== 1; minute += 5)
    await write(db, clock, minute, MANY);
  const before = await answer(db, T0, T0 + 10 * HOUR);

  disk.refuses = (what, path) => what === 'remove' && path === 'data/wal/00000001';
  await expect(db.maintain()).rejects.toThrow('EIO');
  const checkpoint = await findLastCheckpoint(disk, 'data/wal');
  expect(checkpoint?.index).toBeGreaterThan(1);
  expect((await segments())[0]).toBe(1);
  disk.refuses = (what, path) => what === 'rename' && path.includes('checkpoint');
  // Whether there is something to cut again is not the question.
  await db.maintain().catch(() => undefined);
  disk.refuses = () => false;
  await disk.syncDir('data/wal');
  disk.crash(3);
  const again = await openDb(disk, clock, { wal });
  expect(again.head.replayed.unknownRefs).toBe(0);
  expect(await answer(again, T0, T0 + 10 * HOUR)).toEqual(before);
});

test('a log whose segments somebody removed goes on after its checkpoint', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock();
  const wal = { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const;
  let db = await openDb(disk, clock, { wal });
  for (let minute = 0; minute < 300; minute += 5) await write(db, clock, minute, MANY);
  await db.maintain();
  await db.close();
  expect((await findLastCheckpoint(disk, 'data/wal'))?.index).toBeGreaterThan(2);
  for (const { path } of await listSegments(disk, 'data/wal')) await disk.remove(path);
  db = await openDb(disk, clock, { wal });
  await write(db, clock, 301, ['always', 'new']);
  const before = await answer(db, T0, T0 + 10 * HOUR);
  expect(before['{__name__="new"}']).toHaveLength(1);
  disk.crash(1);
  db = await openDb(disk, clock, { wal });
  expect(db.head.replayed.damages).toBe(0);
  expect(await answer(db, T0, T0 + 10 * HOUR)).toEqual(before);
});

test('segments missing after a checkpoint are told', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock();
  const wal = { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const;
  const db = await openDb(disk, clock, { wal });
  for (let minute = 0; minute < 300; minute += 5) await write(db, clock, minute, MANY);
  await db.maintain();
  await db.close();
  await disk.remove((await listSegments(disk, 'data/wal'))[0].path);
  expect((await openDb(disk, clock, { wal })).head.replayed.damages).toBe(1);
  disk.crash(1);
  expect((await openDb(disk, clock, { wal })).head.replayed.damages).toBe(0);
});

test('late samples that were deleted stay so, although their log could not be cut at once', async () => {
  const disk = new StubbornDisk();
  const clock = new TestClock();
  const options = {
    limits: { outOfOrderWindowMs: HOUR },
    wal: { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const,
  };
  let db = await openDb(disk, clock, options);
  await write(db, clock, 30, MANY);
  await write(db, clock, 20, ['always']);
  await db.deleteSeries([new Matcher('=', '__name__', 'always')], T0, T0 + 10 * HOUR);
  for (let minute = 35; minute < 220; minute += 5) await write(db, clock, minute, MANY);
  disk.refuses = (what, path) => what === 'remove' && path.startsWith('data/wbl/');
  await expect(db.maintain()).rejects.toThrow('EIO');
  disk.refuses = () => false;
  for (let minute = 220; minute < 580; minute += 5) {
    await write(db, clock, minute, MANY);
    if (minute % 60 === 0) await db.maintain();
  }
  const before = await answer(db, T0, T0 + 10 * HOUR);
  expect(before['{__name__="always"}'][0][0]).toBe(T0 + 35 * MINUTE);
  await db.close();
  db = await openDb(disk, clock, options);
  expect(await answer(db, T0, T0 + 10 * HOUR)).toEqual(before);
});

test('a record that does not decode is left out of a checkpoint, as it is at the start', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock();
  const wal = { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const;
  let db = await openDb(disk, clock, { wal });
  await write(db, clock, 0, MANY);
  await db.close();
  const log = await Wal.open({ disk, clock, dir: 'data/wal', log: silentLogger });
  for (const type of [1, 2, 3, 4, 6, 7, 8, 11, 12]) await log.log([Uint8Array.of(type, 1, 2, 3, 255)]);
  await log.close();
  db = await openDb(disk, clock, { wal });
  expect(db.head.replayed.badRecords).toBe(9);
  for (let minute = 5; minute < 300; minute += 5) await write(db, clock, minute, MANY);
  const before = await answer(db, T0, T0 + 10 * HOUR);
  await db.maintain();
  expect((await findLastCheckpoint(disk, 'data/wal'))?.index).toBeGreaterThan(2);
  disk.crash(1);
  db = await openDb(disk, clock, { wal });
  expect(db.head.replayed.badRecords).toBe(0);
  expect(await answer(db, T0, T0 + 10 * HOUR)).toEqual(before);
});

/** Does not remove or rename what it refuses to. */
class StubbornDisk extends MemoryDisk {
  refuses: (what: 'remove' | 'rename', path: string) => boolean = () => false;

  override remove(path: string): Promise<void> {
    return this.refuses('remove', path) ? Promise.reject(failure(path)) : super.remove(path);
  }

  override rename(from: string, to: string): Promise<void> {
    return this.refuses('rename', from) ? Promise.reject(failure(from)) : super.rename(from, to);
  }
}

function failure(path: string): Error {
  return Object.assign(new Error(`EIO: ${path}`), { code: 'EIO' });
}

/** Enough to fill a segment in some requests. */
const MANY = ['always', ...Array.from({ length: 300 }, (_, i) => `other_${i}`)];
const random = new SeededRandom(1);

async function write(db: Db, clock: TestClock, minute: number, names: readonly string[]): Promise<void> {
  clock.time = T0 + minute * MINUTE;
  const series = names.map((name) => floatSeries({ __name__: name }, [[clock.time, random.next()]]));
  const { refused } = await db.write(requestBody(series), 1, admitAll);
  expect(refused).toEqual([]);
}

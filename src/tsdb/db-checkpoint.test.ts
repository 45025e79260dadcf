import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { SeededRandom } from '../platform/random.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';
import { findLastCheckpoint } from './wal/segments.ts';

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

/** Enough to fill a segment in some requests. */
const MANY = ['always', ...Array.from({ length: 300 }, (_, i) => `other_${i}`)];
const random = new SeededRandom(1);

async function write(db: Db, clock: TestClock, minute: number, names: readonly string[]): Promise<void> {
  clock.time = T0 + minute * MINUTE;
  const series = names.map((name) => floatSeries({ __name__: name }, [[clock.time, random.next()]]));
  const { refused } = await db.write(requestBody(series), 1, admitAll);
  expect(refused).toEqual([]);
}

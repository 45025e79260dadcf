import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import {
  answer,
  EVERYTHING,
  floatSeries,
  HOUR,
  openDb,
  requestBody,
  T0,
  TestClock,
} from './testdata/db-fixture.ts';
import { findLastCheckpoint } from './wal/segments.ts';

const MINUTE = 60_000;
const END = T0 + 6 * HOUR;
const WAL = { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const;

async function write(db: Db, from: number, to: number): Promise<void> {
  for (let t = from; t < to; t += MINUTE) {
    const series = Array.from({ length: 100 }, (_, i) =>
      floatSeries({ __name__: 'm', i: String(i) }, [[t, t + i]]),
    );
    await db.write(requestBody(series), 1, admitAll);
  }
}

test('a stretch of which everything was deleted does not come back from closed chunks', async () => {
  const disk = new MemoryDisk();
  let db = await openDb(disk, new TestClock(END), { wal: WAL });
  await write(db, T0, T0 + 2 * HOUR);
  await db.deleteSeries(EVERYTHING, T0, T0 + 2 * HOUR - 1);
  await write(db, T0 + 2 * HOUR, T0 + 3.5 * HOUR);
  await db.maintain();
  expect(db.blocks).toEqual([]);
  expect((await findLastCheckpoint(disk, 'data/wal'))?.index).toBeGreaterThan(0);
  expect(await firstTime(db)).toBe(T0 + 2 * HOUR);
  await db.close();
  db = await openDb(disk, new TestClock(END), { wal: WAL });
  expect(await firstTime(db)).toBe(T0 + 2 * HOUR);
  await write(db, T0 + 3.5 * HOUR, T0 + 5.5 * HOUR);
  await db.maintain();
  expect(db.blocks).toHaveLength(1);
  disk.crash(1);
  expect(await firstTime(await openDb(disk, new TestClock(END), { wal: WAL }))).toBe(T0 + 2 * HOUR);
});

async function firstTime(db: Db): Promise<number> {
  const times = Object.values(await answer(db, 0, END)).map(([[t]]) => t);
  expect(times).toHaveLength(100);
  return Math.min(...times);
}

import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';

const MINUTE = 60_000;

test('what is acknowledged while the head is flushed is in no gap between block and head', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 4 * HOUR);
  const options = { wal: { fsync: 'always' } } as const;
  const db = await openDb(disk, clock, options);
  const write = async (name: string, t: number) =>
    (await db.write(requestBody([floatSeries({ __name__: name }, [[t, t]])]), 1, admitAll)).refused.length ===
    0;
  for (let t = T0; t < T0 + 3.5 * HOUR; t += MINUTE) await write('steady', t);
  const acknowledged: string[] = [];
  let flushed = false;
  const flushing = db.flush().finally(() => {
    flushed = true;
  });
  // Series that begin a little behind the newest sample, and others after it.
  for (let i = 0; !flushed; i++) {
    if (await write(`behind_${i}`, T0 + 3.25 * HOUR)) acknowledged.push(`{__name__="behind_${i}"}`);
    if (await write(`after_${i}`, T0 + 3.5 * HOUR + i)) acknowledged.push(`{__name__="after_${i}"}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await flushing;
  expect(acknowledged.length).toBeGreaterThan(0);
  const missing = async (from: Db) => {
    const found = await answer(from, 0, T0 * 2);
    return acknowledged.filter((labels) => found[labels] === undefined);
  };
  expect(await missing(db)).toEqual([]);
  disk.crash(1);
  expect(await missing(await openDb(disk, clock, options))).toEqual([]);
});

test('a sample of long ago does not make a flush go through all the time since', async () => {
  const disk = new MemoryDisk();
  const db = await openDb(disk, new TestClock(T0), { wal: { fsync: 'always' } });
  for (const t of [0, T0])
    await db.write(requestBody([floatSeries({ __name__: 'm' }, [[t, t]])]), 1, admitAll);
  let cuts = 0;
  const truncate = db.head.truncate.bind(db.head);
  db.head.truncate = (...range) => {
    cuts++;
    return truncate(...range);
  };
  await db.flush();
  expect(cuts).toBe(2);
  expect(await answer(db, 0, T0)).toEqual({
    '{__name__="m"}': [
      [0, 0],
      [T0, T0],
    ],
  });
});

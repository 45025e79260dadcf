import { expect, test } from 'vitest';
import { Matcher } from '../model/matcher.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';

const MINUTE = 60_000;
const END = T0 + 6 * HOUR;

function open(disk: MemoryDisk, blockRangeMs: number): Promise<Db> {
  const wal = { fsync: 'always', segmentBytes: 32 * 1024, compression: 'none' } as const;
  return openDb(disk, new TestClock(END), { limits: { blockRangeMs }, wal });
}

async function write(db: Db, from: number, to: number): Promise<void> {
  for (let t = from; t < to; t += 10 * MINUTE) {
    const series = Array.from({ length: 300 }, (_, i) =>
      floatSeries({ __name__: 'm', i: String(i) }, [[t, t + i]]),
    );
    await db.write(requestBody(series), 1, admitAll);
  }
}

/** Hours after T0. */
const spans = (db: Db) =>
  db.blocks.map(({ block: { meta } }) => [(meta.minTime - T0) / HOUR, (meta.maxTime - T0) / HOUR]);

test('with shorter blocks than before each stretch of the head becomes one block, chunks that reach over their ends too', async () => {
  const disk = new MemoryDisk();
  let db = await open(disk, 2 * HOUR);
  await write(db, T0, T0 + 3 * HOUR);
  const whole = await answer(db, 0, END);
  await db.close();
  db = await open(disk, HOUR);
  await db.maintain();
  expect(spans(db)).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect(await answer(db, 0, END)).toEqual(whole);
  await db.close();
  db = await open(disk, HOUR);
  await db.flush();
  expect(spans(db)).toEqual([
    [0, 1],
    [1, 2],
    [2, (3 * HOUR - 10 * MINUTE + 1) / HOUR],
  ]);
  expect(await answer(db, 0, END)).toEqual(whole);
});

test('what was deleted from such a chunk stays so when the head begins in the middle of it', async () => {
  const disk = new MemoryDisk();
  let db = await open(disk, 4 * HOUR);
  await write(db, T0, T0 + 3 * HOUR);
  await db.deleteSeries([new Matcher('=', 'i', '7')], T0, T0 + 20 * MINUTE);
  await write(db, T0 + 3 * HOUR, T0 + 4.5 * HOUR);
  const whole = await answer(db, 0, END);
  await db.close();
  db = await open(disk, 2 * HOUR);
  await db.maintain();
  expect(spans(db)).toEqual([[0, 2]]);
  expect(await answer(db, 0, END)).toEqual(whole);
  disk.crash(1);
  expect(await answer(await open(disk, 2 * HOUR), 0, END)).toEqual(whole);
});

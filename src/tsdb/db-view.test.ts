import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { Querier } from '../storage/querier.ts';
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

const MINUTE = 60_000;
const END = T0 + 4 * HOUR;
const TOO_LONG = { code: 'unavailable', message: expect.stringMatching(/has left the head/) };

/** A clock on which every wait is over at once. */
class HastyClock extends TestClock {
  override after(_ms?: number, run: () => void = () => {}): () => void {
    queueMicrotask(run);
    return () => {};
  }
}

async function filled(): Promise<Db> {
  const db = await openDb(new MemoryDisk(), new HastyClock(END), {
    limits: { outOfOrderWindowMs: 4 * HOUR },
    wal: { fsync: 'always' },
  });
  for (let t = T0; t < END; t += 10 * MINUTE) await write(db, t);
  return db;
}

async function write(db: Db, t: number): Promise<void> {
  await db.write(requestBody([floatSeries({ __name__: 'm' }, [[t, t]])]), 1, admitAll);
}

const reading = (querier: Querier) => answer({ querier: async () => querier }, 0, END);
const naming = (querier: Querier) =>
  querier.labelNames(
    { signal: new AbortController().signal },
    { matchers: EVERYTHING, mint: 0, maxt: END, limit: 0 },
  );

test('a query that outlives what it reads of the head fails instead of answering less', async () => {
  const db = await filled();
  const [reader, lister] = [await db.querier(0, END), await db.querier(0, END)];
  const whole = await answer(db, 0, END);
  await db.maintain();
  expect(db.blocks).toHaveLength(1);
  await expect(reading(reader)).rejects.toMatchObject(TOO_LONG);
  await expect(naming(lister)).rejects.toMatchObject(TOO_LONG);
  expect(await answer(db, 0, END)).toEqual(whole);
});

test('so does one that outlives the late samples', async () => {
  const db = await filled();
  await db.flush();
  await write(db, T0 + MINUTE);
  const whole = await answer(db, 0, END);
  const querier = await db.querier(0, END);
  await db.flush();
  await expect(reading(querier)).rejects.toMatchObject(TOO_LONG);
  expect(await answer(db, 0, END)).toEqual(whole);
});

import { expect, test } from 'vitest';
import { decodeLabels } from '../../encoding/label-bytes.ts';
import { compareLabels, type Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import type { Db } from '../db.ts';
import { floatSeries, HOUR, openDb, requestBody, T0, TestClock } from '../testdata/db-fixture.ts';
import { SLICE_SERIES_MAX } from './gather.ts';
import type { HeadSlice } from './head-slice.ts';
import { admitAll } from './series-table.ts';

const REQUEST = { mint: 0, maxt: T0 * 2, inOrderMint: Number.NEGATIVE_INFINITY };
const ALL = [new Matcher('=', '__name__', 'm')];

async function filled(count: number): Promise<Db> {
  const db = await openDb(new MemoryDisk(), new TestClock(T0 + 5 * HOUR));
  const series = Array.from({ length: count }, (_, i) =>
    floatSeries({ __name__: 'm', id: String((i * 7919) % count), text: 'ab'.repeat(i % 5) }, [[T0, i]]),
  );
  await db.write(requestBody(series), 1, admitAll);
  return db;
}

function labelsIn({ gathered }: HeadSlice): Labels[] {
  return Array.from({ length: gathered.seriesCount }, (_, i) =>
    decodeLabels(gathered.labelBytes, gathered.labelOffsets[i], gathered.labelOffsets[i + 1]),
  );
}

test('many series come in slices, in the order of their labels, each once', async () => {
  const db = await filled(10_000);
  const found: Labels[] = [];
  let turns = 0;
  for (const slice of db.head.gather({ ...REQUEST, matchers: ALL, sorted: true })) {
    turns++;
    if (slice === undefined) continue;
    expect(slice.gathered.seriesCount).toBeLessThanOrEqual(SLICE_SERIES_MAX);
    found.push(...labelsIn(slice));
  }
  expect(found.length).toBe(10_000);
  for (let i = 1; i < found.length; i++) expect(compareLabels(found[i - 1], found[i])).toBeLessThan(0);
  expect(turns).toBeGreaterThan(10);
});

test('series that are collected while a query runs are left out, also when their slots are used again', async () => {
  const db = await filled(5_000);
  await db.write(requestBody([floatSeries({ __name__: 'keeps' }, [[T0 + 4 * HOUR, 1]])]), 1, admitAll);
  const slices = db.head.gather({ ...REQUEST, matchers: ALL, sorted: false });
  const first = slices.next();
  expect(first.done).toBe(false);
  await db.head.truncate(T0 + 2 * HOUR);
  expect(db.head.seriesCount).toBe(1);
  const other = Array.from({ length: 100 }, (_, i) =>
    floatSeries({ __name__: 'other', i: String(i) }, [[T0 + 4 * HOUR, i]]),
  );
  await db.write(requestBody(other), 1, admitAll);
  for (const slice of slices) if (slice !== undefined) expect(labelsIn(slice)).toEqual([]);
});

test('only label sets come when only these are wanted', async () => {
  const db = await filled(10);
  const [slice] = [...db.head.gather({ ...REQUEST, matchers: ALL, sorted: true, labelsOnly: true })].filter(
    Boolean,
  );
  expect(slice?.gathered.seriesCount).toBe(10);
  expect(slice?.gathered.chunkData.length).toBe(0);
  const none = db.head.gather({ ...REQUEST, mint: T0 + 1, matchers: ALL, sorted: true, labelsOnly: true });
  expect([...none].filter(Boolean)).toEqual([]);
});

test('of series whose newest sample is in range only that comes when no other is looked at, whatever came late', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0 + 5 * HOUR), {
    limits: { outOfOrderWindowMs: 2 * HOUR },
  });
  const samples = (count: number): [number, number][] =>
    Array.from({ length: count }, (_, i) => [T0 + i * 60_000, i]);
  await db.write(requestBody([floatSeries({ __name__: 'm' }, samples(10))]), 1, admitAll);
  const gather = (maxt: number) => {
    const request = { ...REQUEST, maxt, matchers: ALL, sorted: false, newestOnly: true };
    return [...db.head.gather(request)].flatMap((slice) => (slice === undefined ? [] : [slice.gathered]));
  };
  const bytesOf = (maxt: number) => gather(maxt)[0].chunkData.length;
  expect(gather(T0 * 2)[0].chunkMint).toEqual(Float64Array.of(T0 + 9 * 60_000));
  expect(bytesOf(T0 * 2)).toBeLessThan(20);
  expect(bytesOf(T0 + 5 * 60_000)).toBeGreaterThan(20);
  await db.write(requestBody([floatSeries({ __name__: 'm' }, [[T0 + 90_000, 7]])]), 1, admitAll);
  expect(gather(T0 * 2)[0].chunkMint.length).toBe(2);
});

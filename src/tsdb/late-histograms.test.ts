import { expect, test } from 'vitest';
import { type AnyHistogram, CUSTOM_BUCKETS_SCHEMA } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import { isStale, STALE_NAN } from '../model/sample.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { Db } from './db.ts';
import { decodeSamples } from './head/clip-chunk.ts';
import { chunksOf } from './head/complete-slice.ts';
import type { RareValue } from './head/rare-series.ts';
import { admitAll } from './head/series-table.ts';
import { answer, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';

const FOREVER = [0, T0 * 2] as const;
const MINUTE = 60_000;
const OPTIONS = { limits: { outOfOrderWindowMs: 6 * HOUR }, wal: { fsync: 'always' as const } };

/** One value per kind of sample, growing with `n`. */
const KINDS: Readonly<Record<string, (n: number) => RareValue>> = {
  float: (n) => n,
  integer: (n) => histogram({ count: 3 * n, positiveBuckets: [n, n] }),
  fractions: (n) => histogram({ kind: 'float', count: 3.5 * n, positiveBuckets: [n, 2.5 * n] }),
  custom: (n) =>
    histogram({
      schema: CUSTOM_BUCKETS_SCHEMA,
      zeroThreshold: 0,
      customValues: [0.1, 1 + (n % 2)],
      count: 3 * n,
      positiveBuckets: [n, n],
    }),
  mixed: (n) => [KINDS.integer, KINDS.float, KINDS.fractions, KINDS.custom][n % 4](n),
};

function histogram(more: Partial<AnyHistogram>): AnyHistogram {
  return {
    kind: 'integer',
    counterResetHint: 'unknown',
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: 0,
    sum: 1,
    positiveSpans: [{ offset: 0, length: 2 }],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [],
    negativeBuckets: [],
    ...more,
  } as AnyHistogram;
}

function series(name: string, t: number, value: RareValue): TimeSeries {
  const isFloat = typeof value === 'number';
  return {
    labels: Labels.from({ __name__: name }).flat,
    samples: isFloat ? [{ t, v: value, startT: 0 }] : [],
    histograms: isFloat ? [] : [{ t, histogram: value, startT: 0 }],
    exemplars: [],
  };
}

/** Hints say how a sample relates to the one before it, which is not what was sent. */
async function answered(db: Db): Promise<Record<string, [number, RareValue][]>> {
  const found = await answer(db, ...FOREVER);
  for (const samples of Object.values(found))
    for (const sample of samples)
      if (typeof sample[1] !== 'number') sample[1] = { ...sample[1], counterResetHint: 'unknown' };
  return found;
}

async function writeAll(db: Db, times: readonly number[]): Promise<void> {
  for (const t of times) {
    const all = Object.entries(KINDS).map(([name, of]) => series(name, t, of((t - T0) / MINUTE)));
    expect((await db.write(requestBody(all), 1, admitAll)).refusedCounts).toEqual(new Map());
  }
}

function expected(times: readonly number[]): Record<string, [number, RareValue][]> {
  const sorted = times.toSorted((a, b) => a - b);
  return Object.fromEntries(
    Object.entries(KINDS).map(([name, of]) => [
      `{__name__="${name}"}`,
      sorted.map((t) => [t, of((t - T0) / MINUTE)]),
    ]),
  );
}

test('late histograms of every kind are answered, survive a crash and become an overlapping block', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 6 * HOUR);
  const inOrder = Array.from({ length: 50 }, (_, i) => T0 + 4 * HOUR + i * MINUTE);
  const late = Array.from({ length: 97 }, (_, i) => T0 + ((i * 37) % 97) * MINUTE);
  let db = await openDb(disk, clock, OPTIONS);
  await writeAll(db, inOrder);
  await writeAll(db, late);
  const all = expected([...inOrder, ...late]);
  expect(await answered(db)).toEqual(all);
  disk.crash(1);
  db = await openDb(disk, clock, OPTIONS);
  expect(db.head.replayed).toMatchObject({ badRecords: 0, lateSamples: 5 * 97 });
  expect(await answered(db)).toEqual(all);
  await db.flush();
  expect(db.blocks.map(({ block }) => block.meta.compaction.hints)).toContainEqual(['from-out-of-order']);
  expect(await answered(db)).toEqual(all);
  await db.close();
  db = await openDb(disk, clock, OPTIONS);
  expect(await answered(db)).toEqual(all);
});

test('a late histogram leaves a series of floats as it is, and one beyond the window is refused', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 8 * HOUR);
  const db = await openDb(disk, clock, OPTIONS);
  const late = KINDS.integer(7);
  const write = (t: number, value: RareValue) => db.write(requestBody([series('a', t, value)]), 1, admitAll);
  await write(T0 + 7 * HOUR, 1);
  expect((await write(T0 + 6 * HOUR, late)).histograms).toBe(1);
  expect(db.head.store.rareCount).toBe(0);
  await write(T0 + 7 * HOUR + 1, 2);
  expect((await write(T0 + HOUR, late)).refusedCounts).toEqual(new Map([['too_old', 1]]));
  expect((await write(T0 + 7 * HOUR + 1, late)).refusedCounts).toEqual(new Map([['duplicate_value', 1]]));
  const expectedSamples = [
    [T0 + 6 * HOUR, late],
    [T0 + 7 * HOUR, 1],
    [T0 + 7 * HOUR + 1, 2],
  ];
  expect(await answered(db)).toEqual({ '{__name__="a"}': expectedSamples });
});

test('without a window late histograms are out of order, as floats are', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0 + HOUR));
  for (const value of Object.values(KINDS).map((of) => of(3))) {
    const write = (t: number) => db.write(requestBody([series('a', t, value)]), 1, admitAll);
    await write(T0 + HOUR);
    expect((await write(T0 + HOUR - 1)).refusedCounts).toEqual(new Map([['out_of_order', 1]]));
  }
});

test('late staleness markers stay what they are, beside histograms too', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 3 * HOUR);
  let db = await openDb(disk, clock, OPTIONS);
  const stalled = { ...(KINDS.integer(2) as AnyHistogram), sum: STALE_NAN };
  const write = (minute: number, value: RareValue) =>
    db.write(requestBody([series('a', T0 + minute * MINUTE, value)]), 1, admitAll);
  await write(180, KINDS.integer(9));
  await write(5, STALE_NAN);
  await write(4, KINDS.integer(2));
  await write(6, stalled);
  await write(1, STALE_NAN);
  const stale = async () => {
    const marks: [number, boolean][] = [];
    const querier = await db.querier(...FOREVER);
    const { signal } = new AbortController();
    for await (const batch of querier.select(
      { signal },
      { matchers: [], mint: 0, maxt: T0 * 2, sorted: true },
    ))
      for (const chunk of chunksOf(batch, 0))
        for (const { t, value } of decodeSamples(chunk))
          marks.push([(t - T0) / MINUTE, isStale(typeof value === 'number' ? value : value.sum)]);
    await querier.close();
    return marks;
  };
  const marks = [
    [1, true],
    [4, false],
    [5, true],
    [6, true],
    [180, false],
  ];
  expect(await stale()).toEqual(marks);
  disk.crash(1);
  db = await openDb(disk, clock, OPTIONS);
  expect(await stale()).toEqual(marks);
  await db.flush();
  expect(await stale()).toEqual(marks);
});

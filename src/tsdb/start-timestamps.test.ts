import { expect, test } from 'vitest';
import { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { snappyCompress } from '../encoding/snappy.ts';
import { QueryKernel } from '../kernel/query-kernel.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import { Labels } from '../model/labels.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { encodeWriteRequestV2 } from '../proto/remote-write-v2.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { EVERYTHING, HOUR, openDb, T0, TestClock } from './testdata/db-fixture.ts';
import { RecordType } from './wal/records/record-type.ts';
import { WalReader } from './wal/wal-reader.ts';

const MINUTE = 60_000;
const KEEP = {
  limits: { keepStartTimes: true, outOfOrderWindowMs: 4 * HOUR },
  wal: { fsync: 'always' as const, segmentBytes: 32 * 1024 },
};

function histogram(kind: AnyHistogram['kind'], n: number): AnyHistogram {
  return {
    kind,
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 0,
    count: n,
    sum: n,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    customValues: [],
    positiveBuckets: [n],
    negativeBuckets: [],
  } as AnyHistogram;
}

/** Four series at one time: a counter, two histograms, and a gauge without a start. */
function seriesAt(t: number, n: number, startT: number): TimeSeries[] {
  const labels = (name: string) => Labels.from({ __name__: name }).flat;
  const empty = { samples: [], histograms: [], exemplars: [] };
  return [
    { ...empty, labels: labels('counter'), samples: [{ t, v: n, startT }] },
    { ...empty, labels: labels('integer'), histograms: [{ t, histogram: histogram('integer', n), startT }] },
    { ...empty, labels: labels('fractions'), histograms: [{ t, histogram: histogram('float', n), startT }] },
    { ...empty, labels: labels('gauge'), samples: [{ t, v: n, startT: 0 }] },
  ];
}

async function send(db: Db, timeSeries: readonly TimeSeries[]): Promise<void> {
  const body = snappyCompress(encodeWriteRequestV2({ timeSeries })).slice();
  const result = await db.write(body, 2, admitAll);
  expect([...result.refusedCounts]).toEqual([]);
}

/** By series: [time, value or count, start]. */
async function read(db: Db): Promise<Record<string, [number, number, number][]>> {
  const querier = await db.querier(0, T0 * 2);
  const decoder = new BatchDecoder(new QueryKernel());
  const { signal } = new AbortController();
  const request = { matchers: EVERYTHING, mint: 0, maxt: T0 * 2, sorted: true, hints: { startTimes: true } };
  const found: Record<string, [number, number, number][]> = {};
  for await (const batch of querier.select({ signal }, request)) {
    decoder.open(batch);
    for (let i = 0; i < batch.seriesCount; i++) {
      const bytes = batch.labelBytes.slice(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
      const name = /counter|integer|fractions|gauge/.exec(Buffer.from(bytes).toString())![0];
      const isFloat = decoder.kind(i) === 'floats';
      const starts = decoder.startTimes(i, 0, T0 * 2, isFloat ? 'float' : 'histogram');
      const times: [number, number, number][] = [];
      if (isFloat) {
        const { count, timestamps, values } = decoder.floats(i, 0, T0 * 2, true);
        for (let k = 0; k < count; k++) times.push([timestamps[k], values[k], 0]);
      } else {
        const { timestamps, histograms } = decoder.histograms(i, 0, T0 * 2);
        for (const [k, t] of timestamps.entries()) times.push([t, histograms[k].count, 0]);
      }
      found[name] = times.map(([t, v]) => [t - T0, v, starts?.get(t) ?? 0]);
    }
  }
  await querier.close();
  return found;
}

test('start timestamps of remote write 2.0 survive a crash, late samples, a checkpoint and becoming a block', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 8 * HOUR);
  let db = await openDb(disk, clock, KEEP);
  const expected: Record<string, [number, number, number][]> = {};
  const note = (t: number, n: number, startT: number) => {
    for (const name of ['counter', 'integer', 'fractions', 'gauge'])
      (expected[name] ??= []).push([t - T0, n, name === 'gauge' ? 0 : startT]);
  };
  for (let minute = 0; minute < 7 * 60; minute += 2) {
    const t = T0 + minute * MINUTE;
    const startT = T0 - MINUTE + Math.floor(minute / 90) * MINUTE;
    const n = 1 + (minute % 90);
    await send(db, seriesAt(t, n, startT));
    note(t, n, startT);
  }
  const lateT = T0 + 6 * HOUR + MINUTE;
  await send(db, seriesAt(lateT, 1000, T0 + 7));
  note(lateT, 1000, T0 + 7);
  for (const list of Object.values(expected)) list.sort((a, b) => a[0] - b[0]);
  expect(await read(db)).toEqual(expected);

  const types = new Set<number>();
  for (const dir of ['wal', 'wbl'])
    for await (const { records } of new WalReader(disk, `data/${dir}`).batches())
      for (const record of records) types.add(record[0]);
  for (const type of ['samplesST', 'histogramsST', 'floatHistogramsST'] as const)
    expect(types).toContain(RecordType[type]);

  disk.crash(1);
  db = await openDb(disk, clock, KEEP);
  expect(db.head.replayed).toMatchObject({ badRecords: 0, unknownRefs: 0 });
  expect(await read(db)).toEqual(expected);
  await db.maintain();
  expect(db.blocks.length).toBeGreaterThan(1);
  expect(await read(db)).toEqual(expected);
  disk.crash(2);
  // What is there is kept, whatever is to be kept from now on.
  db = await openDb(disk, clock, { ...KEEP, limits: { ...KEEP.limits, keepStartTimes: false } });
  expect(await read(db)).toEqual(expected);
  await db.flush();
  expect(await read(db)).toEqual(expected);
  await db.close();
});

test('without the feature start timestamps are left out, and everything is as Prometheus 2 reads it', async () => {
  const disk = new MemoryDisk();
  const db = await openDb(disk, new TestClock(T0 + HOUR), { wal: { fsync: 'always' } });
  await send(db, seriesAt(T0, 5, T0 - MINUTE));
  expect(await read(db)).toEqual(
    Object.fromEntries(['counter', 'fractions', 'gauge', 'integer'].map((name) => [name, [[0, 5, 0]]])),
  );
  for await (const { records } of new WalReader(disk, 'data/wal').batches())
    for (const record of records) expect(record[0]).toBeLessThan(RecordType.samplesST);
});

test('with zero ingestion a zero stands where a counter began, once, and never before a sample that is there', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + HOUR);
  const db = await openDb(disk, clock, { limits: { ingestStartZeros: true } });
  const start = T0 + 10 * MINUTE;
  for (const [t, n, startT] of [
    [start + MINUTE, 5, start],
    [start + 2 * MINUTE, 7, start],
    // Began anew after the sample before.
    [start + 5 * MINUTE, 2, start + 4 * MINUTE],
    // A start that is not before its sample says nothing.
    [start + 6 * MINUTE, 3, start + 6 * MINUTE],
  ])
    await send(db, seriesAt(t, n, startT));
  const relative = [
    [10, 0, 0],
    [11, 5, 0],
    [12, 7, 0],
    [14, 0, 0],
    [15, 2, 0],
    [16, 3, 0],
  ].map(([minute, n, startT]) => [minute * MINUTE, n, startT]);
  const found = await read(db);
  expect(found.counter).toEqual(relative);
  expect(found.integer).toEqual(relative);
  expect(found.fractions).toEqual(relative);
  expect(found.gauge).toEqual(relative.filter(([, n]) => n !== 0));
});

test('a request with start timestamps is judged like any other', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0 + HOUR), KEEP);
  const [counter] = seriesAt(T0, 1, T0 - 1);
  const bad = { ...counter, labels: ['__name__', 'a', 'x', '1', 'x', '2'] };
  const unsorted = { ...counter, labels: ['x', '1', '__name__', 'counter', 'empty', ''] };
  const body = encodeWriteRequestV2({ timeSeries: [bad, unsorted] });
  const result = await db.write(snappyCompress(body).slice(), 2, admitAll);
  expect(result).toMatchObject({ samples: 1, refusedCounts: new Map([['invalid_labels', 1]]) });
  expect(result.refused[0].reason).toBe('label name "x" is not unique');
  const cut = snappyCompress(body.slice(0, -3)).slice();
  await expect(db.write(cut, 2, admitAll)).rejects.toMatchObject({ code: 'bad_data' });
  const again = await db.write(snappyCompress(body).slice(), 2, admitAll);
  expect(again.samples, 'the same again').toBe(1);
});

import { expect, test } from 'vitest';
import { snappyCompress } from '../../encoding/snappy.ts';
import { Labels } from '../../model/labels.ts';
import type { Metadata, MetricType } from '../../model/metadata.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { encodeWriteRequest } from '../../proto/remote-write.ts';
import { encodeWriteRequestV2 } from '../../proto/remote-write-v2.ts';
import type { TimeSeries } from '../../proto/time-series.ts';
import { answer, floatSeries, openDb, requestBody, T0, TestClock } from '../testdata/db-fixture.ts';
import { admitAll, type SeriesPolicy } from './series-table.ts';

const METADATA = { type: 'counter', unit: 's', help: 'Seconds.' } as const;

function bodyV2(timeSeries: readonly TimeSeries[]): Uint8Array {
  return snappyCompress(encodeWriteRequestV2({ timeSeries })).slice();
}

test('a 2.0 request brings samples, exemplars and metadata, and all of it survives a restart', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0);
  let db = await openDb(disk, clock);
  const exemplar = { labels: Labels.from({ trace_id: 'é' }), value: 1, t: T0, hasTimestamp: true };
  const plain = { ...floatSeries({ __name__: 'a', job: 'x' }, [[T0, 1]]), metadata: METADATA };
  const rich = {
    ...floatSeries({ __name__: 'b', job: 'x' }, [[T0, 2]]),
    exemplars: [exemplar],
    metadata: METADATA,
  };
  const result = await db.write(bodyV2([plain, rich]), 2, admitAll);
  expect(result).toMatchObject({ samples: 2, histograms: 0, exemplars: 1, refused: [] });
  for (let i = 0; i < 2; i++) {
    expect(Object.keys(await answer(db, 0, T0))).toEqual([
      '{__name__="a", job="x"}',
      '{__name__="b", job="x"}',
    ]);
    expect(Object.fromEntries(db.head.metadata())).toEqual({ a: [METADATA], b: [METADATA] });
    expect([...db.head.store.exemplars.slots()].length).toBe(1);
    await db.close();
    db = await openDb(disk, clock);
  }
});

test('metadata of a 1.0 request is known by family, also after a crash', async () => {
  const disk = new MemoryDisk();
  let db = await openDb(disk, new TestClock(T0));
  const other = { type: 'gauge', unit: '', help: 'é\n"' } as const;
  const write = (families: Record<string, Metadata>) => {
    const metadata = Object.entries(families).map(([family, one]) => ({ family, metadata: one }));
    return db.write(snappyCompress(encodeWriteRequest({ timeSeries: [], metadata })).slice(), 1, admitAll);
  };
  await write({ a_seconds: METADATA, 'b.é': other });
  await write({ a_seconds: other });
  const expected = { a_seconds: [other, METADATA], 'b.é': [other] };
  expect(Object.fromEntries(db.head.metadata())).toEqual(expected);
  disk.crash(1);
  db = await openDb(disk, new TestClock(T0));
  expect(Object.fromEntries(db.head.metadata())).toEqual(expected);
  const { revision } = db.head.store.metadata;
  await write({ a_seconds: METADATA });
  expect(db.head.store.metadata.revision, 'nothing new').toBe(revision);
  await db.close();
});

test('metadata of a 2.0 request are filed by family, and a change is seen for series that are known', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0);
  let db = await openDb(disk, clock);
  const about = (type: MetricType, help = 'x') => ({ type, unit: '', help });
  const send = (t: number, help?: string) => {
    const series = (name: string, type: MetricType) => ({
      ...floatSeries({ __name__: name }, [[t, 1]]),
      metadata: about(type, help),
    });
    return db.write(
      bodyV2([
        series('h_bucket', 'histogram'),
        series('h_count', 'histogram'),
        series('s_sum', 'summary'),
        series('c_total', 'counter'),
        series('gauge_count', 'gauge'),
      ]),
      2,
      admitAll,
    );
  };
  const expected = (help: string) => ({
    h: [about('histogram', help)],
    s: [about('summary', help)],
    c_total: [about('counter', help)],
    gauge_count: [about('gauge', help)],
  });
  await send(T0);
  expect(Object.fromEntries(db.head.metadata())).toEqual(expected('x'));
  clock.time += 60_000;
  await send(T0 + 60_000, 'new');
  const newest = () =>
    Object.fromEntries([...db.head.metadata()].map(([name, list]) => [name, list.slice(0, 1)]));
  expect(newest()).toEqual(expected('new'));
  await db.close();
  db = await openDb(disk, clock);
  expect(newest()).toEqual(expected('new'));
});

test('metadata that the log has are used when their file is missing or damaged', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0);
  let db = await openDb(disk, clock);
  await db.write(bodyV2([{ ...floatSeries({ __name__: 'a' }, [[T0, 1]]), metadata: METADATA }]), 2, admitAll);
  for (const damage of [
    () => disk.remove('data/metadata.json'),
    () =>
      disk.writeFileAtomic(
        'data/metadata.json',
        new TextEncoder().encode('{"version":1,"families":[["a",7]]}'),
      ),
    () => disk.writeFileAtomic('data/metadata.json', new Uint8Array([0xff, 0])),
  ]) {
    await db.close();
    await damage();
    db = await openDb(disk, clock);
    expect(Object.fromEntries(db.head.metadata())).toEqual({ a: [METADATA] });
  }
});

test('a disk that does not take the file of metadata costs no samples, and the next write tries again', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0);
  let db = await openDb(disk, clock);
  const write = (t: number) => {
    const series = { ...floatSeries({ __name__: 'a' }, [[t, 1]]), metadata: METADATA };
    return db.write(bodyV2([series]), 2, admitAll);
  };
  disk.faults.fails = (_, path) => path.includes('metadata.json');
  expect(await write(T0)).toMatchObject({ samples: 1, refused: [] });
  disk.faults.fails = () => false;
  await write(T0 + 1);
  await db.close();
  await disk.remove('data/wal');
  db = await openDb(disk, clock);
  expect(Object.fromEntries(db.head.metadata())).toEqual({ a: [METADATA] });
});

test('label sets out of order are brought into order, doubled names are refused', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0));
  const series = (labels: string[]): TimeSeries => ({
    labels,
    samples: [{ t: T0, v: 1, startT: 0 }],
    histograms: [],
    exemplars: [],
  });
  const result = await db.write(
    requestBody([
      series(['job', 'x', '__name__', 'a', 'empty', '']),
      series(['__name__', 'b', 'job', 'x', 'job', 'y']),
      series([]),
    ]),
    1,
    admitAll,
  );
  expect(result.samples).toBe(1);
  expect(result.refused.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['invalid_labels', 'label name "job" is not unique'],
    ['invalid_labels', 'empty label set'],
  ]);
  expect(Object.keys(await answer(db, 0, T0))).toEqual(['{__name__="a", job="x"}']);
  await db.write(requestBody([floatSeries({ __name__: 'a', job: 'x' }, [[T0 + 1, 1]])]), 1, admitAll);
  expect(db.head.seriesCount).toBe(1);
});

test('what the policy does not admit is refused with its reason, and the rest of the request is stored', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0));
  const policy: SeriesPolicy = {
    admit: (_, count) => (count >= 1 ? { outcome: 'series_limit', reason: 'at most 1 series' } : undefined),
    admitsBytes: (_, count) => count < 1,
  };
  const result = await db.write(
    requestBody([
      floatSeries({ __name__: 'a' }, [[T0, 1]]),
      floatSeries({ __name__: 'b' }, [
        [T0, 1],
        [T0 + 1, 1],
      ]),
      floatSeries({ __name__: 'a' }, [[T0 + 1, 1]]),
    ]),
    1,
    policy,
  );
  expect(result.samples).toBe(2);
  expect(result.refusedCounts).toEqual(new Map([['series_limit', 2]]));
  expect(result.refused[0]).toMatchObject({ reason: 'at most 1 series', t: T0 });
});

test('a request that does not parse to its end is refused, and what came before the fault is kept and logged', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0);
  const db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  const good = encodeWriteRequest({ timeSeries: [floatSeries({ __name__: 'a' }, [[T0, 1]])], metadata: [] });
  const broken = snappyCompress(Uint8Array.from([...good, 0x0a, 0x7f, 1])).slice();
  await expect(db.write(broken, 1, admitAll)).rejects.toMatchObject({ code: 'bad_data' });
  const before = await answer(db, 0, T0);
  await expect(db.write(Uint8Array.of(9, 9, 9), 1, admitAll)).rejects.toMatchObject({ code: 'bad_data' });
  disk.crash(1);
  expect(await answer(await openDb(disk, clock), 0, T0)).toEqual(before);
});

test('a label set that is too long is refused alone', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0));
  const result = await db
    .write(
      requestBody([
        floatSeries({ __name__: 'a', long: 'x'.repeat(70_000) }, [[T0, 1]]),
        floatSeries({ __name__: 'b' }, [[T0, 1]]),
      ]),
      1,
      admitAll,
    )
    .catch((error: unknown) => error);
  // The kernel may refuse such a set before it gets here; then the whole request is bad data.
  if (result instanceof Error) expect(result).toMatchObject({ code: 'bad_data' });
  else expect(result).toMatchObject({ samples: 1, refused: [{ outcome: 'invalid_labels' }] });
});

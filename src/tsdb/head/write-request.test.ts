import { expect, test } from 'vitest';
import { snappyCompress } from '../../encoding/snappy.ts';
import { Labels } from '../../model/labels.ts';
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

test('metadata of a 1.0 request is known by family', async () => {
  const db = await openDb(new MemoryDisk(), new TestClock(T0));
  const metadata = [{ family: 'a_seconds', metadata: METADATA }];
  await db.write(snappyCompress(encodeWriteRequest({ timeSeries: [], metadata })).slice(), 1, admitAll);
  expect(Object.fromEntries(db.head.metadata())).toEqual({ a_seconds: [METADATA] });
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

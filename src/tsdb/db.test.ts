import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import type { Db } from './db.ts';
import { folderBytes } from './db-blocks.ts';
import { admitAll } from './head/series-table.ts';
import { answer, floatSeries, HOUR, openDb, requestBody, T0, TestClock } from './testdata/db-fixture.ts';

const FOREVER = [0, T0 * 2] as const;

async function write(db: Db, name: string, samples: readonly [number, number][]) {
  return db.write(requestBody([floatSeries({ __name__: name }, samples)]), 1, admitAll);
}

function minutes(from: number, to: number): [number, number][] {
  const samples: [number, number][] = [];
  for (let t = from; t < to; t += 60_000) samples.push([t, t / 60_000]);
  return samples;
}

test('a head that spans more than one and a half ranges becomes blocks, and nothing is lost or doubled', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 8 * HOUR);
  const db = await openDb(disk, clock);
  const samples = minutes(T0, T0 + 8 * HOUR);
  for (const sample of samples) await write(db, 'a', [sample]);
  const expected = { '{__name__="a"}': samples };
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  await db.maintain();
  expect(db.blocks.map(({ block }) => [block.meta.minTime, block.meta.maxTime])).toEqual([
    [T0, T0 + 2 * HOUR],
    [T0 + 2 * HOUR, T0 + 4 * HOUR],
    [T0 + 4 * HOUR, T0 + 6 * HOUR],
  ]);
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  disk.crash(1);
  const again = await openDb(disk, clock);
  expect(await answer(again, T0, T0 + 6 * HOUR - 1)).toEqual({
    '{__name__="a"}': samples.filter(([t]) => t < T0 + 6 * HOUR),
  });
});

test('samples deleted from head and blocks stay deleted across compaction and restart', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 4 * HOUR);
  let db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  const samples = minutes(T0, T0 + 4 * HOUR);
  const both = [floatSeries({ __name__: 'a' }, samples), floatSeries({ __name__: 'b' }, samples)];
  await db.write(requestBody(both), 1, admitAll);
  const isDeleted = (t: number) => t >= T0 + HOUR && t <= T0 + 3 * HOUR;
  await db.deleteSeries([new Matcher('=', '__name__', 'a')], T0 + HOUR, T0 + 3 * HOUR);
  const expected = {
    '{__name__="a"}': samples.filter(([t]) => !isDeleted(t)),
    '{__name__="b"}': samples,
  };
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  disk.crash(2);
  db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  await db.maintain();
  expect(db.blocks.length).toBe(1);
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  await db.deleteSeries([new Matcher('=', '__name__', 'b')], T0, T0 + HOUR);
  disk.crash(3);
  db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  expect(await answer(db, ...FOREVER)).toEqual({
    ...expected,
    '{__name__="b"}': samples.filter(([t]) => t > T0 + HOUR),
  });
});

test('a series without samples is forgotten and can come again', async () => {
  const clock = new TestClock(T0 + 9 * HOUR);
  const db = await openDb(new MemoryDisk(), clock);
  await write(db, 'old', minutes(T0, T0 + HOUR));
  await write(db, 'new', minutes(T0, T0 + 4 * HOUR));
  await db.maintain();
  expect(db.head.seriesCount).toBe(1);
  await write(db, 'old', [[T0 + 4 * HOUR, 1]]);
  expect(Object.keys(await answer(db, T0 + 4 * HOUR, T0 + 5 * HOUR))).toEqual(['{__name__="old"}']);
  expect((await answer(db, ...FOREVER))['{__name__="old"}']).toHaveLength(61);
});

test('late samples inside the window are answered, survive a crash and become an overlapping block', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 6 * HOUR);
  const options = { limits: { outOfOrderWindowMs: 6 * HOUR }, wal: { fsync: 'always' as const } };
  let db = await openDb(disk, clock, options);
  await write(db, 'a', [[T0 + 5 * HOUR, 1]]);
  const late: [number, number][] = Array.from({ length: 100 }, (_, i) => [T0 + ((i * 37) % 100) * 60_000, i]);
  const result = await write(db, 'a', late);
  expect(result.refusedCounts.size).toBe(0);
  const expected = {
    '{__name__="a"}': [...late, [T0 + 5 * HOUR, 1]].sort((a, b) => a[0] - b[0]),
  };
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  disk.crash(4);
  db = await openDb(disk, clock, options);
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  await db.maintain();
  expect(db.blocks, 'not a block of them every minute').toEqual([]);
  clock.time += 2 * HOUR;
  await db.maintain();
  expect(db.blocks.map(({ block }) => block.meta.compaction.hints)).toEqual([['from-out-of-order']]);
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  disk.crash(5);
  db = await openDb(disk, clock, options);
  expect(await answer(db, ...FOREVER)).toEqual(expected);
  expect((await write(db, 'a', [[T0 - 2 * HOUR, 1]])).refusedCounts).toEqual(new Map([['too_old', 1]]));
});

test('limits that are raised while it runs are in force at once, and late samples then are in a log', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 2 * HOUR);
  const wal = { fsync: 'always' as const };
  let db = await openDb(disk, clock, { wal });
  await write(db, 'a', [[T0 + 2 * HOUR, 1]]);
  const late: [number, number][] = [[T0 + HOUR, 2]];
  expect((await write(db, 'a', late)).refusedCounts.size).toBe(1);
  const limits = { outOfOrderWindowMs: 2 * HOUR, futureMs: 2 * HOUR, requestBytesMax: 10 };
  await Promise.all([db.setLimits(limits), db.setLimits(limits)]);
  await expect(write(db, 'a', late)).rejects.toMatchObject({ code: 'too_large' });
  await db.setLimits({ requestBytesMax: 1000 });
  await write(db, 'a', [...late, [T0 + 4 * HOUR, 3]]);
  disk.crash(1);
  db = await openDb(disk, clock, { wal });
  expect(await answer(db, ...FOREVER)).toEqual({
    '{__name__="a"}': [
      [T0 + HOUR, 2],
      [T0 + 2 * HOUR, 1],
      [T0 + 4 * HOUR, 3],
    ],
  });
});

test('beyond its size on disk a tenant loses its oldest blocks, the log counted, and the newest stays', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 12 * HOUR);
  const db = await openDb(disk, clock);
  await write(db, 'a', minutes(T0, T0 + 12 * HOUR));
  await db.maintain();
  const sizes = db.blocks.map(({ sizeBytes }) => sizeBytes);
  expect(sizes.length).toBe(5);
  const log = await Promise.all(
    ['wal', 'wbl', 'chunks_head'].map((name) => folderBytes(disk, `data/${name}`)),
  );
  const rest = log.reduce((sum, bytes) => sum + bytes, 0);
  await db.setLimits({ retentionBytes: rest + sizes.slice(2).reduce((sum, bytes) => sum + bytes, 0) });
  await db.maintain();
  expect(db.blocks.map(({ block }) => block.meta.minTime)).toEqual(
    [4, 6, 8].map((hours) => T0 + hours * HOUR),
  );
  expect((await answer(db, ...FOREVER))['{__name__="a"}'][0][0]).toBe(T0 + 4 * HOUR);
  await db.setLimits({ retentionBytes: 1 });
  await db.maintain();
  expect(db.blocks.map(({ block }) => block.meta.minTime)).toEqual([T0 + 8 * HOUR]);
  expect((await disk.list('data')).filter(({ name }) => name.length === 26)).toHaveLength(1);
  await db.close();
});

test('refused samples are counted by reason, in the words of Prometheus', async () => {
  const clock = new TestClock(T0 + HOUR);
  const db = await openDb(new MemoryDisk(), clock);
  await write(db, 'a', [[T0 + HOUR, 1]]);
  const again = await write(db, 'a', [
    [T0 + HOUR, 1],
    [T0 + HOUR, 2],
    [T0 + HOUR - 1, 2],
    [T0 - HOUR, 2],
    [T0 + 2 * HOUR, 2],
  ]);
  expect(again.samples).toBe(1);
  expect(again.refused.map(({ outcome, reason, t }) => [outcome, reason, t])).toEqual([
    ['duplicate_value', 'duplicate sample for timestamp', T0 + HOUR],
    ['out_of_order', 'out of order sample', T0 + HOUR - 1],
    ['out_of_bounds', 'out of bounds', T0 - HOUR],
    ['too_far_future', 'too far in future', T0 + 2 * HOUR],
  ]);
  expect(again.refused[0].labels.toString()).toBe('{__name__="a"}');
});

test('a full disk refuses writes, answers queries, and loses nothing that was in memory', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + HOUR);
  let db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  await write(db, 'a', [[T0, 1]]);
  disk.faults.bytesLeft = 0;
  await expect(write(db, 'a', [[T0 + 1, 2]])).rejects.toMatchObject({ code: 'unavailable' });
  await expect(write(db, 'a', [[T0 + 2, 3]])).rejects.toMatchObject({ code: 'unavailable' });
  expect((await answer(db, ...FOREVER))['{__name__="a"}'].length).toBeGreaterThanOrEqual(1);
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  clock.time += 1000;
  await expect(write(db, 'a', [[T0 + 3, 4]])).rejects.toMatchObject({ code: 'unavailable' });
  await new Promise((resolve) => setImmediate(resolve));
  await write(db, 'a', [[T0 + 3, 4]]);
  const before = await answer(db, ...FOREVER);
  disk.crash(6);
  db = await openDb(disk, clock);
  expect(await answer(db, ...FOREVER)).toEqual(before);
});

test('a directory is open once, and a disk that cannot be written is named', async () => {
  const disk = new MemoryDisk();
  const db = await openDb(disk, new TestClock());
  await expect(openDb(disk, new TestClock())).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('data/lock'),
  });
  await db.close();
  disk.faults.readOnly = true;
  await expect(openDb(disk, new TestClock())).rejects.toThrow(/open data/);
});

test('blocks leave by age, oldest first, unless they may not', async () => {
  const clock = new TestClock(T0 + 8 * HOUR);
  const kept = new Set<string>();
  const hooks = { canDelete: (ulid: string) => !kept.has(ulid) };
  const db = await openDb(new MemoryDisk(), clock, { limits: { retentionMs: 5 * HOUR }, hooks });
  await write(db, 'a', minutes(T0, T0 + 8 * HOUR));
  await db.maintain();
  expect(db.blocks.map(({ block }) => block.meta.minTime)).toEqual([T0 + 2 * HOUR, T0 + 4 * HOUR]);
  kept.add(db.blocks[0].block.meta.ulid);
  clock.time += 24 * HOUR;
  await db.maintain();
  expect(db.blocks.map(({ block }) => block.meta.minTime)).toEqual([T0 + 2 * HOUR, T0 + 4 * HOUR]);
  kept.clear();
  await db.maintain();
  expect(
    db.blocks.map(({ block }) => block.meta.minTime),
    'the newest stays',
  ).toEqual([T0 + 4 * HOUR]);
});

test('after all but the newest block left, a restart does not make blocks of the same samples again', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 8 * HOUR);
  const options = { limits: { retentionMs: HOUR }, wal: { fsync: 'always' as const } };
  let db = await openDb(disk, clock, options);
  await write(db, 'a', minutes(T0, T0 + 8 * HOUR));
  clock.time += 24 * HOUR;
  await db.maintain();
  const left = db.blocks.map(({ block }) => block.meta.ulid);
  disk.crash(7);
  db = await openDb(disk, clock, options);
  await db.maintain();
  expect(db.blocks.map(({ block }) => block.meta.ulid)).toEqual(left);
});

test('a compaction that fails leaves no block behind, and the next one makes it', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 4 * HOUR);
  const db = await openDb(disk, clock);
  const samples = minutes(T0, T0 + 4 * HOUR);
  await write(db, 'a', samples);
  const folders = async () => (await disk.list('data')).filter(({ name }) => name.startsWith('0'));
  // The whole block is written when its verification fails.
  disk.faults.fails = (operation, path) => operation === 'read' && /[0-9A-Z]{26}.index/.test(path);
  await expect(db.maintain()).rejects.toThrow(/EIO/);
  expect(await folders()).toEqual([]);
  disk.faults.fails = () => false;
  await db.maintain();
  expect(db.blocks.length).toBe(1);
  expect((await folders()).length).toBe(1);
  expect(await answer(db, ...FOREVER)).toEqual({ '{__name__="a"}': samples });
});

test('a query keeps what it began with while the head becomes a block', async () => {
  const clock = new TestClock(T0 + 4 * HOUR);
  const db = await openDb(new MemoryDisk(), clock);
  const samples = minutes(T0, T0 + 4 * HOUR);
  await write(db, 'a', samples);
  const querier = await db.querier(...FOREVER);
  const maintained = db.maintain();
  while (db.blocks.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const held = await answer({ querier: async () => querier }, ...FOREVER);
  expect(held).toEqual({ '{__name__="a"}': samples });
  await maintained;
  expect(await answer(db, ...FOREVER)).toEqual(held);
});

test('what an appender collected is readable and durable after commit only', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + HOUR);
  let db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  const labels = Labels.from({ __name__: 'own' });
  const appender = db.appender(admitAll);
  expect(appender.append(labels, T0, 1)).toBe('ok');
  expect(appender.append(labels, T0, 2)).toBe('duplicate_value');
  expect(appender.append(labels, T0 - 1, 2)).toBe('out_of_order');
  expect(appender.append(labels, T0 + 1, 2)).toBe('ok');
  expect(await answer(db, ...FOREVER)).toEqual({});
  await appender.commit();
  expect(appender.append(labels, T0 + 2, 3)).toBe('ok');
  appender.rollback();
  disk.crash(7);
  db = await openDb(disk, clock);
  expect(await answer(db, ...FOREVER)).toEqual({
    '{__name__="own"}': [
      [T0, 1],
      [T0 + 1, 2],
    ],
  });
});

test('late samples whose series the log lost do not become those of a series made later', async () => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + HOUR);
  const options = { limits: { outOfOrderWindowMs: HOUR }, wal: { fsync: 'always' as const } };
  let db = await openDb(disk, clock, options);
  await write(db, 'a', [[T0 + HOUR, 1]]);
  await write(db, 'a', [[T0 + 60_000, 2]]);
  await db.close();
  await disk.remove('data/wal');
  await disk.syncDir('data');
  db = await openDb(disk, clock, options);
  await write(db, 'b', [[T0 + HOUR, 3]]);
  await db.close();
  db = await openDb(disk, clock, options);
  expect(await answer(db, ...FOREVER)).toEqual({ '{__name__="b"}': [[T0 + HOUR, 3]] });
});

test('what interrupted writes left is gone after the next start', async () => {
  const disk = new MemoryDisk();
  const db = await openDb(disk, new TestClock(T0 + HOUR));
  await write(db, 'a', [[T0, 1]]);
  await db.close();
  const left = [
    'data/01HF7WTK10R3H52KGNW7N1SZDZ.tmp-for-creation/index',
    'data/01HF7WTK10R3H52KGNW7N1SZDZ.tmp-for-deletion/index',
    'data/wal/checkpoint.00000003.tmp/00000000',
    'data/thanos.shipper.json.1f.tmp',
  ];
  for (const path of left) {
    await disk.makeDir(path.slice(0, path.lastIndexOf('/')));
    await disk.writeFileAtomic(path, new Uint8Array(3));
  }
  const again = await openDb(disk, new TestClock(T0 + HOUR));
  for (const path of left) expect(await disk.stat(path), path).toBeUndefined();
  expect(await answer(again, ...FOREVER)).toEqual({ '{__name__="a"}': [[T0, 1]] });
});

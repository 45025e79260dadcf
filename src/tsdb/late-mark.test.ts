import { expect, test } from 'vitest';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { type BlockMeta, readMeta, writeMeta } from './block/meta.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import {
  type Answer,
  answer,
  floatSeries,
  HOUR,
  openDb,
  requestBody,
  T0,
  TestClock,
} from './testdata/db-fixture.ts';

const MINUTE = 60_000;
const END = T0 + 3.5 * HOUR;
const OPTIONS = { limits: { outOfOrderWindowMs: HOUR } };
/** Of the block that the samples in order before it became. */
const CUT = T0 + 2 * HOUR;

test('a block of late samples whose hint a killed Prometheus did not write yet hides nothing that the log has in order', async () => {
  const { disk, whole, late } = await killedAmidCompaction();
  await editMeta(disk, late, ({ compaction: { hints: _, ...compaction } }) => compaction);
  const db = await openDb(disk, new TestClock(END), OPTIONS);
  expect(await answer(db, 0, END)).toEqual(whole);
  expect((await readMeta(disk, `data/${late}`)).compaction.hints).toEqual(['from-out-of-order']);
  await db.maintain();
  expect(await answer(db, 0, END)).toEqual(whole);
  await db.close();
  expect(await answer(await openDb(disk, new TestClock(END), OPTIONS), 0, END)).toEqual(whole);
});

test.each(['from-stale-series', 'from-selected-series'])(
  'a block with the hint %s of Prometheus 3 hides nothing that the log has of other series',
  async (hint) => {
    const { disk, whole, late } = await killedAmidCompaction();
    await editMeta(disk, late, ({ compaction }) => ({ ...compaction, hints: [hint] }));
    const db = await openDb(disk, new TestClock(END), OPTIONS);
    expect(await answer(db, 0, END)).toEqual(whole);
    expect((await readMeta(disk, `data/${late}`)).compaction.hints).toEqual([hint]);
  },
);

test('a block of the head gets no hint, however many late samples there are in its range', async () => {
  const disk = new MemoryDisk();
  const limits = { outOfOrderWindowMs: 4 * HOUR };
  const db = await openDb(disk, new TestClock(END), { limits });
  for (let t = T0; t < END; t += 20 * MINUTE) await write(db, 'in_order', t);
  await db.maintain();
  const { ulid } = db.blocks[0].block.meta;
  for (let t = T0; t < CUT; t += MINUTE) await write(db, 'in_order', t + 1);
  await db.close();
  await editMeta(disk, ulid, ({ compaction }) => compaction);
  const again = await openDb(disk, new TestClock(END), { limits });
  expect(again.blocks.map(({ block }) => block.meta.compaction.hints)).toEqual([undefined]);
  expect(again.head.store.minValidTime).toBe(CUT);
});

/**
 * The directory of a process that was killed when the block in order and the one of late samples after it had their names,
 * and nothing was cut yet.
 */
async function killedAmidCompaction(): Promise<{ disk: MemoryDisk; whole: Answer; late: string }> {
  const [disk, compacted] = [new MemoryDisk(), new MemoryDisk()];
  await fill(disk);
  const db = await fill(compacted);
  const whole = await answer(db, 0, END);
  await db.maintain();
  disk.crash(0);
  for (const { block } of db.blocks) await copyFolder(compacted, disk, block.dir);
  const late: BlockMeta | undefined = db.blocks
    .map(({ block }) => block.meta)
    .find(({ minTime }) => minTime === CUT);
  expect(late?.compaction.hints).toEqual(['from-out-of-order']);
  return { disk, whole, late: late!.ulid };
}

/** A sample a minute of a series in order, and of one of which every fifth comes ten minutes late. */
async function fill(disk: MemoryDisk): Promise<Db> {
  const db = await openDb(disk, new TestClock(END), OPTIONS);
  for (let t = T0; t < END; t += MINUTE) {
    await write(db, 'in_order', t);
    if ((t / MINUTE) % 5 !== 0) await write(db, 'sometimes_late', t);
    else if (t - 10 * MINUTE >= CUT) await write(db, 'sometimes_late', t - 10 * MINUTE);
  }
  await db.head.sync();
  return db;
}

async function write(db: Db, name: string, t: number): Promise<void> {
  await db.write(requestBody([floatSeries({ __name__: name }, [[t, (t - T0) / MINUTE]])]), 1, admitAll);
}

/** Changes a block's `meta.json`, and writes it as a Prometheus of that time does. */
async function editMeta(
  disk: MemoryDisk,
  ulid: string,
  edit: (meta: BlockMeta) => BlockMeta['compaction'],
): Promise<void> {
  const meta = await readMeta(disk, `data/${ulid}`);
  const { numSamples, numSeries, numChunks } = meta.stats;
  const stats = { numSamples, numSeries, numChunks };
  await writeMeta(disk, `data/${ulid}`, { ...meta, stats, compaction: edit(meta) });
}

async function copyFolder(from: MemoryDisk, to: MemoryDisk, dir: string): Promise<void> {
  await to.makeDir(dir);
  for (const { name, isDirectory } of await from.list(dir)) {
    const path = `${dir}/${name}`;
    if (isDirectory) await copyFolder(from, to, path);
    else await to.writeFileAtomic(path, await from.readFile(path));
  }
}

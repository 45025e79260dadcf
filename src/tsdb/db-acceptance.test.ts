import { MemoryDisk } from '../platform/memory-disk.ts';
import { type AcceptanceData, querierAcceptance } from '../storage/acceptance.ts';
import type { Db } from './db.ts';
import { admitAll } from './head/series-table.ts';
import { HOUR, openDb, T0, TestClock } from './testdata/db-fixture.ts';

async function filled({
  floats,
  histograms,
}: AcceptanceData): Promise<{ db: Db; disk: MemoryDisk; clock: TestClock }> {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 48 * HOUR);
  const db = await openDb(disk, clock, { wal: { fsync: 'always' } });
  const appender = db.appender(admitAll);
  for (const { labels, t, v } of floats) appender.append(labels, t, v);
  for (const { labels, t, histogram } of histograms) appender.appendHistogram(labels, t, histogram);
  await appender.commit();
  return { db, disk, clock };
}

querierAcceptance('head', async (data) => (await filled(data)).db);

querierAcceptance('head after a crash', async (data) => {
  const { disk, clock } = await filled(data);
  disk.crash(1);
  return openDb(disk, clock);
});

querierAcceptance('local blocks', async (data) => {
  const { db } = await filled(data);
  await db.flush();
  return db;
});

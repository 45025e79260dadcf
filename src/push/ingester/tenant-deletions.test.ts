import { expect, test } from 'vitest';
import { DeletionRequests } from '../../blocks/deletion-requests.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { CALM } from '../../objstore/acceptance.ts';
import { MemoryBucket } from '../../objstore/memory-bucket.ts';
import { silentLogger } from '../../platform/log.ts';
import { MemoryDisk } from '../../platform/memory-disk.ts';
import { Metrics } from '../../platform/metrics.ts';
import { SeededRandom } from '../../platform/random.ts';
import { admitAll } from '../../tsdb/head/series-table.ts';
import { answer, openDb, TestClock } from '../../tsdb/testdata/db-fixture.ts';
import { TenantDeletions } from './tenant-deletions.ts';

const place = { tenant: 'acme', dir: 'data' };

async function kit() {
  const clock = new TestClock();
  const bucket = new MemoryBucket(clock);
  const deps = { bucket, clock, random: new SeededRandom(1), log: silentLogger, metrics: new Metrics() };
  const deletions = new DeletionRequests(deps);
  const disk = new MemoryDisk();
  const db = await openDb(disk, clock);
  const write = async () => {
    const appender = db.appender(admitAll);
    appender.append(Labels.from({ __name__: 'up' }), clock.time - 1000, 1);
    await appender.commit();
  };
  const wish = { matcherSets: [[new Matcher('=', '__name__', 'up')]], mint: 0, maxt: clock.time + 600_000 };
  const open = () => TenantDeletions.open(place, db, { ...deps, disk, deletions });
  return { clock, disk, deletions, db, write, open, request: () => deletions.add(CALM, 'acme', wish) };
}

test('what comes to a new place is not meant by deletions from before', async () => {
  const { clock, deletions, db, write, open, request } = await kit();
  const { timeMs } = await request();
  clock.time += 60_000;
  const first = await open();
  await write();
  await first.apply(CALM);
  // Also after a restart.
  await (await open()).apply(CALM);
  expect(await answer(db, 0, 2 ** 42)).not.toEqual({});
  expect(deletions.of('acme')[0].timeMs).toBe(timeMs);
  clock.time += 60_000;
  await request();
  await first.apply(CALM);
  expect(await answer(db, 0, 2 ** 42)).toEqual({});
  await db.close();
});

test('a place that was away follows a deletion that was worked off meanwhile', async () => {
  const { clock, deletions, db, write, open, request } = await kit();
  await open();
  await write();
  clock.time += 60_000;
  const { id } = await request();
  await deletions.finish(CALM, 'acme', id);
  clock.time += 100 * 3_600_000;
  await (await open()).apply(CALM);
  expect(await answer(db, 0, 2 ** 42)).toEqual({});
  await db.close();
});

test('a place whose disk takes nothing is there all the same', async () => {
  const { disk, db, open } = await kit();
  disk.faults.bytesLeft = 0;
  await (await open()).apply(CALM);
  disk.faults.bytesLeft = Number.POSITIVE_INFINITY;
  await db.close();
});

import { BlockCatalog } from '../blocks/block-catalog.ts';
import { Shipper } from '../blocks/shipper.ts';
import { CALM } from '../objstore/acceptance.ts';
import { MemoryBucket } from '../objstore/memory-bucket.ts';
import { silentLogger } from '../platform/log.ts';
import { MemoryDisk } from '../platform/memory-disk.ts';
import { Metrics } from '../platform/metrics.ts';
import { SeededRandom } from '../platform/random.ts';
import { querierAcceptance } from '../storage/acceptance.ts';
import { admitAll } from '../tsdb/head/series-table.ts';
import { HOUR, openDb, T0, TestClock } from '../tsdb/testdata/db-fixture.ts';
import { StoreGateway } from './store-gateway.ts';

querierAcceptance('blocks in the bucket', async ({ floats, histograms }) => {
  const disk = new MemoryDisk();
  const clock = new TestClock(T0 + 48 * HOUR);
  const db = await openDb(disk, clock);
  const appender = db.appender(admitAll);
  for (const { labels, t, v } of floats) appender.append(labels, t, v);
  for (const { labels, t, histogram } of histograms) appender.appendHistogram(labels, t, histogram);
  await appender.commit();
  await db.flush();
  const bucket = new MemoryBucket(clock);
  const deps = {
    disk,
    clock,
    bucket,
    random: new SeededRandom(1),
    log: silentLogger,
    metrics: new Metrics(),
  };
  const shipper = await Shipper.open({ tenant: 'acme', dir: 'data' }, deps);
  await shipper.sync(CALM);
  const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps);
  const { readable: blocks } = await catalog.refresh(CALM, 'acme');
  const gateway = new StoreGateway({ cacheDir: '/headers' }, deps);
  return { querier: async (mint, maxt) => gateway.querier({ blocks, localUlids: new Set() }, mint, maxt) };
});

import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BlockCatalog } from '../../src/blocks/block-catalog.ts';
import { INDEX_FILE } from '../../src/blocks/layout.ts';
import { WasmHeadMemory } from '../../src/kernel/wasm-head-memory.ts';
import { CACHING_RULES } from '../../src/objstore/cache/caching-bucket.ts';
import { withCache } from '../../src/objstore/cache/open-cache.ts';
import { FilesystemBucket } from '../../src/objstore/filesystem-bucket.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { SystemRandom } from '../../src/platform/random.ts';
import { Engine } from '../../src/promql/engine.ts';
import type { Queryable } from '../../src/storage/querier.ts';
import { StoreGateway } from '../../src/store-gateway/store-gateway.ts';
import { PageCache } from '../../src/tsdb/chunks/page-cache.ts';
import { Db } from '../../src/tsdb/db.ts';
import { admitAll } from '../../src/tsdb/head/series-table.ts';
import { formatTable, median } from '../table.ts';
import {
  ASKED_METRIC,
  DAY_MS,
  DAY_START,
  DAY_ULID,
  labelsOf,
  makeDay,
  SERIES_PER_METRIC,
  SHAPES,
  samplesOfDay,
} from './make-day.ts';
import { WatchedBucket } from './watched-bucket.ts';

const CALM = { signal: new AbortController().signal };
const RUNS = 7;
const QUERIES = [
  `sum(rate(${ASKED_METRIC}[5m]))`,
  `sum by (namespace) (${ASKED_METRIC})`,
  `max_over_time(${ASKED_METRIC}{instance=~"10.0.00.*"}[1h])`,
];
const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
/** As `cache.config` of a process would have it. */
const CACHE = {
  type: 'IN-MEMORY',
  config: { sizeBytesMax: 256 * 1024 * 1024, itemBytesMax: 1024 * 1024 },
  rules: CACHING_RULES,
} as const;

/** The same 1,000 series of a day out of a head and, asked before, out of a block in a bucket behind a cache in memory. */
export async function measureWarm(cacheDir: string, metrics: number): Promise<string> {
  const folder = await mkdtemp(join(cacheDir, 'warm-'));
  try {
    const dir = join(cacheDir, `day-${metrics}`);
    await makeDay(machine.disk, dir, metrics);
    const db = await headOfDay(join(folder, 'head'));
    const { source, bucket } = await bucketOfDay(dir, folder);
    const rows: string[][] = [];
    for (const query of QUERIES) {
      const head = await measure(db, query);
      const warm = await measure(source, query);
      const requests = bucket.take().length;
      const ratio = (a: number, b: number) => (a / b).toFixed(2);
      rows.push([
        query,
        ...[head.wallMs, head.cpuMs, warm.wallMs, warm.cpuMs].map((value) => value.toFixed(0)),
        ratio(warm.wallMs, head.wallMs),
        ratio(warm.cpuMs, head.cpuMs),
        String(requests),
      ]);
    }
    await db.close();
    return formatTable(['query', 'head ms', 'CPU', 'bucket ms', 'CPU', 'ratio', 'CPU', 'requests'], rows);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function headOfDay(dir: string): Promise<Db> {
  const end = DAY_START + DAY_MS;
  const db = await Db.open({
    ...machine,
    clock: { now: () => end, monotonic: () => performance.now(), after: () => () => {} },
    log: silentLogger,
    metrics: new Metrics(),
    dir,
    newMemory: (options) => new WasmHeadMemory(options),
    pageCache: new PageCache(64 * 1024 * 1024),
    maintenanceIntervalMs: 0,
    limits: { blockRangeMs: 4 * DAY_MS },
  });
  const labels = Array.from({ length: SERIES_PER_METRIC }, (_, i) => labelsOf(ASKED_METRIC, i));
  const samples = Array.from({ length: SHAPES }, (_, shape) => samplesOfDay(shape));
  const count = samples[0].t.length;
  for (let from = 0; from < count; from += 120) {
    const appender = db.appender(admitAll);
    for (let i = from; i < Math.min(count, from + 120); i++)
      for (const [s, one] of labels.entries())
        appender.append(one, samples[s % SHAPES].t[i], samples[s % SHAPES].v[i]);
    await appender.commit();
  }
  return db;
}

async function bucketOfDay(dir: string, folder: string) {
  const store = new FilesystemBucket(join(folder, 'bucket'), machine);
  for (const file of ['chunks/000001', INDEX_FILE, 'meta.json'])
    await store.upload(
      CALM,
      `acme/${DAY_ULID}/${file}`,
      await machine.disk.readFile(join(dir, DAY_ULID, file)),
    );
  const bucket = new WatchedBucket(store, machine.clock);
  const deps = { ...machine, log: silentLogger, metrics: new Metrics() };
  const catalog = new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, { ...deps, bucket: store });
  const { readable: blocks } = await catalog.refresh(CALM, 'acme');
  const cached = await withCache(bucket, CACHE, deps);
  const gateway = new StoreGateway({ cacheDir: join(folder, 'cache') }, { ...deps, bucket: cached });
  return { source: gateway.queryable(() => ({ blocks, localUlids: new Set() })), bucket };
}

async function measure(source: Queryable, query: string) {
  const engine = new Engine();
  const options = { startMs: DAY_START + 3_600_000, endMs: DAY_START + DAY_MS - 60_000, stepMs: 60_000 };
  const walls: number[] = [];
  const cpus: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const cpu = process.cpuUsage();
    const begin = performance.now();
    await engine.range(CALM, source, query, options);
    const { user, system } = process.cpuUsage(cpu);
    // The first ones fill caches and warm up the engine.
    if (run < 2) continue;
    walls.push(performance.now() - begin);
    cpus.push((user + system) / 1000);
  }
  return { wallMs: median(walls), cpuMs: median(cpus) };
}

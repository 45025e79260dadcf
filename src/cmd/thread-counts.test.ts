import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeJob } from '../compactor/make-job.ts';
import { ThreadRunner } from '../compactor/thread-runner.ts';
import { loadConfig } from '../config/load.ts';
import { SystemClock } from '../platform/clock.ts';
import { silentLogger } from '../platform/log.ts';
import { Metrics } from '../platform/metrics.ts';
import { NodeDisk } from '../platform/node-disk.ts';
import { SystemRandom } from '../platform/random.ts';
import { startThread, type Thread } from '../platform/threads.ts';
import { TenantLimits } from '../tenancy/limits.ts';
import { openBucketSide } from './bucket-side.ts';
import { buildQuerySide } from './query-side.ts';
import { buildTenants } from './write-side.ts';

const TESTDATA = join(import.meta.dirname, '../store-gateway/testdata');
const TIME_MS = (1_700_006_400 + 100 * 60) * 1000;

test('what query and compaction threads ask of the bucket and the cache is on the page of the process, also of those that died', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'verona-thread-counts-'));
  for (const block of readdirSync(TESTDATA).filter((name) => !name.endsWith('.md')))
    cpSync(join(TESTDATA, block), join(dir, 'bucket/acme', block), { recursive: true });
  const text = `
data: { dir: ${JSON.stringify(dir)} }
query: { threads: 1 }
objstore: { hedge_reads: true }
cache: { config: "{type: IN-MEMORY, config: {}}" }
`;
  const config = loadConfig({ file: 'test', text }, {}, {});
  const metrics = new Metrics();
  const deps = {
    disk: new NodeDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLogger,
    metrics,
    limits: new TenantLimits(config.limits, {}),
  };
  const places = { dataDir: dir, cacheDir: join(dir, 'cache') };
  const events = { onListed: async () => {}, onTenantDeleted: async () => {} };
  const bucket = await openBucketSide(config, places, deps, events);
  if (!bucket) throw new Error('there is a bucket');
  const tenantsDir = join(dir, 'tsdb');
  const tenants = buildTenants(config, tenantsDir, bucket, deps);
  const threads: Thread[] = [];
  const sources = { tenants, tenantsDir, bucket, endpoints: undefined };
  const queries = buildQuerySide(config, places, sources, {
    ...deps,
    start: (...args) => {
      const thread = startThread(...args);
      threads.push(thread);
      return thread;
    },
  });
  const caller = { signal: new AbortController().signal };
  const query = async (text: string) => {
    const job = { kind: 'instant', query: text, lookbackDeltaMs: 0, limit: 0, stats: 'none' } as const;
    const { body } = await queries.run('acme', { ...job, analyze: false, timeMs: TIME_MS }, caller);
    return JSON.parse(Buffer.from(body as string).toString()).data.result;
  };
  const page = () => metrics.registry.metrics();
  try {
    await bucket.sync.start();
    const listed = shown(await page());
    expect(listed.get('bucket_operations_total{operation="get_range"}')).toBe(0);

    expect(await query('count(up)')).toMatchObject([{ value: [TIME_MS / 1000, '20'] }]);
    const first = shown(await page());
    const reads = first.get('bucket_operations_total{operation="get_range"}') ?? 0;
    expect(reads).toBeGreaterThan(0);
    expect(first.get('bucket_operation_duration_seconds_count{operation="get_range"}')).toBe(reads);
    expect(first.get('bucket_operation_transferred_bytes_total{operation="get_range"}')).toBeGreaterThan(
      1000,
    );
    expect(first.get('cache_requests_total{item="subrange"}')).toBeGreaterThan(0);

    await query('count(up)');
    const second = shown(await page());
    expect(second.get('cache_hits_total{item="subrange"}')).toBeGreaterThan(0);
    expect(second.get('cache_hit_bytes_total{item="subrange"}')).toBeGreaterThan(1000);

    await threads[0].stop();
    await expect.poll(() => threads.length).toBe(2);
    expect(fallen(second, shown(await page()))).toEqual([]);
    await query('count(up)');
    const last = shown(await page());
    expect(fallen(second, last)).toEqual([]);
    expect(last.get('bucket_operations_total{operation="get_range"}')).toBeGreaterThan(reads);

    const runner = new ThreadRunner(() => {
      const options = { bucket: bucket.options, counts: bucket.counts.memory, dedup: 'penalty' };
      const place = new URL('./compaction-thread.ts', import.meta.url);
      return startThread(place, { ...options, workDir: join(dir, 'work') });
    });
    const shape = { kind: 'compact', resolutionMs: 0, shards: 1, replicaLabels: [] } as const;
    const job = makeJob('acme', bucket.sync.blocksOf('acme'), [], shape);
    expect((await runner.run(caller, job, () => {})).outputs).toHaveLength(1);
    const joined = shown(await page());
    expect(fallen(last, joined)).toEqual([]);
    const risen = (series: string) => (joined.get(series) ?? 0) - (last.get(series) ?? 0);
    expect(risen('bucket_operations_total{operation="upload"}')).toBe(3);
    expect(risen('bucket_operation_transferred_bytes_total{operation="upload"}')).toBeGreaterThan(1000);
  } finally {
    await queries.threads.stop();
    await bucket.sync.stop();
    await bucket.bucket.close();
    rmSync(dir, { recursive: true });
  }
});

/** Series of the page about the bucket and its cache. */
function shown(page: string): Map<string, number> {
  const lines = page.matchAll(/^verona_objstore_(\S+) (\S+)$/gm);
  return new Map([...lines].map(([, series, value]) => [series, Number(value)]));
}

/** Series that are lower than before, or gone. */
function fallen(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): string[] {
  return [...before].filter(([series, value]) => !((after.get(series) ?? -1) >= value)).map(([name]) => name);
}

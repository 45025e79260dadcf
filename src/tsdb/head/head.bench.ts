import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { encodeLabels } from '../../encoding/label-bytes.ts';
import { snappyCompress } from '../../encoding/snappy.ts';
import { WasmHeadMemory } from '../../kernel/wasm-head-memory.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { SystemClock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { NodeDisk } from '../../platform/node-disk.ts';
import { SystemRandom } from '../../platform/random.ts';
import { encodeWriteRequest } from '../../proto/remote-write.ts';
import type { TimeSeries } from '../../proto/time-series.ts';
import { PageCache } from '../chunks/page-cache.ts';
import { Db } from '../db.ts';
import { HeadIndex } from './head-index.ts';
import { admitAll } from './series-table.ts';

/**
 * Memory of the index per series, and on a real disk: writing, reading the log back, compacting to a block, and the
 * longest time the event loop stood still meanwhile.
 * `node --expose-gc src/tsdb/head/head.bench.ts [series] [samples per series]`
 */
const SERIES = Number(process.argv[2] ?? 100_000);
const ROUNDS = Number(process.argv[3] ?? 100);
const REQUEST_SERIES = 2_000;
const RANGE = 7_200_000;
const START = 1_699_992_000_000;

measureIndex();
await measureDb();

function labelsOf(i: number): Labels {
  return Labels.from({
    __name__: `metric_${i % 500}_total`,
    cluster: 'eu-1',
    container: `c${i % 37}`,
    endpoint: 'http',
    instance: `10.0.${(i >> 8) & 255}.${(i >> 6) & 3}:9100`,
    job: `job-${i % 23}`,
    namespace: `ns-${i % 101}`,
    node: `node-${(i >> 9) % 200}`,
    pod: `pod-${Math.floor(i / 500)}-abcde`,
    unique: i % 10 === 0 ? `u${i}` : 'none',
  });
}

function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function measureIndex(): void {
  const before = heapBytes();
  const index = new HeadIndex({ labelBytesOf: (slot) => encodeLabels(labelsOf(slot - 1)) });
  let took = 0;
  for (let i = 0; i < SERIES; i++) {
    const labelBytes = encodeLabels(labelsOf(i));
    const start = performance.now();
    index.add(i + 1, labelBytes);
    took += performance.now() - start;
  }
  const bytes = (heapBytes() - before) / SERIES;
  console.log(
    `index: ${SERIES} series, ${bytes.toFixed(0)} B/series, ${((took * 1000) / SERIES).toFixed(1)} µs/series`,
  );
  if (index.seriesCount !== SERIES) throw new Error('the index is used until here');
}

async function measureDb(): Promise<void> {
  const dir = await mkdtemp(`${tmpdir()}/head-bench-`);
  try {
    let db = await open(dir);
    await fill(db);
    await db.close();
    const start = performance.now();
    db = await open(dir);
    const took = performance.now() - start;
    const { samples, skipped } = db.head.replayed;
    const speed = (samples + skipped) / took / 1000;
    console.log(
      `replay: ${samples} samples (${skipped} more in closed chunks) in ${took.toFixed(0)} ms, ${speed.toFixed(1)} M/s`,
    );
    const stall = watchStalls();
    const from = performance.now();
    await db.maintain();
    console.log(
      `block: ${db.blocks.length} in ${(performance.now() - from).toFixed(0)} ms, longest stall ${stall().toFixed(0)} ms`,
    );
    await queryAll(db);
    await db.close();
  } finally {
    await rm(dir, { recursive: true });
  }
}

async function fill(db: Db): Promise<void> {
  const sets = Array.from({ length: SERIES }, (_, i) => labelsOf(i).flat);
  const start = performance.now();
  let writing = 0;
  // The rounds span three hours and a half, so that one block is due at the end.
  for (let round = 0; round < ROUNDS; round++) {
    const t = START + Math.floor((round * 1.75 * RANGE) / ROUNDS);
    for (let from = 0; from < SERIES; from += REQUEST_SERIES) {
      const timeSeries: TimeSeries[] = sets.slice(from, from + REQUEST_SERIES).map((labels, i) => ({
        labels,
        samples: [{ t, v: round * 10 + (i % 7), startT: 0 }],
        histograms: [],
        exemplars: [],
      }));
      const body = snappyCompress(encodeWriteRequest({ timeSeries, metadata: [] })).slice();
      const at = performance.now();
      await db.write(body, 1, admitAll);
      writing += performance.now() - at;
    }
  }
  const speed = (SERIES * ROUNDS) / writing / 1000;
  console.log(
    `write: ${SERIES * ROUNDS} samples, ${speed.toFixed(2)} M/s (with the requests made: ${((performance.now() - start) / 1000).toFixed(0)} s)`,
  );
  const use = db.head.store.memory.memoryUse();
  console.log(`memory: ${(use.total / SERIES).toFixed(0)} B/series in the kernel`);
}

async function queryAll(db: Db): Promise<void> {
  const querier = await db.querier(START, START + 2 * RANGE);
  const stall = watchStalls();
  const start = performance.now();
  let series = 0;
  const matchers = [new Matcher('=~', 'job', 'job-1.*')];
  const request = { matchers, mint: START, maxt: START + 2 * RANGE, sorted: true };
  for await (const batch of querier.select({ signal: new AbortController().signal }, request))
    series += batch.seriesCount;
  console.log(
    `query: ${series} series in ${(performance.now() - start).toFixed(0)} ms, longest stall ${stall().toFixed(0)} ms`,
  );
  await querier.close();
}

/** The most CPU time of this thread (ms) between two turns of the event loop until the returned function is called. */
function watchStalls(): () => number {
  let longest = 0;
  let done = false;
  const cpuMs = () => {
    const { user, system } = process.threadCpuUsage();
    return (user + system) / 1000;
  };
  let last = cpuMs();
  const look = () => {
    const now = cpuMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!done) setImmediate(look);
  };
  setImmediate(look);
  return () => {
    done = true;
    return longest;
  };
}

function open(dir: string): Promise<Db> {
  return Db.open({
    disk: new NodeDisk(),
    clock: new SystemClock(),
    random: new SystemRandom(),
    log: silentLogger,
    metrics: new Metrics(),
    dir: `${dir}/data`,
    newMemory: (options) => new WasmHeadMemory(options),
    pageCache: new PageCache(64 << 20),
    maintenanceIntervalMs: 0,
  });
}

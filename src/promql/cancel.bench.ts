import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { SystemClock } from '../platform/clock.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Queryable } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { Engine } from './engine.ts';

/**
 * `node --single-threaded-gc --max-semi-space-size=48 src/promql/cancel.bench.ts [TEXT]`: how long a query (whose text has TEXT) goes on after it was cancelled, ms of CPU of its thread,
 * so that other processes do not count: the worst of some attempts at different moments. 5,000 series, 500 steps.
 */
const SERIES = 5000;
const SAMPLES = 600;
const STEP = 15_000;
const ATTEMPTS = 8;
const QUERIES = [
  'rate(a_total[5m])',
  'sum by (job) (rate(a_total[5m]))',
  'topk(20, a_total)',
  'quantile by (job) (0.9, a_total)',
  'count_values("v", a_total)',
  'a_total / on (i) a_total',
  'a_total * on (job, i) group_left (le) a_total',
  'a_total and on (i) a_total',
  'a_total or on (i) a_total',
  'histogram_quantile(0.9, a_total)',
  'label_replace(a_total, "x", "$1", "i", "(.*)")',
  'sort_desc(a_total)',
  'max_over_time(rate(a_total[1m])[10m:15s])',
  'quantile_over_time(0.5, a_total[30m])',
  'abs(a_total - 5) * 2',
  'absent(a_total)',
];

// The pauses of a query do not keep the process alive.
const alive = setInterval(() => {}, 1000);
const clock = new SystemClock();
const storage = await frozen(await filled());
const engine = new Engine({ clock });
for (const query of QUERIES.filter((text) => text.includes(process.argv[2] ?? ''))) {
  const whole = await run(query, Number.POSITIVE_INFINITY);
  let worst = 0;
  for (let k = 1; k <= ATTEMPTS; k++)
    worst = Math.max(worst, (await run(query, (whole * k) / (ATTEMPTS + 1))) || 0);
  console.log(`${whole.toFixed(0).padStart(6)} ms whole, ${worst.toFixed(0).padStart(4)} ms after  ${query}`);
}
clearInterval(alive);

async function filled(): Promise<MemoryStorage> {
  const memory = new MemoryStorage();
  const appender = memory.appender();
  for (let i = 0; i < SERIES; i++) {
    const set = { __name__: 'a_total', i: `${Math.floor(i / 5)}`, job: `${i % 50}`, le: `${i % 5}` };
    const labels = Labels.from(set);
    for (let k = 0; k < SAMPLES; k++) appender.append(labels, k * STEP, (i % 97) + k);
  }
  await appender.commit();
  return memory;
}

/** Encoded once and given out for every select, so that only the engine is measured; nothing else stays for the collector to walk over. */
async function frozen(source: Queryable): Promise<Queryable> {
  const whole = await source.querier(0, SAMPLES * STEP);
  const matchers = [new Matcher('=', '__name__', 'a_total')];
  const request = { matchers, mint: 0, maxt: SAMPLES * STEP, sorted: false };
  const batches: SeriesBatch[] = [];
  for await (const batch of whole.select({ signal: new AbortController().signal }, request))
    batches.push(batch);
  const select = async function* () {
    yield* batches;
  };
  const none = async () => [];
  const querier = {
    select,
    warnings: [],
    labelNames: none,
    labelValues: none,
    exemplars: none,
    close: async () => {},
  };
  return { querier: async () => querier };
}

/** Ms of CPU that the query takes; when it is cancelled `afterMs` after it began, ms from then on; 0 when it was over before. */
async function run(query: string, afterMs: number): Promise<number> {
  const begin = cpuMs();
  // As of a query thread: seen without any message.
  const isAborted = () => cpuMs() - begin > afterMs;
  const signal = Object.defineProperties(new AbortController().signal, {
    aborted: { get: isAborted },
    reason: { value: new Error('canceled') },
  });
  const range = { startMs: 100 * STEP, endMs: SAMPLES * STEP, stepMs: STEP };
  let isOver = true;
  await engine.range({ signal }, storage, query, range).catch(() => {
    isOver = false;
  });
  const took = cpuMs() - begin;
  return afterMs === Number.POSITIVE_INFINITY ? took : isOver ? 0 : took - afterMs;
}

function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

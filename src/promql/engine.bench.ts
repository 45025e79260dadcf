import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Queryable } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { Engine } from './engine.ts';

/**
 * Speed of the engine over series in memory: `node src/promql/engine.bench.ts [series] [part of a query]`. 10,000 series with a sample
 * every 15 s, range queries of 241 steps of 15 s. Prints processor time of the fastest and of the median run, ms.
 */
const SERIES = Number(process.argv[2] ?? 10_000);
const STEP_MS = 15_000;
const STEPS = 241;
const WARMUP_SAMPLES = 130;
const ROUNDS = 5;
const BUCKETS = ['0.1', '0.5', '1', '2.5', '+Inf'];

const QUERIES = [
  'sum by (job) (rate(requests_total[5m]))',
  'sum(requests_total)',
  'rate(requests_total[5m])',
  'topk(5, rate(requests_total[5m]))',
  'avg_over_time(requests_total[30m])',
  'max by (job) (quantile_over_time(0.9, requests_total[5m]))',
  'histogram_quantile(0.9, sum by (job, le) (rate(requests_total[5m])))',
  'rate(requests_total[5m]) / on (instance, job, le) group_left rate(requests_total[5m])',
  'count(requests_total > 10)',
];

async function fill(storage: MemoryStorage): Promise<void> {
  const appender = storage.appender();
  for (let i = 0; i < SERIES; i++) {
    const labels = Labels.from({
      __name__: 'requests_total',
      instance: `10.0.${Math.floor(i / 250)}.${i % 250}:9090`,
      job: `job-${i % 100}`,
      le: BUCKETS[i % BUCKETS.length],
      method: 'GET',
      namespace: 'production',
      pod: `frontend-${i.toString(36)}-abcde`,
    });
    let value = i;
    for (let k = 0; k < STEPS + WARMUP_SAMPLES; k++) {
      value += 1 + ((i * 7 + k * 13) % 11);
      appender.append(labels, k * STEP_MS, value);
    }
  }
  await appender.commit();
}

/** Encoded once and given out for every select, so that only the engine is measured. */
async function freeze(storage: MemoryStorage): Promise<Queryable> {
  const ctx = { signal: new AbortController().signal };
  const querier = await storage.querier(0, Number.MAX_SAFE_INTEGER);
  const matchers = [new Matcher('=', '__name__', 'requests_total')];
  const request = { matchers, mint: 0, maxt: Number.MAX_SAFE_INTEGER, sorted: false };
  const batches: SeriesBatch[] = [];
  for await (const batch of querier.select(ctx, request)) batches.push(batch);
  const frozen = {
    ...querier,
    warnings: [],
    close: async () => {},
    async *select() {
      yield* batches;
    },
  };
  return { querier: async () => frozen as unknown as typeof querier };
}

async function measure(engine: Engine, storage: Queryable, query: string): Promise<number[]> {
  const startMs = WARMUP_SAMPLES * STEP_MS;
  const options = { startMs, endMs: startMs + (STEPS - 1) * STEP_MS, stepMs: STEP_MS };
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    await engine.range({ signal: new AbortController().signal }, storage, query, options);
    const { user, system } = process.cpuUsage(before);
    times.push((user + system) / 1000);
  }
  return times.sort((a, b) => a - b);
}

const storage = new MemoryStorage();
await fill(storage);
const source = await freeze(storage);
const engine = new Engine();
for (const query of QUERIES.filter((query) => query.includes(process.argv[3] ?? ''))) {
  const times = await measure(engine, source, query);
  const [fastest, median] = [times[0], times[Math.floor(times.length / 2)]];
  console.log(`${fastest.toFixed(0).padStart(6)} ${median.toFixed(0).padStart(6)} ms  ${query}`);
}

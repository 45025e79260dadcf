import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { MemoryStorage } from '../memory-storage.ts';
import type { Querier, SelectRequest } from '../querier.ts';
import type { SeriesBatch } from '../series-batch.ts';
import { type DedupFunction, DedupQuerier } from './dedup-querier.ts';

/**
 * Samples of two replicas through deduplication, millions per second of processor time on one thread. Run:
 * `node src/storage/dedup/dedup.bench.ts`. Healthy: both replicas are whole; gaps: the first lacks every fourth hour.
 */
const SERIES = 500;
const SAMPLES = 24 * 240;
const ROUNDS = 5;
const request: SelectRequest = {
  matchers: [new Matcher('=', '__name__', 'requests_total')],
  mint: 0,
  maxt: SAMPLES * 15_000,
  sorted: true,
  hints: { func: 'rate' },
};
const ctx = { signal: new AbortController().signal };

for (const gaps of [false, true]) {
  const batches = await replicas(gaps);
  for (const dedup of ['fill', 'penalty', 'chain'] as const) {
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < ROUNDS; round++) best = Math.min(best, await seconds(batches, dedup));
    const samples = 2 * SERIES * SAMPLES * (gaps ? 0.875 : 1);
    console.log(
      `${gaps ? 'gaps   ' : 'healthy'} ${dedup.padEnd(8)} ${(samples / best / 1e6).toFixed(1)} M samples/s`,
    );
  }
}

async function seconds(batches: readonly SeriesBatch[], dedup: DedupFunction): Promise<number> {
  const querier = new DedupQuerier(replay(batches), ['replica'], dedup);
  const start = process.cpuUsage();
  for await (const _ of querier.select(ctx, request));
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6;
}

/** A source that costs nothing. */
function replay(batches: readonly SeriesBatch[]): Querier {
  return {
    async *select() {
      yield* batches;
    },
    labelNames: async () => [],
    labelValues: async () => [],
    exemplars: async () => [],
    warnings: [],
    close: async () => {},
  };
}

async function replicas(gaps: boolean): Promise<SeriesBatch[]> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let s = 0; s < SERIES; s++)
    for (const [k, replica] of ['a', 'b'].entries()) {
      const labels = Labels.from({ __name__: 'requests_total', instance: `host-${s}`, replica });
      for (let i = 0; i < SAMPLES; i++)
        if (!gaps || k === 1 || Math.floor(i / 240) % 4 !== 3)
          appender.append(labels, i * 15_000 + k * 6000, Math.floor(i * 1.3 + s));
    }
  await appender.commit();
  const querier = await storage.querier(request.mint, request.maxt);
  const batches: SeriesBatch[] = [];
  for await (const batch of querier.select(ctx, request)) batches.push(batch);
  return batches;
}

import { encodeLabels } from '../../encoding/label-bytes.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import { BatchBuilder } from '../batch-builder.ts';
import type { Querier, SelectRequest } from '../querier.ts';
import type { SeriesBatch } from '../series-batch.ts';
import { type DedupFunction, DedupQuerier } from './dedup-querier.ts';
import { encodeFloats } from './encode-samples.ts';
import type { Samples } from './fill-gaps.ts';

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
  const batches = replicas(gaps);
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

function replicas(gaps: boolean): SeriesBatch[] {
  const builder = new BatchBuilder();
  const batches: SeriesBatch[] = [];
  for (let s = 0; s < SERIES; s++)
    for (const [k, replica] of ['a', 'b'].entries()) {
      const samples = samplesOf(s, k, gaps && k === 0);
      builder.addSeries(
        encodeLabels(Labels.from({ __name__: 'requests_total', instance: `host-${s}`, replica })),
      );
      for (const { mint, maxt, encoding, payload } of encodeFloats(samples))
        builder.addChunk(mint, maxt, encoding, payload);
      if (builder.isFull) batches.push(builder.take());
    }
  if (!builder.isEmpty) batches.push(builder.take());
  return batches;
}

function samplesOf(series: number, replica: number, gaps: boolean): Samples {
  const places = Array.from({ length: SAMPLES }, (_, i) => i).filter(
    (i) => !gaps || Math.floor(i / 240) % 4 !== 3,
  );
  return {
    timestamps: Float64Array.from(places, (i) => i * 15_000 + replica * 6000),
    values: Float64Array.from(places, (i) => Math.floor(i * 1.3 + series)),
  };
}

import { QueryKernel, type StepGrid, type WindowFunction } from '../kernel/query-kernel.ts';
import { SeededRandom } from '../platform/random.ts';
import { BatchBuilder } from '../storage/batch-builder.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { BatchDecoder } from './batch-decoder.ts';
import { decodeXor, XorAppender } from './xor.ts';

/**
 * What a query costs per sample, window and printed point: `node src/chunkenc/batch-decoder.bench.ts`.
 * 2,000 series, 1 h of 15 s and 30 min before it, 241 steps; the best of some rounds, on one thread.
 */
const SERIES = 2_000;
const SAMPLES = 361;
const START = 1_700_000_000_000;
const ROUNDS = 7;
const grid: StepGrid = { start: START + 1_800_000, step: 15_000, steps: 241 };

const random = new SeededRandom(1);
const data: Record<string, (i: number, series: number) => number> = {
  counter: (i, series) => i * 15 * (1 + (series % 7)) + Math.floor(random.next() * 20),
  gauge: () => Math.round(random.next() * 10_000) / 100,
};

const kernel = new QueryKernel();
const decoder = new BatchDecoder(kernel);

for (const [name, valueAt] of Object.entries(data)) {
  const batch = makeBatch(valueAt);
  console.log(`${name}: ${(batch.chunkData.length / SERIES / SAMPLES).toFixed(2)} bytes per sample`);
  report('decode, plain', SERIES * SAMPLES, () => {
    for (let c = 0; c < batch.chunkMint.length; c++)
      decodeXor(batch.chunkData, batch.chunkDataOffset[c], batch.chunkDataLength[c]);
  });
  const everySeries = (visit: (series: number) => void) => () => {
    decoder.open(batch);
    for (let series = 0; series < SERIES; series++) {
      decoder.floats(series, 0, Number.MAX_SAFE_INTEGER, false);
      visit(series);
    }
  };
  const decodeOnly = report(
    'decode, kernel',
    SERIES * SAMPLES,
    everySeries(() => undefined),
  );
  const windows = (func: WindowFunction, minutes: number) =>
    report(
      `${func} ${minutes}m`,
      SERIES * grid.steps,
      everySeries(() => kernel.windows(func, grid, minutes * 60_000)),
      decodeOnly,
    );
  windows('rate', 5);
  windows('max_over_time', 30);
  windows('sum_over_time', 30);
  windows('avg_over_time', 30);
  windows('stddev_over_time', 5);
  report(
    'instant',
    SERIES * grid.steps,
    everySeries(() => kernel.instant(grid, 300_000)),
    decodeOnly,
  );
  const groupsOf = () => kernel.groups('sum', grid.steps);
  let groups = groupsOf();
  const summed = report('sum by (rate 5m), whole', SERIES * grid.steps, () => {
    groups = groupsOf();
    everySeries((series) => {
      kernel.windows('rate', grid, 300_000);
      groups.add(series % 20);
    })();
  });
  console.log(`  sum by (rate 5m) of ${SERIES} series: ${summed.toFixed(1)} ms`);
  kernel.setRow(groups.finish(0).slice());
  report('print a row', 400 * grid.steps, () => {
    for (let i = 0; i < 400; i++) kernel.writeMatrixRow(grid);
  });
}

/** Prints ns per unit, what is known to be something else taken off; returns the ms of the best round. */
function report(name: string, units: number, run: () => void, offMs = 0): number {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = performance.now();
    run();
    best = Math.min(best, performance.now() - begin);
  }
  console.log(`  ${name.padEnd(26)} ${(((best - offMs) * 1e6) / units).toFixed(1).padStart(7)} ns`);
  return best;
}

function makeBatch(valueAt: (i: number, series: number) => number): SeriesBatch {
  const builder = new BatchBuilder();
  for (let series = 0; series < SERIES; series++) {
    builder.addSeries(new Uint8Array());
    for (let from = 0; from < SAMPLES; from += 120) {
      const appender = new XorAppender();
      for (let i = from; i < Math.min(from + 120, SAMPLES); i++)
        appender.append(START + i * 15_000, valueAt(i, series));
      builder.addChunk(START + from * 15_000, appender.lastTime, appender.encoding, appender.bytes());
    }
  }
  return builder.take();
}

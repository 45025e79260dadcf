import { expect, test } from 'vitest';
import type { FloatHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import { Engine } from '../engine.ts';
import type { Columns } from '../query-result.ts';

const MINUTE = 60_000;
const SERIES = 12;
const ctx = { signal: new AbortController().signal };
const histogram: FloatHistogram = {
  kind: 'float',
  schema: 0,
  zeroThreshold: 0.001,
  zeroCount: 1,
  count: 3,
  sum: 4,
  positiveSpans: [{ offset: 0, length: 1 }],
  negativeSpans: [],
  positiveBuckets: [2],
  negativeBuckets: [],
  customValues: [],
  counterResetHint: 'gauge',
};

/** Series of floats that overflow, are NaN, and have gaps; those in `histograms` have a histogram at minute 7. */
async function storageWith(histograms: readonly number[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let n = 0; n < SERIES; n++) {
    const labels = Labels.from({ __name__: 'x_total', job: `${n % 3}`, instance: `${n}` });
    for (let i = 0; i < 30; i++) {
      if (i === 7 && histograms.includes(n)) appender.appendHistogram(labels, i * MINUTE, histogram);
      else if ((i + n) % 11 < 8) appender.append(labels, i * MINUTE, valueAt(n, i));
    }
  }
  await appender.commit();
  return storage;
}

function valueAt(n: number, i: number): number {
  if (i === 3) return 1e308;
  if (i === 4 && n % 4 === 0) return Number.NaN;
  if (i === 5 && n % 5 === 0) return n % 2 === 0 ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  return Math.sin(n * 31 + i) * 10 ** (n % 5);
}

const OPERATORS = ['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'];
const VECTORS = ['x_total', 'x_total offset 1m', 'rate(x_total[5m])', 'max_over_time(x_total[3m])'];
const HISTOGRAMS = { none: [], first: [0], middle: [4, 5], last: [11] };

/** A function that changes nothing, but through which rows only come as batches. */
const asBatches = (vector: string) => `label_replace(${vector}, "none", "", "job", ".*")`;

test.each(OPERATORS)('%s in the kernel has the bits of an aggregation of batches', async (operator) => {
  for (const [place, histograms] of Object.entries(HISTOGRAMS)) {
    const storage = await storageWith(histograms);
    for (const vector of VECTORS) {
      const inKernel = await evaluate(storage, `${operator} by (job) (${vector})`);
      const inBatches = await evaluate(storage, `${operator} by (job) (${asBatches(vector)})`);
      expect(inKernel.rows, `${vector}, histograms: ${place}`).toEqual(inBatches.rows);
      expect(inKernel.warnings, `${vector}, histograms: ${place}`).toEqual(inBatches.warnings);
    }
  }
});

async function evaluate(storage: MemoryStorage, query: string) {
  const options = { startMs: 0, endMs: 30 * MINUTE, stepMs: MINUTE };
  const { value, warnings } = await new Engine({ batchCells: 62 }).range(ctx, storage, query, options);
  if (value.type !== 'matrix') throw new Error(`${query} has rows`);
  return { rows: rowsOf(value.columns), warnings: warnings.map((text) => text.replace(/ \(\d+:\d+\)$/, '')) };
}

/** Labels, and every cell as its number, histogram or false. */
function rowsOf({ labels, grid, values, presence, histograms }: Columns): unknown[] {
  const cell = (i: number) => (presence[i] === 1 ? values[i] : presence[i] === 2 && histograms![i]);
  return labels.map((set, row) => [
    `${set}`,
    ...Array.from({ length: grid.count }, (_, i) => cell(row * grid.count + i)),
  ]);
}

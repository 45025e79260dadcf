import { beforeAll, expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Queryable } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { Engine } from './engine.ts';
import type { QueryResult } from './query-result.ts';

/**
 * How much a query works on between two looks at whether it is to stop, told by counting: rows and cells, never time. There
 * is no clock, so that nothing but work makes a query look.
 */
const SERIES = 4000;
const SAMPLES = 3;
const STEP = 60_000;
/** Rows, comparisons of rows, and cells of long rows, between two looks, on the average over a phase. */
const ROWS_MAX = 512;
const COMPARISONS_MAX = 2048;
const CELLS_MAX = 65_536;

const engine = new Engine({ features: { 'promql-experimental-functions': true } });
let batches: SeriesBatch[];
let long: SeriesBatch[];

beforeAll(async () => {
  batches = await encoded(SERIES, SAMPLES);
  long = await encoded(20, 4000);
});

/** The same batches for every select: what is looked at is the engine. */
async function encoded(series: number, samples: number): Promise<SeriesBatch[]> {
  const memory = new MemoryStorage();
  const appender = memory.appender();
  for (let i = 0; i < series; i++) {
    const set = { __name__: 'a_total', i: `${Math.floor(i / 5)}`, job: `${i % 50}`, le: `${i % 5}` };
    for (let k = 0; k < samples; k++) appender.append(Labels.from(set), k * STEP, (i % 97) + k);
  }
  await appender.commit();
  const maxt = samples * STEP;
  const querier = await memory.querier(0, maxt);
  const request = { matchers: [new Matcher('=', '__name__', 'a_total')], mint: 0, maxt, sorted: false };
  const found: SeriesBatch[] = [];
  for await (const batch of querier.select({ signal: new AbortController().signal }, request))
    found.push(batch);
  return found;
}

/** A query over batches that come one by one; looks are counted, and those at which `stopsAt` holds end it. */
class Watched {
  looks = 0;
  /** Looks when each batch was handed out, and when each select had ended. */
  readonly atBatch: number[] = [];
  readonly atEnd: number[] = [];
  stopsAt: (watched: Watched) => boolean = () => false;
  readonly #batches: readonly SeriesBatch[];

  constructor(source: readonly SeriesBatch[]) {
    this.#batches = source;
  }

  run(query: string, start: number, end: number): Promise<QueryResult> {
    const isAborted = () => {
      this.looks++;
      return this.stopsAt(this);
    };
    const signal = Object.defineProperties(new AbortController().signal, {
      aborted: { get: isAborted },
      reason: { value: new Error('canceled') },
    });
    const range = { startMs: start, endMs: end, stepMs: STEP };
    return start === end
      ? engine.instant({ signal }, this.#source(), query, { timeMs: start })
      : engine.range({ signal }, this.#source(), query, range);
  }

  #source(): Queryable {
    const watched = this;
    const given = this.#batches;
    return {
      querier: async () => ({
        warnings: [],
        async *select() {
          for (const batch of given) {
            watched.atBatch.push(watched.looks);
            yield batch;
          }
          watched.atEnd.push(watched.looks);
        },
        labelNames: async () => [],
        labelValues: async () => [],
        exemplars: async () => [],
        close: async () => {},
      }),
    };
  }
}

/** What holds many rows when everything is read, and has to work on them then. */
const AFTER_READING = [
  'a_total',
  'a_total > 5',
  'sum by (i, le) (a_total)',
  'topk by (i, le) (1, a_total)',
  'limitk by (i, le) (1, a_total)',
  'count_values by (i, le) ("v", a_total)',
  'quantile by (i, le) (0.5, a_total)',
  'a_total / on (i, le) a_total',
  'a_total * on (i, le) group_left (job) a_total',
  'a_total == bool on (i, le) a_total',
  'a_total and on (i) a_total',
  'a_total or on (i) a_total',
  'a_total unless on (i) a_total{x=""}',
  'histogram_quantile(0.9, a_total)',
  'histogram_fraction(0, 1, a_total)',
  'label_replace(a_total, "x", "$1", "i", "(.*)")',
  'label_join(a_total, "x", "-", "i", "job")',
  'sort(a_total)',
  'sort_desc(a_total)',
  'sort_by_label(a_total, "i")',
  'abs(a_total)',
  'timestamp(a_total)',
  'max_over_time(rate(a_total[2m])[3m:1m])',
];

test.each(AFTER_READING)('%s looks often when all is read, and stops there', async (query) => {
  const t = (SAMPLES - 1) * STEP;
  const watched = new Watched(batches);
  await watched.run(query, t, t);
  expect(watched.looks - watched.atEnd.at(-1)!).toBeGreaterThanOrEqual(SERIES / ROWS_MAX);
  const stopped = new Watched(batches);
  stopped.stopsAt = ({ atEnd }) => atEnd.length === watched.atEnd.length;
  await expect(stopped.run(query, t, t)).rejects.toThrow('canceled');
  expect(stopped.looks - stopped.atEnd.at(-1)!).toBe(1);
});

test('samples of a range vector are sorted with as many looks', async () => {
  const t = (SAMPLES - 1) * STEP;
  const watched = new Watched(batches);
  await watched.run('a_total[2m]', t, t);
  // They came in order, so that each is compared once.
  expect(watched.looks - watched.atEnd[0]).toBeGreaterThanOrEqual(Math.floor(SERIES / COMPARISONS_MAX));
});

/** What works on rows as they come. */
const WHILE_READING = [
  ...AFTER_READING.filter((query) => !query.includes('[3m:1m]')),
  'a_total[2m]',
  'rate(a_total[2m])',
  'sum by (job) (rate(a_total[2m]))',
  'quantile by (job) (0.9, a_total)',
  'stddev(a_total)',
  'count_values("v", a_total)',
  'topk(3, a_total)',
  'absent(a_total)',
  'absent_over_time(a_total[2m])',
  'scalar(a_total)',
  'quantile_over_time(0.5, a_total[2m])',
  'predict_linear(a_total[2m], 60)',
  '-a_total * 2 + 1',
];

test.each(WHILE_READING)('%s looks often while it reads, and stops amid it', async (query) => {
  const t = (SAMPLES - 1) * STEP;
  const watched = new Watched(batches);
  await watched.run(query, t, t);
  const { atBatch, atEnd } = watched;
  const read = atEnd[0] - atBatch[0];
  expect(read).toBeGreaterThanOrEqual(SERIES / ROWS_MAX);
  const stopped = new Watched(batches);
  stopped.stopsAt = ({ looks }) => looks > atBatch[0] + read / 2;
  await expect(stopped.run(query, t, t)).rejects.toThrow('canceled');
  expect(stopped.looks).toBeLessThanOrEqual(atBatch[0] + read / 2 + 2);
});

/** Few series with very many steps: the cells of one row are work too. */
test.each([
  'a_total',
  'rate(a_total[5m])',
  'quantile_over_time(0.5, a_total[1h])',
  'mad_over_time(a_total[1h])',
  'sum by (i) (a_total)',
  'topk(3, a_total)',
  'quantile(0.5, a_total)',
  'count_values("v", a_total)',
  'a_total / on (i, le) a_total',
  'a_total or on (i) a_total',
  'histogram_quantile(0.9, a_total)',
  'label_replace(a_total, "x", "$1", "i", "(.*)")',
  'max_over_time(rate(a_total[2m])[10m:1m])',
])('%s looks often in long rows', async (query) => {
  const watched = new Watched(long);
  await watched.run(query, 0, 3999 * STEP);
  expect(watched.looks).toBeGreaterThanOrEqual((20 * 4000) / CELLS_MAX + 1);
});

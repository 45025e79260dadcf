import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { mergeQueriers } from '../storage/merge.ts';
import { namedQuerier } from '../storage/named-querier.ts';
import type { Queryable } from '../storage/querier.ts';
import { goDuration } from './analysis-json.ts';
import { Answerer } from './answer.ts';
import type { QueryJob } from './jobs.ts';

const signal = new AbortController().signal;
const LIMITS = { samplesMax: 0, seriesMax: 0, mint: Number.NEGATIVE_INFINITY };
const SECOND = 1000;

/** Two sources with 12 series each, of which 6 are the same, 41 samples each, 15 s apart, beginning at 0. */
async function twoSources(): Promise<Queryable> {
  const storages = await Promise.all(
    [0, 6].map(async (first) => {
      const storage = new MemoryStorage();
      const appender = storage.appender();
      for (let i = first; i < first + 12; i++)
        for (let k = 0; k <= 40; k++)
          appender.append(
            Labels.from({ __name__: 'x', i: String(i), job: String(i % 2) }),
            k * 15 * SECOND,
            k,
          );
      await appender.commit();
      return storage;
    }),
  );
  return {
    querier: async (mint, maxt) =>
      mergeQueriers(
        await Promise.all(
          storages.map(async (storage, i) => namedQuerier(`source ${i}`, await storage.querier(mint, maxt))),
        ),
      ),
  };
}

function job(query: string, more: object = {}): QueryJob {
  const times = { startMs: 300 * SECOND, endMs: 600 * SECOND, stepMs: 60 * SECOND };
  const common = { query, lookbackDeltaMs: 0, limit: 0, stats: 'none', analyze: false } as const;
  return { kind: 'range', ...times, ...common, ...more };
}

async function dataOf(request: QueryJob, features = {}) {
  const answerer = new Answerer({ clock: new SystemClock(), features }, 300 * SECOND);
  const { parts } = await answerer.answer(request, LIMITS, await twoSources(), signal, 2);
  return JSON.parse(Buffer.concat(parts).toString()).data;
}

const analyze = async (query: string) => (await dataOf(job(query, { analyze: true }))).analysis;

test('an analysis tells of each operator what it gave, and of each source what it gave', async () => {
  const sum = await analyze('sum by (job) (rate(x[5m]))');
  expect(sum).toMatchObject({ name: 'aggregate sum by (job)', rows: 2, totalSamples: 12, batches: 1 });
  const [rate] = sum.children;
  expect(rate).toMatchObject({ name: 'call rate', rows: 18, totalSamples: 18 * 6 });
  const [windows] = rate.children;
  // From just after 0 to 600 s.
  expect(windows).toMatchObject({ rows: 18, totalSamples: 18 * 40 });
  expect(windows.fanout.map((source: object) => ({ ...source, duration: 0, bytesProcessed: 0 }))).toEqual(
    [0, 1].map((i) => ({
      endpointAddr: `source ${i}`,
      duration: 0,
      bytesProcessed: 0,
      numResponses: 1,
      series: 12,
      chunks: 12,
      samples: 12 * 41,
    })),
  );
  expect(windows.fanout[0].bytesProcessed).toBeGreaterThan(12 * 41);
});

test('times of an analysis hold those of what is below', async () => {
  const ms = (text: string) =>
    Number.parseFloat(text) * (text.endsWith('µs') ? 0.001 : text.endsWith('ms') ? 1 : 1000);
  const check = (node: { executionTime: string; selfTime: string; children?: [] }): void => {
    const below = (node.children ?? []).reduce((sum, child: typeof node) => sum + ms(child.executionTime), 0);
    expect(ms(node.selfTime)).toBeLessThanOrEqual(ms(node.executionTime));
    if (node.children?.every((child: { fanout?: [] }) => !child.fanout))
      expect(ms(node.executionTime)).toBeGreaterThanOrEqual(below - 0.01);
    node.children?.forEach(check);
  };
  check(await analyze('topk(2, max_over_time(x[5m])) + on (i) x'));
});

test('what holds its input says how much', async () => {
  const [join, select] = [await analyze('x * on (i) x'), await analyze('sum(x)')];
  expect(join.peakSamples).toBeGreaterThanOrEqual(2 * 18 * 6);
  expect(select.peakSamples).toBeLessThan(20);
});

test('an analysis changes no answer', async () => {
  for (const query of [
    'sum by (job) (rate(x[5m]))',
    'x > 20',
    'max_over_time(sum(x)[5m:1m])',
    'topk(2, x)',
  ]) {
    const { analysis, ...data } = await dataOf(job(query, { analyze: true, stats: 'all' }));
    expect(analysis.name).toBeTruthy();
    const { stats, ...found } = data;
    expect(stats.samples.peakSamples).toBeGreaterThan(0);
    expect(found).toEqual(await dataOf(job(query)));
  }
});

test.each([
  ['x', [18, 18, 18, 18, 18, 18]],
  ['rate(x[5m])', [360, 360, 360, 360, 360, 360]],
  ['sum(x) + sum(x)', [36, 36, 36, 36, 36, 36]],
  ['sum(x @ 600) + 1', [18, 18, 18, 18, 18, 18]],
  ['max_over_time(sum(x)[2m:1m])', [2, 2, 2, 2, 2, 2]],
  ['quantile_over_time(0.5, x[1m])', [72, 72, 72, 72, 72, 72]],
  ['1', [0, 0, 0, 0, 0, 0]],
])('%s looks at so many samples per step', async (query, counts) => {
  const { stats } = await dataOf(job(query, { stats: 'all' }), { 'promql-per-step-stats': true });
  const total = counts.reduce((sum, count) => sum + count);
  expect(stats.samples.totalQueryableSamples).toBe(total);
  expect(stats.samples.totalQueryableSamplesPerStep).toEqual(counts.map((count, i) => [300 + 60 * i, count]));
  expect(stats.timings.execQueueTime).toBe(0.002);
});

test('numbers per step need the feature and stats=all', async () => {
  const features = { 'promql-per-step-stats': true };
  expect(
    (await dataOf(job('x', { stats: 'all' }))).stats.samples.totalQueryableSamplesPerStep,
  ).toBeUndefined();
  const some = await dataOf(job('x', { stats: 'some' }), features);
  expect(some.stats.samples.totalQueryableSamplesPerStep).toBeUndefined();
});

test('an explanation has the plan as it would run, and as it was written', async () => {
  const times = { startMs: 0, endMs: 600 * SECOND, stepMs: 60 * SECOND };
  const data = await dataOf({ kind: 'explain', query: 'sum(x) + (1 + 2)', times, lookbackDeltaMs: 0 });
  expect(data.name).toBe('binary +');
  expect(data.children.map(({ name }: { name: string }) => name)).toEqual([
    'aggregate sum by ()',
    'number 3',
  ]);
  expect(data.before.children[1]).toEqual({
    name: 'binary +',
    children: [{ name: 'number 1' }, { name: 'number 2' }],
  });
});

test('durations are written as Go writes them', () => {
  const texts = [0, 0.012, 3.4567, 1200, 62_500, 3_723_000].map(goDuration);
  expect(texts).toEqual(['0s', '12µs', '3.457ms', '1.2s', '1m2.5s', '1h2m3s']);
});

import { beforeAll, expect, test } from 'vitest';
import type { FloatHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import { Engine } from '../engine.ts';
import type { QueryResult } from '../query-result.ts';

/**
 * What is evaluated in stretches is what is evaluated whole, in all bits: an engine that holds few cells of subqueries beside
 * one with no such limit.
 */
const MINUTE = 60_000;
const END = 2000 * MINUTE;
const features = { 'promql-experimental-functions': true };
const whole = new Engine({ features, subqueryCells: Number.POSITIVE_INFINITY });
const stretched = new Engine({ features, subqueryCells: 1500 });
const { signal } = new AbortController();
const memory = new MemoryStorage();

beforeAll(async () => {
  const appender = memory.appender();
  for (let i = 0; i < 12; i++)
    for (let t = 0; t <= END; t += 5 * MINUTE) {
      // Series that begin late, pause and end early; counters that begin anew.
      if (i % 4 === 1 && t < END / 2) continue;
      if (i % 4 === 2 && t % (400 * MINUTE) < 100 * MINUTE) continue;
      if (i % 4 === 3 && t > END / 3) continue;
      const v = i === 0 && t % (70 * MINUTE) === 0 ? Number.NaN : ((t / MINUTE) % (300 + i)) + i / 3;
      appender.append(Labels.from({ __name__: 'm', i: `${i}`, pod: `${i % 6}` }), t, v);
      appender.append(Labels.from({ __name__: 'huge', pod: `${i}` }), t, i % 2 === 0 ? 1.7e308 : 1e-300 * v);
    }
  for (let t = 0; t <= END; t += 5 * MINUTE) {
    if (t > END / 2) appender.appendHistogram(Labels.from({ __name__: 'h', pod: 'x' }), t, histogram(t));
    appender.append(Labels.from({ __name__: 'h', pod: 'y' }), t, t);
  }
  await appender.commit();
});

function histogram(t: number): FloatHistogram {
  return {
    kind: 'float',
    counterResetHint: 'unknown',
    schema: 0,
    zeroThreshold: 0.001,
    zeroCount: 1,
    count: 2 + t,
    sum: t,
    positiveSpans: [{ offset: 0, length: 1 }],
    negativeSpans: [],
    positiveBuckets: [1 + t],
    negativeBuckets: [],
    customValues: [],
  };
}

function plain({ value, warnings, infos }: QueryResult) {
  if (value.type !== 'vector' && value.type !== 'matrix') throw new Error(value.type);
  const { labels, values, presence, histograms } = value.columns;
  const cells = Array.from(presence, (kind, i) =>
    kind === 1 ? values[i] : kind === 2 ? histograms![i] : undefined,
  );
  return { labels: labels.map(String), cells, warnings, infos };
}

const FUNCTIONS = ['sum', 'avg', 'min', 'max', 'count', 'present', 'first', 'last', 'stddev', 'mad'];
const EXPRESSIONS = [
  'sum by (pod) (m)',
  'avg by (pod) (rate(m[20m]))',
  'm / on (i, pod) (m + 1)',
  'sum without (i) (huge)',
  'sum by (pod) (h)',
  'max_over_time(sum by (pod) (m)[1100m:1m])',
  'topk(2, m)',
];

const compared = { folded: 0, held: 0 };

test.each(EXPRESSIONS)('an instant query over %s is the same', async (inner) => {
  for (const name of FUNCTIONS) {
    const query = `${name}_over_time((${inner})[1900m:1m] offset 3m)`;
    const [a, b] = [whole, stretched].map((engine) =>
      engine.instant({ signal }, memory, query, { timeMs: END + 4321 }),
    );
    const [expected, got] = [await a, await b];
    expect(plain(got), query).toEqual(plain(expected));
    if (got.stats.peakSamples < expected.stats.peakSamples / 4) compared.folded++;
  }
});

test.each([
  ...EXPRESSIONS.map((inner) => `quantile_over_time(0.7, (${inner})[50m:1m])`),
  ...EXPRESSIONS.map((inner) => `rate((${inner})[100m:1m] offset 1m)`),
  ...EXPRESSIONS.map((inner) => `absent_over_time((${inner})[10m:1m])`),
  'sum by (pod) (sum_over_time((sum by (pod, i) (m))[70m:1m]))',
  'avg_over_time((sum by (pod) (m))[70m:1m]) + max_over_time((sum by (pod) (m))[70m:1m])',
])('a range query of %s is the same', async (query) => {
  const range = { startMs: 100 * MINUTE, endMs: END, stepMs: 7 * MINUTE };
  const expected = await whole.range({ signal }, memory, query, range);
  const got = await stretched.range({ signal }, memory, query, range);
  expect(plain(got), query).toEqual(plain(expected));
  if (got.stats.peakSamples < expected.stats.peakSamples * 0.75) compared.held++;
});

test('most of these held much less', () => {
  expect(compared.folded).toBeGreaterThan(30);
  expect(compared.held).toBeGreaterThan(10);
});

test('a month of sums for many pods fits into a limit that holds a day of them', async () => {
  const engine = new Engine({ maxSamples: 60_000, subqueryCells: 10_000 });
  const query = 'max_over_time((sum by (i, pod) (m))[1900m:5s])';
  const { stats } = await engine.instant({ signal }, memory, query, { timeMs: END });
  expect(stats.peakSamples).toBeLessThan(60_000);
  const limited = new Engine({ maxSamples: 60_000, subqueryCells: Number.POSITIVE_INFINITY });
  await expect(limited.instant({ signal }, memory, query, { timeMs: END })).rejects.toThrow(
    'query.max_samples',
  );
});

test('a subquery with more steps than a query may hold is an error before anything is read', async () => {
  for (const query of ['max_over_time((sum(m))[10y:1ms])', 'quantile_over_time(0.5, (sum(m))[10y:1ms])'])
    await expect(stretched.instant({ signal }, memory, query, { timeMs: END })).rejects.toThrow(
      'query.max_samples',
    );
});

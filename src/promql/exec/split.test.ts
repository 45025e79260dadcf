import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { STALE_NAN } from '../../model/sample.ts';
import { SystemClock } from '../../platform/clock.ts';
import { BatchBuilder } from '../../storage/batch-builder.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import type { Queryable } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { Engine } from '../engine.ts';
import type { QueryOptions } from '../query-options.ts';
import type { QueryResult } from '../query-result.ts';
import type { AnalysisNode } from './analysis.ts';
import { KernelPool } from './kernel-pool.ts';
import { PartEvaluator } from './part-evaluator.ts';
import type { SeriesTeam, TeamMember } from './series-team.ts';

const ctx = { signal: new AbortController().signal };
const clock = new SystemClock();
const SERIES = 40;
const SAMPLES = 50;
const STEP = 15_000;
const FEATURES = { 'promql-experimental-functions': true };

/** Members in this thread; what they get and give is copied as between threads. */
function team(members: number, log: number[] = []): SeriesTeam {
  return {
    join: (request) =>
      Array.from({ length: members }, (_, i): TeamMember => {
        const options = { read: ctx, kernels: new KernelPool(), clock, timeoutMs: 60_000 };
        const evaluator = new PartEvaluator(structuredClone(request), options);
        let last: Promise<unknown> = Promise.resolve();
        const member = {
          waiting: 0,
          evaluate(batch: SeriesBatch) {
            log.push(i);
            member.waiting++;
            const copy = structuredClone(batch);
            const rows = last.then(() => evaluator.evaluate(copy)).then((rows) => structuredClone(rows));
            last = rows;
            rows.finally(() => member.waiting--).catch(() => {});
            return rows;
          },
          finish: async () => structuredClone(await evaluator.finish()),
          close() {},
        };
        return member;
      }),
  };
}

/** Batches of three series, so that there are many. */
function inSmallBatches(storage: MemoryStorage): Queryable {
  return {
    async querier(mint, maxt) {
      const querier = await storage.querier(mint, maxt);
      return {
        warnings: [],
        labelNames: (...request) => querier.labelNames(...request),
        labelValues: (...request) => querier.labelValues(...request),
        exemplars: (...request) => querier.exemplars(...request),
        close: () => querier.close(),
        async *select(...request) {
          for await (const batch of querier.select(...request)) yield* pieces(batch);
        },
      };
    },
  };
}

function* pieces(batch: SeriesBatch): Generator<SeriesBatch> {
  const builder = new BatchBuilder(3);
  for (let i = 0; i < batch.seriesCount; i++) {
    builder.addSeries(batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]));
    for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
      const at = batch.chunkDataOffset[c];
      const payload = batch.chunkData.subarray(at, at + batch.chunkDataLength[c]);
      builder.addChunk(batch.chunkMint[c], batch.chunkMaxt[c], batch.chunkEncoding[c], payload);
    }
    if (builder.isFull) yield builder.take();
  }
  if (!builder.isEmpty) yield builder.take();
}

async function filled(values: readonly number[]): Promise<Queryable> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let i = 0; i < SERIES; i++)
    for (let k = 0; k < SAMPLES; k++) {
      if ((i + k) % 9 === 0) continue;
      const set = { __name__: i % 2 === 0 ? 'a_total' : 'b', job: `j${i % 5}`, i: `${i}` };
      const value = (i + k) % 23 === 0 ? STALE_NAN : values[(i * 31 + k * 7) % values.length] + k;
      appender.append(Labels.from(set), k * STEP, value);
    }
  await appender.commit();
  return inSmallBatches(storage);
}

const QUERIES = [
  'sum by (job) (rate(a_total[2m]))',
  'avg(b)',
  'min without (i) (b * 2)',
  'max by (job) (abs(b) - 3)',
  'count(b > 5)',
  'group by (job) (b)',
  'stddev by (job) (b)',
  'stdvar(increase(a_total[1m]))',
  'topk(3, rate(b[2m]))',
  'bottomk by (job) (2, b)',
  'quantile(0.3, b)',
  'rate(a_total[2m])',
  '-b',
  'timestamp(b)',
  'sum by (job) (timestamp(b))',
  'timestamp(b offset 1m) - timestamp(b)',
  'timestamp(b @ end())',
  'sum by (job) (timestamp(b @ end()))',
  'timestamp(-b)',
  'sum(quantile_over_time(0.5, b[2m]))',
  'a_total / on (job) group_left sum by (job) (b)',
  'sum by (job) (a_total) / sum by (job) (count_over_time(a_total[1m]))',
  'sum(clamp_max(b, 7)) or vector(1)',
  'limitk(4, b)',
  'sum(b @ end())',
  'max_over_time(sum(b)[1m:15s])',
  'sum(b) by (nothing) > bool 3',
];

async function ask(source: Queryable, query: string, options: QueryOptions): Promise<QueryResult> {
  const range = { startMs: 0, endMs: SAMPLES * STEP, stepMs: 20_000, lookbackDeltaMs: 60_000 };
  return new Engine({ clock, batchCells: 100, features: FEATURES }).range(ctx, source, query, {
    ...range,
    ...options,
  });
}

test.each([1, 3])('shared with %i other threads a query gives what it gives alone', async (members) => {
  const floats = fc.oneof(
    fc.double({ noDefaultInfinity: true, min: -1e6, max: 1e6 }),
    fc.constantFrom(0, -0, Number.NaN, Infinity, -Infinity, 1e300),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(floats, { minLength: 1, maxLength: 8 }), async (values) => {
      const source = await filled(values);
      for (const query of QUERIES) {
        const alone = await ask(source, query, {});
        const shared = await ask(source, query, { team: team(members) });
        expectSame(shared, alone, query);
      }
    }),
    { numRuns: 12 },
  );
});

test('other threads take batches from the second on', async () => {
  const log: number[] = [];
  await ask(await filled([1, 2, 3]), 'sum(b)', { team: team(2, log) });
  expect(new Set(log)).toEqual(new Set([0, 1]));
});

test('an analysis gives the same answer, and tells what other threads took over', async () => {
  const source = await filled([1, 2, 3]);
  for (const query of ['sum by (job) (rate(a_total[2m]))', 'topk(3, rate(b[2m]))', 'limitk(4, b)', '-b']) {
    const alone = await ask(source, query, {});
    const shared = await ask(source, query, { team: team(2), analyze: true });
    expectSame(shared, alone, query);
    const split = partNamed(shared.analysis!, 'split by series');
    expect(split?.helpers, query).toHaveLength(2);
    for (const { batches, series, samplesRead } of split!.helpers!) {
      expect(series).toBeGreaterThanOrEqual(batches);
      expect(samplesRead).toBeGreaterThan(0);
    }
  }
});

function partNamed(node: AnalysisNode, name: string): AnalysisNode | undefined {
  if (node.name === name) return node;
  for (const child of node.children) {
    const found = partNamed(child, name);
    if (found !== undefined) return found;
  }
  return undefined;
}

test('a member that fails ends the query with its error', async () => {
  const failing: SeriesTeam = {
    join: () => [
      {
        waiting: 0,
        evaluate: () => Promise.reject(new Error('member failed')),
        finish: () => Promise.reject(new Error('member failed')),
        close() {},
      },
    ],
  };
  const source = await filled([1]);
  for (const query of ['sum(b)', 'b', 'topk(2, b)'])
    await expect(ask(source, query, { team: failing })).rejects.toThrow('member failed');
});

function expectSame(actual: QueryResult, expected: QueryResult, query: string): void {
  expect(actual.warnings, query).toEqual(expected.warnings);
  expect(actual.infos, query).toEqual(expected.infos);
  if (actual.value.type !== 'matrix' || expected.value.type !== 'matrix') throw new Error(query);
  const [a, b] = [actual.value.columns, expected.value.columns];
  expect(a.labels.map(String), query).toEqual(b.labels.map(String));
  expect(a.presence, query).toEqual(b.presence);
  for (let cell = 0; cell < a.values.length; cell++) {
    if (a.presence[cell] === 0 || Object.is(a.values[cell], b.values[cell])) continue;
    const scale = Math.max(Math.abs(a.values[cell]), Math.abs(b.values[cell]));
    // Where large values of both signs cancel, what is left has the rounding of what went.
    expect(Math.abs(a.values[cell] - b.values[cell]), `${query}, cell ${cell}`).toBeLessThanOrEqual(
      scale * 1e-11,
    );
  }
}

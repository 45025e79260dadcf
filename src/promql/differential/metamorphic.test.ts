import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { mergeQueriers } from '../../storage/merge.ts';
import type { Queryable } from '../../storage/querier.ts';
import { Engine } from '../engine.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import { OPTIONAL_REWRITES } from '../plan/plan.ts';
import { arbitraryCase } from './arbitrary.ts';
import { type Case, type CaseSeries, showCase } from './case.ts';
import { type Comparison, difference, type Result } from './compare-outcomes.ts';
import { WHOLE } from './dialect.ts';
import { askEngine, isOrdered, storageOf } from './subjects.ts';

const RUNS = { seed: 20_260_102, numRuns: 80 };
const engine = new Engine({ features: ALL_FEATURES });

/** Remarks too unless said otherwise. */
function compare(given: Case, expected: Result, actual: Result, how: Partial<Comparison> = {}): void {
  const ordered = given.asked.kind === 'instant' && isOrdered(given.query);
  const problem = difference(expected, actual, { tolerance: 1e-12, ordered, remarks: true, ...how });
  expect(problem, showCase(given)).toBeUndefined();
}

async function holds(rule: (given: Case) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(arbitraryCase(WHOLE), rule), RUNS);
}

/** Several sources as one, as a store of many blocks and machines gives them. */
function merged(sources: readonly Queryable[]): Queryable {
  return {
    querier: async (mint, maxt) =>
      mergeQueriers(await Promise.all(sources.map((source) => source.querier(mint, maxt)))),
  };
}

/** Samples of both kinds or of several chunks lose what they say of resets when chunks come from several writers. */
function withoutHistograms(series: readonly CaseSeries[]): CaseSeries[] {
  return series.filter(({ samples }) => samples.every(({ histogram }) => histogram === undefined));
}

describe('an answer is the same', () => {
  test('over series spread over several sources', { timeout: 60_000 }, () =>
    holds(async (given) => {
      const shards = [0, 1, 2].map((shard) => given.series.filter((_, i) => i % 3 === shard));
      const whole = await askEngine(engine, await storageOf(given.series), given.query, given.asked);
      const parts = merged(await Promise.all(shards.map(storageOf)));
      compare(given, whole, await askEngine(engine, parts, given.query, given.asked));
    }),
  );

  test('over the same series in two sources, as replicas have them', { timeout: 60_000 }, () =>
    holds(async (given) => {
      const series = withoutHistograms(given.series);
      const whole = await askEngine(engine, await storageOf(series), given.query, given.asked);
      const twice = merged([await storageOf(series), await storageOf(series)]);
      compare(given, whole, await askEngine(engine, twice, given.query, given.asked));
    }),
  );

  test('over samples split by time', { timeout: 60_000 }, () =>
    holds(async (given) => {
      const series = withoutHistograms(given.series);
      const at = 1_600_002_000_000 + 17 * 60_000;
      const part = (keep: (t: number) => boolean) =>
        series.map(({ labels, samples }) => ({ labels, samples: samples.filter(({ t }) => keep(t)) }));
      const whole = await askEngine(engine, await storageOf(series), given.query, given.asked);
      const parts = merged([await storageOf(part((t) => t < at)), await storageOf(part((t) => t >= at))]);
      compare(given, whole, await askEngine(engine, parts, given.query, given.asked));
    }),
  );

  test.each(OPTIONAL_REWRITES)('with and without the rewrite %s', { timeout: 60_000 }, (rewrite) =>
    holds(async (given) => {
      const storage = await storageOf(given.series);
      const plain = new Engine({ features: ALL_FEATURES, withoutRewrites: [rewrite] });
      const without = await askEngine(plain, storage, given.query, given.asked);
      const withIt = await askEngine(engine, storage, given.query, given.asked);
      // Nothing is said of series that need not be read, nor of the order of what is evaluated once.
      const remarks = rewrite !== 'matcher-propagation' && rewrite !== 'step-invariant';
      compare(given, without, withIt, { remarks });
    }),
  );

  test('in batches of one row', { timeout: 60_000 }, () =>
    holds(async (given) => {
      const storage = await storageOf(given.series);
      const small = new Engine({ features: ALL_FEATURES, batchCells: 1 });
      const whole = await askEngine(engine, storage, given.query, given.asked);
      compare(given, whole, await askEngine(small, storage, given.query, given.asked));
    }),
  );

  test('with subqueries in stretches of a few steps', { timeout: 60_000 }, () =>
    holds(async (given) => {
      const storage = await storageOf(given.series);
      const small = new Engine({ features: ALL_FEATURES, subqueryCells: 3 });
      const whole = await askEngine(engine, storage, given.query, given.asked);
      compare(given, whole, await askEngine(small, storage, given.query, given.asked));
    }),
  );

  test('at one time and in a range that is only that time', { timeout: 60_000 }, () =>
    holds(async (given) => {
      const t = given.asked.kind === 'instant' ? given.asked.t : given.asked.start;
      const storage = await storageOf(given.series);
      const instant = await askEngine(engine, storage, given.query, { kind: 'instant', t });
      if ('outcome' in instant && !isVector(instant)) return;
      // What a step is may be asked for.
      if (/step\(\)/.test(given.query)) return;
      const range = await askEngine(engine, storage, given.query, {
        kind: 'range',
        start: t,
        end: t,
        step: 60_000,
      });
      compare(given, instant, asVector(range), { ordered: false });
    }),
  );
});

function isVector(result: Result): boolean {
  return 'outcome' in result && result.outcome.answer.type === 'vector';
}

/** The first step of a range query as an instant query gives it. */
function asVector(result: Result): Result {
  if ('error' in result || result.outcome.answer.type !== 'matrix') return result;
  const samples = result.outcome.answer.series.map(({ labels, floats, histograms }) => ({
    labels,
    v: floats[0]?.v ?? 0,
    histogram: histograms[0]?.histogram,
  }));
  return { outcome: { ...result.outcome, answer: { type: 'vector', samples } } };
}

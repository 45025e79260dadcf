import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Labels } from '../../model/labels.ts';
import { Engine } from '../engine.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import { Reference } from '../reference/reference.ts';
import { readEverything } from '../reference/source.ts';
import { arbitraryCase } from './arbitrary.ts';
import { type Case, showCase } from './case.ts';
import { dependsOnChance } from './chance-order.ts';
import { difference } from './compare-outcomes.ts';
import { WHOLE } from './dialect.ts';
import { askEngine, askReference, isOrdered, storageOf } from './subjects.ts';

/** Always the same ones here; `npm run test:differential` looks for more. */
const RUNS = { seed: 20_260_101, numRuns: 200 };

async function problemOf(given: Case, delayed: boolean): Promise<string | undefined> {
  // Without series that a join has no use for there are no remarks on them either.
  const engine = new Engine({
    withoutRewrites: ['matcher-propagation'],
    features: { ...ALL_FEATURES, 'promql-delayed-name-removal': delayed, 'use-start-timestamps': true },
  });
  const storage = await storageOf(given.series);
  const reference = new Reference(await readEverything(storage), { delayed, startTimes: true });
  const expected = askReference(reference, given.query, given.asked);
  const actual = await askEngine(engine, storage, given.query, given.asked);
  const ordered = given.asked.kind === 'instant' && isOrdered(given.query);
  return difference(expected, actual, { tolerance: 1e-12, ordered, remarks: true });
}

test.each([
  ['at once', false],
  ['at the end', true],
])(
  'the engine answers as the plain evaluator does, names dropped %s',
  { timeout: 60_000 },
  async (_, delayed) => {
    const property = fc.asyncProperty(arbitraryCase(WHOLE), async (given) => {
      const problem = await problemOf(given, delayed);
      if (problem !== undefined && dependsOnChance(given.query, given.asked)) return;
      expect(problem, showCase(given)).toBeUndefined();
    });
    await fc.assert(property, RUNS);
  },
);

test('negated rows that lose their names are joined where their samples do not meet', async () => {
  const series = (name: string, t: number) => ({
    labels: Labels.from({ __name__: name, job: 'x' }),
    samples: [{ t, v: 1, histogram: undefined, startT: undefined }],
  });
  const apart: Case = {
    series: [series('a', 600_000), series('b', 1_200_000)],
    query: '-{job="x"}',
    asked: { kind: 'range', start: 600_000, end: 1_200_000, step: 600_000 },
  };
  const engine = new Engine();
  const result = await askEngine(engine, await storageOf(apart.series), apart.query, apart.asked);
  const floats = [600_000, 1_200_000].map((t) => ({ t, v: -1 }));
  const joined = [{ labels: Labels.from({ job: 'x' }), floats, histograms: [] }];
  expect(result).toMatchObject({ outcome: { answer: { type: 'matrix', series: joined } } });
  expect(await problemOf(apart, false)).toBeUndefined();
});

test('in a cell that began with a float no histogram is looked at', async () => {
  const t = 600_000;
  const histogram = (schema: number, customValues: number[]) => ({
    ...{ kind: 'float' as const, counterResetHint: 'gauge' as const, schema, zeroThreshold: 0, zeroCount: 0 },
    ...{ count: 0, sum: 0, positiveSpans: [], negativeSpans: [], positiveBuckets: [], negativeBuckets: [] },
    customValues,
  });
  const series = (name: string, i: string, h?: ReturnType<typeof histogram>) => ({
    labels: Labels.from({ __name__: name, i }),
    samples: [{ t, v: 1, histogram: h, startT: undefined }],
  });
  const histograms = [histogram(2, []), histogram(3, []), histogram(-53, [1, 2])];
  const mixed: Case = {
    series: [series('a', '0'), ...histograms.map((h, i) => series('h', `${i}`, h))],
    query: 'sum(a or h) or avg(a or h)',
    asked: { kind: 'instant', t },
  };
  expect(await problemOf(mixed, false)).toBeUndefined();
});

import { beforeAll, expect, test } from 'vitest';
import { QueryKernel } from '../kernel/query-kernel.ts';
import { Labels } from '../model/labels.ts';
import { Engine } from '../promql/engine.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import type { Queryable } from '../storage/querier.ts';
import { answerEvaluation } from './evaluation-answer.ts';
import type { QueryJob } from './jobs.ts';

const STEP = 15_000;
const SERIES = 200;
const STEPS = 400;
/** Of an answer, between two looks at whether it is still wanted. */
const BYTES_MAX = 300 * 1024;

let storage: MemoryStorage;

beforeAll(async () => {
  storage = new MemoryStorage();
  const appender = storage.appender();
  for (let i = 0; i < SERIES; i++)
    for (let k = 0; k < STEPS; k++)
      appender.append(Labels.from({ __name__: 'a', i: `${i}` }), k * STEP, i * 1000 + k / 7);
  await appender.commit();
});

/** How often the signal was looked at in all and when evaluation was over; `stopsAt`: the look that says it is to stop. */
async function watched(query: string, kind: 'range' | 'instant', stopsAt = Number.POSITIVE_INFINITY) {
  let looks = 0;
  let evaluated = 0;
  const source: Queryable = {
    querier: async (mint, maxt) => {
      const querier = await storage.querier(mint, maxt);
      const close = async () => {
        evaluated = looks;
        await querier.close();
      };
      return Object.assign(Object.create(querier), {
        select: querier.select.bind(querier),
        warnings: [],
        close,
      });
    },
  };
  const look = () => ++looks >= stopsAt;
  const signal = Object.defineProperties(new AbortController().signal, {
    aborted: { get: look },
    reason: { value: new Error('canceled') },
    throwIfAborted: {
      value: () => {
        if (look()) throw new Error('canceled');
      },
    },
  });
  const common = { query, lookbackDeltaMs: 0, limit: 0, stats: 'none', analyze: false } as const;
  const end = (STEPS - 1) * STEP;
  const job: QueryJob =
    kind === 'range'
      ? { kind, startMs: 0, endMs: end, stepMs: STEP, ...common }
      : { kind, timeMs: end, ...common };
  const helpers = { waitedMs: 0, perStep: false, team: undefined, remote: undefined };
  const engine = new Engine();
  const { parts } = await answerEvaluation(job, source, engine, new QueryKernel(), signal, helpers);
  const bytes = parts.reduce((sum, { length }) => sum + length, 0);
  return { looks, evaluated, bytes };
}

test.each([
  ['a', 'range'],
  [`a[${STEPS * 15}s]`, 'instant'],
] as const)('writing the answer to %s (%s) is given up amid it', async (query, kind) => {
  const { looks, evaluated, bytes } = await watched(query, kind);
  expect(bytes).toBeGreaterThan(4 * BYTES_MAX);
  expect(looks - evaluated).toBeGreaterThanOrEqual(Math.floor(bytes / BYTES_MAX));
  await expect(watched(query, kind, evaluated + 2)).rejects.toThrow('canceled');
});

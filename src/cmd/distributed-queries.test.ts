import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { Labels } from '../model/labels.ts';
import { SystemClock } from '../platform/clock.ts';
import { arbitraryCase } from '../promql/differential/arbitrary.ts';
import { type Asked, type Case, type CaseSeries, showCase } from '../promql/differential/case.ts';
import { difference, type Result } from '../promql/differential/compare-outcomes.ts';
import { DATA_START, WHOLE } from '../promql/differential/dialect.ts';
import { storageOf } from '../promql/differential/subjects.ts';
import { Engine } from '../promql/engine.ts';
import { ALL_FEATURES } from '../promql/parser/options.ts';
import type { PlanTree } from '../promql/plan/plan-tree.ts';
import { outcomeOf } from '../promql/promqltest/subject.ts';
import { DistributedQueries } from '../query/distributed-queries.ts';
import { answerStoreQuery } from '../query/store-query-answer.ts';
import { dedupQueryable } from '../storage/dedup/dedup-querier.ts';
import { mergeQueriers } from '../storage/merge.ts';
import type { Queryable } from '../storage/querier.ts';
import { QueryableStore } from '../storeapi/queryable-store.ts';
import { type RemoteStore, RemoteStores } from '../storeapi/remote-stores.ts';
import { NO_CREDENTIALS } from '../storeapi/store-client.ts';
import { loopback } from '../storeapi/testdata/loopback.ts';
import { ownQueries } from './own-queries.ts';

const clock = new SystemClock();
const engine = new Engine({ features: ALL_FEATURES });
const signal = new AbortController().signal;
const HALF = DATA_START + 20 * 60_000;

interface StoreSpec {
  readonly labels: Record<string, string>;
  readonly evaluates: boolean;
  /** Which of the series it holds, and of them which times. */
  readonly holds: (series: number) => boolean;
  readonly from: number;
  readonly to: number;
}

const ALWAYS = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY };

/** Two that stand alone, one of them with half of the time; a pair of replicas; one that evaluates nothing. */
const STORES: readonly StoreSpec[] = [
  { labels: { cluster: 'c0' }, evaluates: true, holds: (i) => i % 4 === 0, ...ALWAYS },
  { labels: { cluster: 'c1' }, evaluates: true, holds: (i) => i % 4 === 1, ...ALWAYS, to: HALF },
  {
    labels: { cluster: 'c2', replica: 'a' },
    evaluates: true,
    holds: (i) => i % 4 === 2,
    ...ALWAYS,
    to: HALF,
  },
  { labels: { cluster: 'c2', replica: 'b' }, evaluates: true, holds: (i) => i % 4 === 2, ...ALWAYS },
  { labels: { cluster: 'c3' }, evaluates: false, holds: (i) => i % 4 === 3, ...ALWAYS },
];

const data: Queryable[] = [];
const closers: (() => Promise<void>)[] = [];
let stores: RemoteStore[];
let remotes: RemoteStores;

beforeAll(async () => {
  stores = [];
  for (const [i, { labels, evaluates, from, to }] of STORES.entries()) {
    const external = Labels.from(labels);
    const source: Queryable = { querier: (mint, maxt) => data[i].querier(mint, maxt) };
    const info = () => ({
      component: 'store',
      labelSets: [external],
      mint: 0,
      maxt: Number.MAX_SAFE_INTEGER,
    });
    const queries = ownQueries({
      external: () => external,
      joinsEndpoints: true,
      replicaLabels: [],
      clock,
      run: async (_tenant, job, cancel) => {
        if (job.kind !== 'storeQuery') throw new Error('only queries come here');
        const { stream } = await answerStoreQuery(job, source, engine, undefined, cancel);
        return { status: 200, body: stream };
      },
    });
    const { client, close } = await loopback(new QueryableStore(source, info), {
      streaming: evaluates ? [queries] : [],
    });
    closers.push(close);
    stores.push({
      address: client.address,
      members: [client.address],
      healthy: true,
      lastError: '',
      labelSets: [encodeLabels(external)],
      mint: from,
      maxt: to,
      hasExemplars: false,
      hasQueries: evaluates,
    });
  }
  const client = {
    credentials: () => NO_CREDENTIALS,
    compression: 'none' as const,
    messageBytesMax: 64 << 20,
    unaryTimeoutMs: 10_000,
  };
  remotes = new RemoteStores({ client, stallMs: 5000, hedgeMs: 0, seriesMax: 10_000, bytesMax: 1e9 }, clock);
});

afterAll(async () => {
  for (const close of closers) await close();
});

async function fill(series: readonly CaseSeries[]): Promise<void> {
  for (const [i, { holds, from, to }] of STORES.entries())
    data[i] = await storageOf(
      series
        .filter((_, k) => holds(k))
        .map(({ labels, samples }) => ({ labels, samples: samples.filter(({ t }) => t >= from && t <= to) })),
    );
}

const READ = { partialResponse: 'abort' as const, maxResolutionMs: 0, tenantLabel: '' };

/** As a querier has them. */
function joined(replicaLabels: readonly string[]): Queryable {
  const source: Queryable = {
    querier: async (mint, maxt) => mergeQueriers(remotes.queriers('anonymous', stores, READ, mint, maxt)),
  };
  return replicaLabels.length > 0 ? dedupQueryable(source, replicaLabels, 'fill') : source;
}

function remoteOf(replicaLabels: readonly string[]): DistributedQueries {
  const options = { tenant: 'anonymous', stores, ...READ, replicaLabels, mint: Number.NEGATIVE_INFINITY };
  return new DistributedQueries(remotes, { ...options, timeoutMs: 10_000 }, clock);
}

async function ask(
  query: string,
  asked: Asked,
  replicaLabels: readonly string[],
  remote: DistributedQueries | undefined,
): Promise<Result> {
  try {
    const source = joined(replicaLabels);
    const result =
      asked.kind === 'instant'
        ? await engine.instant({ signal }, source, query, { timeMs: asked.t, remote })
        : await engine.range({ signal }, source, query, {
            startMs: asked.start,
            endMs: asked.end,
            stepMs: asked.step,
            remote,
          });
    const { answer, warnings, infos } = outcomeOf(result);
    return { outcome: { answer, warnings: warnings.map(placeless), infos: infos.map(placeless) } };
  } catch (error) {
    return { error: placeless((error as Error).message) };
  }
}

/** What is remarked elsewhere has its place there. */
const placeless = (remark: string) => remark.replace(/ \(\d+:\d+\)$/, '');

const namesOf = ({ name, children }: PlanTree): string[] => [name, ...children.flatMap(namesOf)];

function planOf(query: string, asked: Asked, replicaLabels: readonly string[]): string[] {
  const times =
    asked.kind === 'instant'
      ? { timeMs: asked.t }
      : { startMs: asked.start, endMs: asked.end, stepMs: asked.step };
  return namesOf(engine.plans(query, { ...times, remote: remoteOf(replicaLabels) }).after);
}

async function same({ series, query, asked }: Case, replicaLabels: readonly string[]): Promise<void> {
  await fill(series);
  const plain = await ask(query, asked, replicaLabels, undefined);
  const distributed = await ask(query, asked, replicaLabels, remoteOf(replicaLabels));
  const problem = difference(plain, distributed, { tolerance: 1e-9, ordered: false, remarks: true });
  expect(problem, showCase({ series, query, asked })).toBeUndefined();
}

const wholeSeconds = (ms: number) => Math.round(ms / 1000) * 1000;

function onSeconds(asked: Asked): Asked {
  if (asked.kind === 'instant') return { ...asked, t: wholeSeconds(asked.t) };
  return { ...asked, start: wholeSeconds(asked.start), end: wholeSeconds(asked.end) };
}

/** Averages of what overflows, and which of equal values are the largest, are left open. */
const DIALECT = {
  ...WHOLE,
  metrics: WHOLE.metrics.filter((metric) => metric !== 'huge'),
  aggregations: ['avg', 'count', 'group', 'max', 'min', 'sum', 'sum', 'quantile', 'count_values', 'stddev'],
};

const AROUND = [
  'sum',
  'sum by (job)',
  'avg by (job, cluster)',
  'count without (instance)',
  'max',
  'min by (le)',
  'group',
];
const INSIDE = [
  'requests_total',
  'rate(requests_total[5m])',
  '-temperature',
  'clamp_min(temperature, 2) * 2',
  'h',
  'mixed',
];
const LATE = [
  'temperature offset 7m',
  'flag @ 1600003000',
  'max_over_time(temperature[3m] offset -2m)',
  'latency_bucket > 3',
];

test('distributed aggregations give the answers of the plain ones', { timeout: 120_000 }, async () => {
  const query = fc
    .tuple(fc.constantFrom(...AROUND), fc.constantFrom(...INSIDE, ...LATE))
    .map(([around, inside]) => `${around} (${inside})`);
  let distributed = 0;
  await fc.assert(
    fc.asyncProperty(arbitraryCase(DIALECT), query, fc.boolean(), async (given, made, joins) => {
      const asked = onSeconds(given.asked);
      const replicaLabels = joins ? ['replica'] : [];
      await same({ ...given, query: made, asked }, replicaLabels);
      if (planOf(made, asked, replicaLabels).some((name) => name.startsWith('remote '))) distributed++;
    }),
    { seed: 20_261_126, numRuns: 90 },
  );
  expect(distributed).toBeGreaterThan(60);
});

test('queries of all kinds give the answers of the plain ones', { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(DIALECT), fc.boolean(), async (given, joins) => {
      await same({ ...given, asked: onSeconds(given.asked) }, joins ? ['replica'] : []);
    }),
    { seed: 20_261_126, numRuns: 60 },
  );
});

const series = (labels: Record<string, string>, v: number): CaseSeries => ({
  labels: Labels.from({ __name__: 'm', ...labels }),
  samples: Array.from({ length: 160 }, (_, i) => ({
    t: DATA_START + i * 15_000,
    v: v + i,
    histogram: undefined,
    startT: undefined,
  })),
});

const DISTINCT = Array.from({ length: 12 }, (_, i) => series({ job: `j${i % 2}`, i: String(i) }, i * 1000));
const RANGE: Asked = { kind: 'range', start: DATA_START, end: DATA_START + 30 * 60_000, step: 60_000 };

test('the largest of all are among the largest of each', async () => {
  for (const query of ['topk(3, m)', 'bottomk by (job) (2, m * -3)', 'topk(100, m)', 'topk(0, m)']) {
    expect(planOf(query, RANGE, ['replica']).join(), query).toContain('remote ');
    await same({ series: DISTINCT, query, asked: RANGE }, ['replica']);
  }
});

test('the plan says what is evaluated where, and what is read', () => {
  const [c0, c1, , , c3] = stores.map(({ address }) => address);
  const plan = planOf('avg by (job) (rate(m{i!="7"}[5m] offset 1m))', RANGE, ['replica']);
  const inner = '(rate({i!="7",__name__="m"}[300000ms] offset 60000ms))';
  const bounds = `[${DATA_START - 360_000 + 1}, ${DATA_START + 29 * 60_000}]`;
  const read = `windows of 300000ms of {i!="7", __name__="m"} offset 60000ms ${bounds} without ${c0}, ${c1} labels (job)`;
  const parts = (op: string) => [
    'aggregate sum by (job)',
    'union',
    `aggregate ${op} by (job)`,
    'call rate',
    read,
    `remote ${op} by (job) ${inner} at ${c0}, ${c1}`,
  ];
  expect(plan).toEqual(['binary / one-to-one', ...parts('sum'), ...parts('count')]);
  expect(planOf('sum(m{cluster="c0"})', RANGE, ['replica'])).toEqual([
    'aggregate sum by ()',
    'union',
    `remote sum by () ({cluster="c0",__name__="m"}) at ${c0}`,
  ]);
  expect(planOf('sum(m{cluster="c2"})', RANGE, ['replica']).join()).not.toContain('remote');
  // Where every replica is shown, each stands alone.
  expect(planOf('sum(m{cluster="c2"})', RANGE, []).join()).toContain('remote');
  expect(planOf('sum(m{cluster="c3"})', RANGE, []).join()).not.toContain(`at ${c3}`);
});

test('what has to see every series in one place is read', () => {
  for (const query of [
    'quantile(0.9, m)',
    'stddev(m)',
    'sum by (__name__) (m)',
    'count_values("v", m)',
    'limitk(2, m)',
    'sum(m + on (i) m)',
    'sum(sum_over_time(m[5m:1ms]))',
    'm',
  ])
    expect(planOf(query, RANGE, []).join(), query).not.toContain('remote');
  const offSecond: Asked = { kind: 'instant', t: DATA_START + 500 };
  expect(planOf('sum(m)', offSecond, []).join()).not.toContain('remote');
});

test('a store that fails is a warning or the error of the answer', async () => {
  await fill(DISTINCT);
  const gone: RemoteStore = { ...stores[0], address: '127.0.0.1:1', members: ['127.0.0.1:1'] };
  const options = {
    tenant: 'anonymous',
    stores: [gone, stores[1]],
    maxResolutionMs: 0,
    replicaLabels: [],
    mint: Number.NEGATIVE_INFINITY,
    timeoutMs: 10_000,
  };
  const asked = { timeMs: DATA_START + 60_000 };
  const warn = new DistributedQueries(remotes, { ...options, partialResponse: 'warn' }, clock);
  const { value, warnings } = await engine.instant({ signal }, joined([]), 'count(m)', {
    ...asked,
    remote: warn,
  });
  expect(value).toMatchObject({ type: 'vector', columns: { values: Float64Array.of(3) } });
  expect(warnings.join()).toContain('127.0.0.1:1');
  const abort = new DistributedQueries(remotes, { ...options, partialResponse: 'abort' }, clock);
  await expect(
    engine.instant({ signal }, joined([]), 'count(m)', { ...asked, remote: abort }),
  ).rejects.toThrow('127.0.0.1:1');
});

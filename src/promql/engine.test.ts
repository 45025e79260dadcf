import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { Engine } from './engine.ts';
import { ALL_FEATURES } from './parser/options.ts';
import type { Columns, QueryResult } from './query-result.ts';

const MINUTE = 60_000;
const ctx = { signal: new AbortController().signal };

/** Four counters, two gauges and buckets, a sample a minute for an hour; one gauge has gaps and a staleness marker. */
async function sampleStorage(): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  const add = (labels: Record<string, string>, valueAt: (i: number) => number | undefined) => {
    for (let i = 0; i <= 60; i++) {
      const value = valueAt(i);
      if (value !== undefined) appender.append(Labels.from(labels), i * MINUTE, value);
    }
  };
  for (const [n, job] of ['api', 'api', 'web', 'web'].entries())
    add(
      { __name__: 'requests_total', job, instance: `${n % 2}` },
      (i) => (i < 30 ? i : i - 30) * 60 * (n + 1),
    );
  add({ __name__: 'load', job: 'api', instance: '0' }, (i) => Math.sin(i));
  add({ __name__: 'load', job: 'web', instance: '0' }, (i) => (i % 7 < 3 ? i : undefined));
  add({ __name__: 'quota', job: 'api' }, () => 10);
  add({ __name__: 'quota', job: 'web' }, () => 20);
  for (const [le, share] of [
    ['0.1', 1],
    ['1', 3],
    ['+Inf', 4],
  ] as const)
    add({ __name__: 'latency_bucket', job: 'api', le }, (i) => i * share);
  await appender.commit();
  return storage;
}

/** `{labels} value@minute …` per row, in the order of the answer. */
function textOf({ value }: QueryResult): string[] {
  if (value.type === 'scalar' || value.type === 'string') return [String(value.v)];
  if (value.type === 'series')
    return value.series.map(
      ({ labels, floatTimes, floats }) =>
        `${labels} ${[...floatTimes].map((t, i) => `${floats[i]}@${t / MINUTE}`).join(' ')}`,
    );
  return value.columns.labels.map((labels, row) => `${labels} ${rowText(value.columns, row)}`);
}

function rowText({ grid, values, presence }: Columns, row: number): string {
  const cells: string[] = [];
  for (let i = 0; i < grid.count; i++) {
    const cell = row * grid.count + i;
    if (presence[cell] === 1) cells.push(`${values[cell]}@${(grid.start + i * grid.step) / MINUTE}`);
  }
  return cells.join(' ');
}

const TEN = 10 * MINUTE;

test.each([
  ['1 + 2 * 3', ['7']],
  ['"text"', ['text']],
  ['time()', ['600']],
  ['quota', ['{__name__="quota", job="api"} 10@10', '{__name__="quota", job="web"} 20@10']],
  ['sum by (job) (rate(requests_total[5m]))', ['{job="api"} 3@10', '{job="web"} 7@10']],
  ['sum without (instance) (increase(requests_total[5m]))', ['{job="api"} 900@10', '{job="web"} 2100@10']],
  ['topk(1, requests_total)', ['{__name__="requests_total", instance="1", job="web"} 2400@10']],
  [
    'bottomk by (job) (1, quota)',
    ['{__name__="quota", job="api"} 10@10', '{__name__="quota", job="web"} 20@10'],
  ],
  ['-quota', ['{job="api"} -10@10', '{job="web"} -20@10']],
  ['quota > 10', ['{__name__="quota", job="web"} 20@10']],
  ['10 < bool quota', ['{job="api"} 0@10', '{job="web"} 1@10']],
  [
    'rate(requests_total[5m]) / on (job) group_left quota',
    [
      '{instance="0", job="api"} 0.1@10',
      '{instance="0", job="web"} 0.15@10',
      '{instance="1", job="api"} 0.2@10',
      '{instance="1", job="web"} 0.2@10',
    ],
  ],
  ['quota and on (job) load{job="api"}', ['{__name__="quota", job="api"} 10@10']],
  ['quota unless on (job) load{job="api"}', ['{__name__="quota", job="web"} 20@10']],
  ['absent(nothing{job="x", a!="b"})', ['{job="x"} 1@10']],
  ['scalar(quota{job="api"})', ['10']],
  ['vector(3)', ['{} 3@10']],
  ['quota @ 120 offset 1m', ['{__name__="quota", job="api"} 10@10', '{__name__="quota", job="web"} 20@10']],
  [
    'max_over_time(rate(requests_total{job="api",instance="0"}[2m])[5m:1m])',
    ['{instance="0", job="api"} 1@10'],
  ],
  ['quota{job="api"}[3m]', ['{__name__="quota", job="api"} 10@8 10@9 10@10']],
  ['histogram_quantile(0.5, latency_bucket)', ['{job="api"} 0.55@10']],
  [
    'label_replace(quota, "team", "$1-team", "job", "(a)p.*")',
    ['{__name__="quota", job="api", team="a-team"} 10@10', '{__name__="quota", job="web"} 20@10'],
  ],
  ['count_values("v", quota)', ['{v="10"} 1@10', '{v="20"} 1@10']],
  ['sort_desc(quota)', ['{__name__="quota", job="web"} 20@10', '{__name__="quota", job="api"} 10@10']],
  ['stddev(quota)', ['{} 5@10']],
  ['quantile(0.5, quota)', ['{} 15@10']],
])('%s at ten minutes', async (query, expected) => {
  const result = await new Engine().instant(ctx, await sampleStorage(), query, { timeMs: TEN });
  expect(textOf(result)).toEqual(expected);
});

test.each([
  [
    'quota + on () requests_total',
    'found duplicate series for the match group {} on the right hand-side of the operation: [{__name__="requests_total", instance="0", job="api"}, {__name__="requests_total", instance="0", job="web"}];many-to-many matching not allowed: matching labels must be unique on one side',
  ],
  [
    'requests_total + on (job) quota',
    'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
  ],
  [
    'ceil({job="api", __name__=~"quota|load"} * on () group_left vector(1)) or abs({__name__=~"requests_total|load", instance="0"})',
    'vector cannot contain metrics with the same labelset',
  ],
  ['topk(NaN, quota)', 'Parameter value is NaN'],
  [
    'double_exponential_smoothing(quota[5m], 2, 0.1)',
    'invalid smoothing factor. Expected: 0 < sf < 1, got: 2.000000',
  ],
  [
    'deriv(quota[5m] anchored)',
    'anchored modifier can only be used with: changes, delta, increase, rate, resets - not with deriv',
  ],
])('%s fails with the words of Prometheus', async (query, message) => {
  const engine = new Engine({ features: ALL_FEATURES });
  const result = engine.instant(ctx, await sampleStorage(), query, { timeMs: TEN });
  await expect(result).rejects.toMatchObject({ code: 'execution', message });
});

test('the metric name stays until the end of the query when its removal is delayed', async () => {
  const storage = await sampleStorage();
  const query = 'sum by (__name__) (rate(requests_total[5m]))';
  const delayed = new Engine({ features: { 'promql-delayed-name-removal': true } });
  expect(textOf(await new Engine().instant(ctx, storage, query, { timeMs: TEN }))).toEqual(['{} 10@10']);
  expect(textOf(await delayed.instant(ctx, storage, query, { timeMs: TEN }))).toEqual(['{} 10@10']);
  const renamed = 'label_replace(rate(requests_total{job="api"}[5m]), "n", "$1", "__name__", "(.+)_total")';
  expect(textOf(await delayed.instant(ctx, storage, renamed, { timeMs: TEN }))[0]).toBe(
    '{instance="0", job="api", n="requests"} 1@10',
  );
  expect(textOf(await new Engine().instant(ctx, storage, renamed, { timeMs: TEN }))[0]).toBe(
    '{instance="0", job="api"} 1@10',
  );
});

test('start timestamps are looked at only with their feature on', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let t = 1; t <= 5; t++)
    appender.append(Labels.from({ __name__: 'jobs_total' }), t * 60_000, t, t * 60_000 - 30_000);
  await appender.commit();
  const on = new Engine({ features: { ...ALL_FEATURES, 'use-start-timestamps': true } });
  const off = new Engine({ features: ALL_FEATURES });
  const ask = async (engine: Engine, query: string) =>
    textOf(await engine.instant(ctx, storage, query, { timeMs: 300_000 }));
  expect(await ask(off, 'resets(jobs_total[5m])')).toEqual(['{} 0@5']);
  expect(await ask(on, 'resets(jobs_total[5m])')).toEqual(['{} 4@5']);
  expect(await ask(off, 'start_timestamp(jobs_total)')).toEqual([]);
  expect(await ask(on, 'start_timestamp(jobs_total)')).toEqual(['{} 270@5']);
});

test('with type and unit labels, the type of a metric says whether it is a counter', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (const labels of [
    { __name__: 'jobs', __type__: 'counter' },
    { __name__: 'jobs_total', __type__: 'gauge' },
    { __name__: 'old_total', __type__: '' },
  ])
    for (let t = 1; t <= 5; t++) appender.append(Labels.from(labels), t * MINUTE, t);
  await appender.commit();
  const infosOf = async (engine: Engine, query: string) =>
    (await engine.instant(ctx, storage, query, { timeMs: 5 * MINUTE })).infos;
  const typed = new Engine({ features: { 'type-and-unit-labels': true } });
  const words =
    'PromQL info: metric might not be a counter, __type__ label is not set to "counter" or "histogram"';
  expect(await infosOf(typed, 'rate(jobs[5m])')).toEqual([]);
  expect(await infosOf(typed, 'rate(jobs_total[5m])')).toEqual([`${words}, got "gauge": "jobs_total" (1:6)`]);
  expect(await infosOf(typed, 'increase(old_total[5m])')).toEqual([`${words}, got "": "old_total" (1:10)`]);
  expect(await infosOf(new Engine(), 'rate(jobs_total[5m])')).toEqual([]);
  expect(await infosOf(new Engine(), 'rate(jobs[5m])')).toHaveLength(1);
});

test.each([
  'sum_over_time(load[10y:1ms])',
  'load[10y:1ms]',
  'max_over_time(max_over_time(load[10y:1s])[10y:1s])',
  'count_over_time(vector(1)[292y:1ms])',
])('%s fails before memory is taken for it', async (query) => {
  const start = performance.now();
  await expect(
    new Engine().instant(ctx, await sampleStorage(), query, { timeMs: TEN }),
  ).rejects.toMatchObject({
    code: 'execution',
    message: expect.stringContaining('would load too many samples into memory'),
  });
  expect(performance.now() - start).toBeLessThan(2_000);
});

test('an instant selector looks back to the last sample where samples lie far apart, unless it is said how far', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  for (let i = 0; i <= 3; i++) appender.append(Labels.from({ __name__: 'up' }), i * 60 * MINUTE, i);
  await appender.commit();
  const asked: number[][] = [];
  const spacingOf = (...bounds: number[]) => {
    asked.push(bounds);
    return 60 * MINUTE;
  };
  const valueAt = async (query: string, more: object) => {
    const options = { timeMs: 130 * MINUTE, ...more };
    return textOf(await new Engine().instant(ctx, storage, query, options));
  };
  expect(await valueAt('up', {})).toEqual([]);
  expect(await valueAt('up', { spacingOf })).toEqual(['{__name__="up"} 2@130']);
  expect(await valueAt('up offset 1h', { spacingOf })).toEqual(['{__name__="up"} 1@130']);
  expect(await valueAt('up', { spacingOf, lookbackDeltaMs: MINUTE })).toEqual([]);
  const given = { timeMs: 130 * MINUTE, spacingOf };
  expect((await new Engine().instant(ctx, storage, 'up', given)).infos).toEqual([
    'PromQL info: some samples are 1h apart, so that instant selectors look back as far',
  ]);
  expect(asked.splice(2)).toEqual([[125 * MINUTE + 1, 130 * MINUTE]]);
  const { infos } = await new Engine().instant(ctx, storage, 'max_over_time(up[2h])', given);
  expect([infos, asked.splice(2)]).toEqual([[], []]);
  expect(asked).toEqual([
    [125 * MINUTE + 1, 130 * MINUTE],
    [65 * MINUTE + 1, 70 * MINUTE],
  ]);
});

test.each([Number.NaN, Infinity, -Infinity])('%s is no time', async (time) => {
  const storage = await sampleStorage();
  const error = { code: 'bad_data', message: expect.stringContaining('invalid time') };
  await expect(new Engine().instant(ctx, storage, 'load', { timeMs: time })).rejects.toMatchObject(error);
  const options = { startMs: time, endMs: time, stepMs: 1 };
  await expect(new Engine().range(ctx, storage, 'load', options)).rejects.toMatchObject(error);
});

const QUERIES = [
  'rate(requests_total[5m])',
  'sum by (job) (rate(requests_total[5m]))',
  'load',
  'load offset 3m',
  'avg(load) + on () vector(time())',
  'topk(2, requests_total)',
  'load > 0.5',
  'load or quota',
  'load * on (job) group_left quota',
  'quantile_over_time(0.3, load[10m])',
  'max_over_time(deriv(load[5m])[10m:2m])',
  'count_values("v", round(load))',
  'histogram_quantile(0.9, rate(latency_bucket[5m]))',
  'absent(load{job="web"})',
  'quota @ 600 + on (job) group_right load',
  'changes(load[7m]) + resets(requests_total{instance="0"}[7m]) or stdvar_over_time(load[4m])',
  'label_replace(load, "team", "x-$1", "job", "(.)eb") and on (instance) load{job="web"}',
  'predict_linear(load[10m], 60)',
  'count(load) / count(requests_total) + count(load)',
];

test.each(QUERIES)('%s has at each step of a range the value of an instant query', async (query) => {
  const storage = await sampleStorage();
  const engine = new Engine();
  const options = { startMs: 0, endMs: 60 * MINUTE, stepMs: 4 * MINUTE };
  const byTime = new Map<number, string[]>();
  for (const row of textOf(await engine.range(ctx, storage, query, options))) {
    const [, labels, cells] = /^(\{.*\}) (.*)$/.exec(row)!;
    for (const cell of cells.split(' ')) {
      const minute = Number(cell.split('@')[1]);
      byTime.set(minute, [...(byTime.get(minute) ?? []), `${labels} ${cell}`]);
    }
  }
  for (let minute = 0; minute <= 60; minute += 4) {
    const instant = textOf(await engine.instant(ctx, storage, query, { timeMs: minute * MINUTE }));
    expect(instant.sort(), `minute ${minute}`).toEqual((byTime.get(minute) ?? []).sort());
  }
});

test.each(QUERIES)('%s is the same however its batches are cut', async (query) => {
  const storage = await sampleStorage();
  const options = { startMs: 0, endMs: 60 * MINUTE, stepMs: MINUTE };
  const whole = await new Engine().range(ctx, storage, query, options);
  const cut = await new Engine({ batchCells: 1 }).range(ctx, storage, query, options);
  expect(textOf(cut)).toEqual(textOf(whole));
});

test.each(QUERIES)('%s over an hour is its two half hours together', async (query) => {
  const storage = await sampleStorage();
  const engine = new Engine();
  const cells = async (startMs: number, endMs: number) =>
    textOf(await engine.range(ctx, storage, query, { startMs, endMs, stepMs: MINUTE })).flatMap((row) => {
      const [, labels, values] = /^(\{.*\}) (.*)$/.exec(row)!;
      return values.split(' ').map((cell) => `${labels} ${cell}`);
    });
  const halves = [...(await cells(0, 29 * MINUTE)), ...(await cells(30 * MINUTE, 60 * MINUTE))];
  expect(halves.sort()).toEqual((await cells(0, 60 * MINUTE)).sort());
});

test('a query that would hold too many samples fails and says how many it may', async () => {
  const engine = new Engine({ maxSamples: 100 });
  const result = engine.range(ctx, await sampleStorage(), 'load + load', {
    startMs: 0,
    endMs: 60 * MINUTE,
    stepMs: 1000,
  });
  await expect(result).rejects.toMatchObject({
    code: 'execution',
    message: expect.stringMatching(
      /^query processing would load too many samples into memory in query execution \(\d+ samples, limit 100, /,
    ),
  });
});

test('a query stops when its signal is aborted', async () => {
  const controller = new AbortController();
  controller.abort();
  const result = new Engine().instant({ signal: controller.signal }, await sampleStorage(), 'load', {
    timeMs: TEN,
  });
  await expect(result).rejects.toMatchObject({ code: 'canceled' });
});

test('a query stops at its deadline', async () => {
  let now = 0;
  const clock = {
    now: () => now,
    monotonic: () => (now += 1000),
    after: (_: number, task: () => void) => {
      task();
      return () => {};
    },
  };
  const engine = new Engine({ clock, timeoutMs: 3000 });
  const result = engine.instant(ctx, await sampleStorage(), 'load + load', { timeMs: TEN });
  await expect(result).rejects.toMatchObject({
    code: 'timeout',
    message: 'query timed out in expression evaluation',
  });
});

test('a range query has a limit on its points', async () => {
  const options = { startMs: 0, endMs: 11_001_000, stepMs: 1000 };
  await expect(new Engine().range(ctx, await sampleStorage(), 'load', options)).rejects.toMatchObject({
    code: 'bad_data',
    message:
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
  });
});

test('remarks carry their place in the query', async () => {
  const { infos, warnings } = await new Engine().instant(
    ctx,
    await sampleStorage(),
    'quantile(2, rate(load[5m]))',
    { timeMs: TEN },
  );
  expect(infos).toEqual([
    'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "load" (1:18)',
  ]);
  expect(warnings).toEqual(['PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)']);
});

test('the querier is closed even when the query fails', async () => {
  const storage = await sampleStorage();
  let open = 0;
  const source = {
    querier: async (mint: number, maxt: number) => {
      const querier = await storage.querier(mint, maxt);
      open++;
      const close = querier.close.bind(querier);
      querier.close = async () => {
        open--;
        await close();
      };
      return querier;
    },
  };
  await expect(new Engine().instant(ctx, source, 'topk(NaN, load)', { timeMs: TEN })).rejects.toThrow();
  await new Engine().instant(ctx, source, 'load', { timeMs: TEN });
  expect(open).toBe(0);
});

test('a long row of large windows is left when its query is given up', async () => {
  const flag = { aborted: false };
  const signal = {
    get aborted() {
      return flag.aborted;
    },
    reason: undefined,
    throwIfAborted() {},
  } as unknown as AbortSignal;
  let now = 0;
  const clock = {
    now: () => 0,
    monotonic: () => {
      now += 0.01;
      if (now > 5) flag.aborted = true;
      return now;
    },
    after: () => () => {},
  };
  const engine = new Engine({ clock });
  const query = 'predict_linear((vector(time()))[100000s:1s], 60)';
  const run = engine.range({ signal }, new MemoryStorage(), query, {
    startMs: 0,
    endMs: 10_000_000,
    stepMs: 1000,
  });
  await expect(run).rejects.toMatchObject({ code: 'canceled' });
  expect(now).toBeLessThan(6);
});

test('the median of a window of a million samples is found in time', async () => {
  const query = 'quantile_over_time(0.5, (vector(time()))[1000000s:1s])';
  const { value } = await new Engine().instant(
    { signal: new AbortController().signal },
    new MemoryStorage(),
    query,
    { timeMs: 1_000_000_000 },
  );
  expect(value.type === 'vector' && value.columns.values[0]).toBe(500_000.5);
});

test('labels that a query makes are bounded, however little text asks for them', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  appender.append(Labels.from({ __name__: 'x', g: '0123456789' }), 0, 1);
  await appender.commit();
  const nested = `${'label_join('.repeat(40)}x${', "g", "g", "g", "g")'.repeat(40)}`;
  const templated = `label_replace(x, "h", "${'$1'.repeat(10_000)}", "g", "(.*)")`;
  for (const query of [nested, templated])
    await expect(new Engine().instant(ctx, storage, query, { timeMs: 0 })).rejects.toThrow(
      /a value made for the label "[gh]" has \d+ characters \(limit 65536\)/,
    );
  const name = `label_replace(x, "${'n'.repeat(70_000)}", "v", "g", ".*")`;
  await expect(new Engine().instant(ctx, storage, name, { timeMs: 0 })).rejects.toThrow('70000 characters');
});

import type * as Promql from '../../src/promql/module/module.ts';

/** Runs in Node and in a browser, so it imports nothing but types. */

const START = 1_700_000_000_000;
const MINUTE = 60_000;
const STEPS = 61;

/** What both ends evaluate: every kind of operator, window and answer, and some that fail. */
export const QUERIES: readonly string[] = [
  ...['rate', 'increase', 'delta', 'idelta', 'irate', 'deriv', 'changes', 'resets'].flatMap((name) => [
    `${name}(requests_total[5m])`,
    `sum by (job) (${name}(requests_total[10m]))`,
  ]),
  ...['avg', 'min', 'max', 'sum', 'count', 'stddev', 'stdvar', 'last', 'first', 'mad', 'present'].map(
    (name) => `${name}_over_time(temperature[7m])`,
  ),
  ...['sum', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'].flatMap((name) => [
    `${name}(temperature)`,
    `${name} without (instance) (requests_total)`,
  ]),
  ...['abs', 'ceil', 'floor', 'exp', 'ln', 'log2', 'log10', 'sqrt', 'sgn', 'sin', 'atan', 'deg'].map(
    (name) => `${name}(temperature)`,
  ),
  ...['+', '-', '*', '/', '%', '^', 'atan2'].map(
    (op) => `temperature ${op} on (instance) group_left temperature{job="a"}`,
  ),
  ...['==', '!=', '<', '>='].map((op) => `temperature ${op} bool 20`),
  ...['and', 'or', 'unless'].map((op) => `temperature ${op} on (instance) requests_total{job="b"}`),
  'topk(2, temperature)',
  'bottomk(1, temperature) by (job)',
  'limitk(2, requests_total)',
  'quantile by (job) (0.9, temperature)',
  'quantile_over_time(0.25, temperature[9m])',
  'predict_linear(temperature[10m], 3600)',
  'double_exponential_smoothing(temperature[10m], 0.3, 0.4)',
  'histogram_quantile(0.9, sum by (le) (rate(latency_seconds_bucket[5m])))',
  'histogram_quantile(0.5, rate(native_seconds[5m]))',
  'histogram_avg(native_seconds)',
  'histogram_fraction(0, 2, native_seconds)',
  'sum(rate(native_seconds[5m]))',
  'native_seconds',
  'max_over_time(rate(requests_total[2m])[10m:1m])',
  'requests_total offset 5m',
  'requests_total @ 1700000600',
  'requests_total @ end()',
  '{__name__=~"temp.*",instance!~"[0-4]"}',
  '{__name__=~"(?i)TEMP[a-z]+",instance=~"\\\\d"}',
  '{"émission.totale"}',
  'label_replace(temperature, "host", "$1-x", "instance", "(.).*")',
  'label_join(temperature, "both", "/", "job", "instance")',
  'count_values("v", floor(temperature / 10))',
  'absent(nothing{job="x"})',
  'absent_over_time(nothing[5m])',
  'sort_desc(temperature)',
  'timestamp(temperature)',
  'clamp(temperature, 10, 15)',
  'vector(1) / 0',
  'scalar(temperature{job="a",instance="1"}) + 1',
  '-temperature ^ 2',
  'time() - 1700000000',
  'hour() + minute()',
  '"text"',
  'temperature[3m]',
  'rate(temperature[',
  'nonsense(temperature)',
  'temperature{job=~"(["}',
  'temperature + on (job) temperature',
  'sum(requests_total) / ignoring (job) requests_total',
];

/** The answers to all queries as text that is equal only where every label, time and bit of a value is. */
export async function answersOf(promql: typeof Promql): Promise<string[]> {
  const engine = new promql.Engine({ features: { 'promql-experimental-functions': true } });
  const source = promql.queryableOf(series());
  const signal = new AbortController().signal;
  const texts: string[] = [];
  for (const query of QUERIES) {
    const instant = engine.instant({ signal }, source, query, { timeMs: START + 30 * MINUTE });
    const range = engine.range({ signal }, source, query, {
      startMs: START + 10 * MINUTE,
      endMs: START + 50 * MINUTE,
      stepMs: 150_000,
    });
    texts.push(`${query}: ${await textOf(promql, instant)} | ${await textOf(promql, range)}`);
  }
  return texts;
}

async function textOf(promql: typeof Promql, result: Promise<Promql.QueryResult>): Promise<string> {
  try {
    const { value, warnings, infos } = await result;
    const rows = value.type === 'string' ? value.v : promql.seriesOf(value).map(rowText);
    return JSON.stringify([value.type, rows, warnings, infos]);
  } catch (error) {
    return String(error);
  }
}

function rowText({ labels, samples }: Promql.AnswerSeries): string {
  const values = samples.map(
    ([t, v]) => `${t}=${typeof v === 'number' ? `${Object.is(v, -0) ? '-' : ''}${v}` : JSON.stringify(v)}`,
  );
  return `${labels} ${values.join(' ')}`;
}

function series(): Promql.PlainSeries[] {
  const times = Array.from({ length: STEPS }, (_, i) => START + i * MINUTE);
  const samples = (value: (i: number) => number) => times.map((t, i) => [t, value(i)] as const);
  const found: Promql.PlainSeries[] = [
    { labels: { __name__: 'émission.totale', ville: 'Genève' }, samples: samples((i) => i ** 2 / 7) },
  ];
  for (const job of ['a', 'b'])
    for (let instance = 0; instance < 6; instance++) {
      const labels = { job, instance: String(instance) };
      const factor = instance + (job === 'a' ? 1 : 0.1);
      found.push(
        {
          labels: { ...labels, __name__: 'requests_total' },
          // Falls back to the start now and then, and has gaps.
          samples: samples((i) => factor * (i % (20 + instance))).filter((_, i) => i % (7 + instance) !== 3),
        },
        {
          labels: { ...labels, __name__: 'temperature' },
          samples: samples((i) => 15 + factor * Math.fround(((i * 7919) % 101) / 10 - 5)),
        },
      );
      for (const [k, le] of ['0.1', '1', '10', '+Inf'].entries())
        found.push({
          labels: { ...labels, __name__: 'latency_seconds_bucket', le },
          samples: samples((i) => i * (k + 1) * (instance + 1)),
        });
      found.push({
        labels: { ...labels, __name__: 'native_seconds' },
        samples: times.map((t, i) => [t, histogram(i)]),
      });
    }
  return found;
}

function histogram(i: number): Promql.FloatHistogram {
  return {
    kind: 'float',
    counterResetHint: 'unknown',
    schema: 1,
    zeroThreshold: 0.001,
    zeroCount: i,
    count: 7 * i,
    sum: 9.5 * i,
    positiveSpans: [{ offset: 0, length: 3 }],
    negativeSpans: [],
    positiveBuckets: [i, 2 * i, 3 * i],
    negativeBuckets: [],
    customValues: [],
  };
}

import { expect, test } from 'vitest';
import type { Shipper } from '../../blocks/shipper.ts';
import { readPrometheusFile } from '../../config/prometheus-config.ts';
import { Labels } from '../../model/labels.ts';
import { Matcher } from '../../model/matcher.ts';
import type { Clock } from '../../platform/clock.ts';
import { silentLogger } from '../../platform/log.ts';
import { Metrics } from '../../platform/metrics.ts';
import { querierAcceptance, selectSamples } from '../../storage/acceptance.ts';
import { QueryableStore } from '../../storeapi/queryable-store.ts';
import { StoreQuerier } from '../../storeapi/store-querier.ts';
import { PrometheusClient } from './prometheus-client.ts';
import { PrometheusSource } from './prometheus-querier.ts';
import { Sidecar } from './sidecar.ts';
import { MemoryPrometheus } from './testdata/memory-prometheus.ts';

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const ctx = { signal: new AbortController().signal };

/** Nothing happens by itself. */
const clock: Clock = { now: () => NOW, monotonic: () => 0, after: () => () => {} };

function clientOf(prometheus: MemoryPrometheus): PrometheusClient {
  return new PrometheusClient(prometheus.url, prometheus, readPrometheusFile);
}

for (const streams of [true, false])
  querierAcceptance(`a Prometheus that answers in ${streams ? 'chunks' : 'samples'}`, async (data) => {
    const prometheus = new MemoryPrometheus();
    prometheus.streams = streams;
    await prometheus.add(data);
    return new PrometheusSource(clientOf(prometheus), () => 0);
  });

querierAcceptance('a sidecar through its store', async (data) => {
  const prometheus = new MemoryPrometheus();
  await prometheus.add(data);
  const source = new PrometheusSource(clientOf(prometheus), () => 0);
  const info = { component: 'sidecar', labelSets: [], mint: 0, maxt: Number.MAX_SAFE_INTEGER };
  const store = new QueryableStore(source, () => info);
  const options = { tenant: 't', endpoint: 'e', maxResolutionMs: 0, seriesMax: 1000, bytesMax: 1e9 };
  return { querier: async () => new StoreQuerier(store, { ...options, partialResponse: 'warn' }) };
});

function sidecarOf(prometheus: MemoryPrometheus, more: { mint?: () => number; ships?: Labels[] } = {}) {
  const said: string[] = [];
  const log = {
    ...silentLogger,
    warn: (message: string, fields?: object) => void said.push(`${message} ${JSON.stringify(fields)}`),
    error: (message: string) => void said.push(message),
  };
  const { ships } = more;
  const openShipper = async (labels: Labels) =>
    ({ sync: async () => void ships?.push(labels) }) as unknown as Shipper;
  const sidecar = new Sidecar(
    {
      checkIntervalMs: 30_000,
      checkTimeoutMs: 1_000,
      shipIntervalMs: 30_000,
      mint: more.mint ?? (() => 0),
      rules: { uploadCompacted: false, ignoreUnequalBlockSize: false },
    },
    { client: clientOf(prometheus), openShipper: ships && openShipper, clock, log, metrics: new Metrics() },
  );
  return { sidecar, said };
}

test('it waits for Prometheus, and then follows its labels through restarts and reloads', async () => {
  const prometheus = new MemoryPrometheus();
  prometheus.isUp = false;
  const { sidecar, said } = sidecarOf(prometheus);
  await sidecar.start();
  expect([sidecar.isReady, sidecar.info().labelSets]).toEqual([false, []]);
  expect(said.join()).toContain('connect ECONNREFUSED');
  prometheus.isUp = true;
  await sidecar.check();
  expect([sidecar.isReady, String(sidecar.info().labelSets)]).toEqual([true, '{cluster="eu", replica="a"}']);
  prometheus.isUp = false;
  await sidecar.check();
  expect(String(sidecar.info().labelSets)).toBe('{cluster="eu", replica="a"}');
  prometheus.isUp = true;
  prometheus.yaml = 'global: {external_labels: {cluster: us}}';
  await sidecar.check();
  expect(String(sidecar.info().labelSets)).toBe('{cluster="us"}');
});

test('blocks are shipped under the labels of now, and not while something stands against it', async () => {
  const prometheus = new MemoryPrometheus();
  const ships: Labels[] = [];
  const { sidecar, said } = sidecarOf(prometheus, { ships });
  await sidecar.ship();
  expect(ships).toEqual([]);
  await sidecar.check();
  await sidecar.ship();
  prometheus.yaml = 'global: {external_labels: {cluster: us}}';
  await sidecar.check();
  await sidecar.ship();
  expect(ships.map(String)).toEqual(['{cluster="eu", replica="a"}', '{cluster="us"}']);
  prometheus.flags['storage.tsdb.max-block-duration'] = '31h';
  await sidecar.check();
  await sidecar.ship();
  expect(said.join()).toMatch(/compacts its blocks itself.*set both to 2h/);
  prometheus.yaml = 'global: {}';
  await sidecar.check();
  await sidecar.ship();
  expect(said.join()).toMatch(/has no external labels.*different for each server/);
  expect(ships).toHaveLength(2);
  prometheus.yaml = 'global: {external_labels: {cluster: eu}}';
  prometheus.flags['storage.tsdb.delay-compact-file.path'] = '/data/delay';
  await sidecar.check();
  await sidecar.ship();
  expect(ships).toHaveLength(3);
});

test.each([
  ['nothing of its age', '', '', 0],
  ['its oldest sample', 'prometheus_tsdb_lowest_timestamp_seconds 1.6999e+09\n', '', 1_699_900_000_000],
  ['an empty head', 'prometheus_tsdb_lowest_timestamp_seconds 9.223372036854776e+15\n', '', 0],
  [
    'an oldest sample that older ones may follow',
    'prometheus_tsdb_lowest_timestamp_seconds 1.69999e+09\n',
    'storage: {tsdb: {out_of_order_time_window: 1w}}',
    NOW - 168 * HOUR - 60_000,
  ],
])('when Prometheus tells of %s, data before that are not promised', async (_, metrics, yaml, mint) => {
  const prometheus = new MemoryPrometheus();
  prometheus.metrics = metrics;
  prometheus.yaml += `\n${yaml}`;
  const { sidecar } = sidecarOf(prometheus);
  await sidecar.check();
  expect(sidecar.info().mint).toBe(mint);
});

test('before its minimum time nothing is promised, asked for or given', async () => {
  const prometheus = new MemoryPrometheus();
  prometheus.metrics = 'prometheus_tsdb_lowest_timestamp_seconds 1\n';
  const { sidecar } = sidecarOf(prometheus, { mint: () => NOW - HOUR });
  await sidecar.check();
  expect(sidecar.info().mint).toBe(NOW - HOUR);
  const sample = (age: string, t: number) => ({ labels: Labels.from({ __name__: 'up', age }), t, v: 1 });
  const floats = [sample('old', NOW - 2 * HOUR), sample('new', NOW - HOUR / 2)];
  await prometheus.add({ floats, histograms: [] });
  const source = new PrometheusSource(clientOf(prometheus), () => NOW - HOUR);
  const matchers = [new Matcher('=', '__name__', 'up')];
  const asked = prometheus.asked.length;
  const old = await source.querier(0, NOW - 2 * HOUR);
  expect(await selectSamples(old, { matchers, mint: 0, maxt: NOW - 2 * HOUR, sorted: true })).toEqual({});
  expect(await old.labelNames(ctx, { matchers, mint: 0, maxt: NOW - 2 * HOUR, limit: 0 })).toEqual([]);
  expect(prometheus.asked).toHaveLength(asked);
  const whole = await source.querier(0, NOW);
  const selected = await selectSamples(whole, { matchers, mint: 0, maxt: NOW, sorted: true });
  expect(selected).toEqual({ '{__name__="up", age="new"}': [`${NOW - HOUR / 2} 1`] });
});

test('a Prometheus that is down is an error that names it, whatever is asked', async () => {
  const prometheus = new MemoryPrometheus();
  prometheus.isUp = false;
  const querier = await new PrometheusSource(clientOf(prometheus), () => 0).querier(0, NOW);
  const request = { matchers: [new Matcher('=', 'a', 'b')], mint: 0, maxt: NOW, sorted: true, limit: 0 };
  const asks = [
    () => selectSamples(querier, request),
    () => selectSamples(querier, { ...request, hints: { labelsOnly: true } }),
    () => querier.labelNames(ctx, request),
    () => querier.labelValues(ctx, 'a', request),
  ];
  for (const ask of asks)
    await expect(ask()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('http://prometheus'),
    });
});

test('only as many series are asked for as are of interest', async () => {
  const prometheus = new MemoryPrometheus();
  const querier = await new PrometheusSource(clientOf(prometheus), () => 0).querier(0, NOW);
  const matchers = [new Matcher('=', 'a', 'b')];
  const hints = { labelsOnly: true, limit: 7 };
  await selectSamples(querier, { matchers, mint: 0, maxt: NOW, sorted: true, hints });
  expect(prometheus.asked.at(-1)).toContain('limit=7');
});

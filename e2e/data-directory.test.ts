import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { TimeSeries } from '../src/proto/time-series.ts';
import { type AskedQuery, ask, differences } from './compare.ts';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { freePort } from './process.ts';
import { program } from './programs.ts';
import { exemplar, floats, histograms, push } from './push.ts';

/** A tenant's folder is a Prometheus data directory: each opens what the other wrote, with the same answers. */
const SERIES = 300;
const SAMPLES = 310;
const STEP_MS = 10_000;
/** The newest pushed sample; those before it stand ten seconds apart. */
const NEWEST = Math.floor(Date.now() / STEP_MS) * STEP_MS;
const FEATURES = '--enable-feature=native-histograms,exemplar-storage';
const run = promisify(execFile);
const running = new Set<Peer>();

let folder: string;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
});

afterAll(async () => {
  await Promise.all([...running].map((peer) => peer.process.stop('SIGKILL')));
  await rm(folder, { recursive: true, force: true });
});

/** Half a second after a pushed sample: Prometheus 2.42 closes windows on the left, 3 opens them. */
const moment = { time: NEWEST / 1000 + 0.5, rangeSeconds: 1800, stepSeconds: 61 };
const WHOLE = '[10h]';
const QUERIES: AskedQuery[] = [
  ['instant', `{__name__=~"pushed.*"}${WHOLE}`],
  ['instant', 'pushed_total'],
  ['instant', 'count by (__name__) ({__name__=~"pushed.*"})'],
  ['instant', `count_over_time({__name__=~"pushed.*"}${WHOLE})`],
  ['range', 'sum by (group) (rate(pushed_total[5m]))'],
  ['range', 'pushed_gone'],
  // Not histogram_quantile: Prometheus 3 interpolates exponentially in native histograms.
  ['range', 'histogram_count(rate(pushed_histogram[5m]))'],
  ['range', 'histogram_sum(increase(pushed_histogram[7m]))'],
  ['range', 'pushed_histogram{i="1"}'],
  ['api', 'labels'],
  ['api', 'label/i/values'],
  ['api', 'label/__name__/values?match[]={group="3"}'],
  ['api', 'series?match[]={__name__=~".+"}'],
].map(([how, query]) => ({ how, query }) as AskedQuery);
const EXEMPLARS: AskedQuery = {
  how: 'api',
  query: `query_exemplars?${new URLSearchParams({ query: 'pushed_total' })}`,
};

test('Prometheus and promtool serve what Verona wrote, from the log and from blocks', async () => {
  const own = join(folder, 'verona');
  let verona = await veronaOn(own);
  for (const batch of batches()) await push(verona.writeUrl, batch);
  await stopped(verona);
  expect(filesIn(join(own, 'tsdb/anonymous/wal')).length).toBeGreaterThan(0);
  expect(filesIn(join(own, 'tsdb/anonymous/chunks_head')).length).toBeGreaterThan(0);

  verona = await veronaOn(own);
  let prometheus = await prometheusOn(join(own, 'tsdb/anonymous'), 'on-log');
  expect(await differences(prometheus.url, verona.url, [...QUERIES, EXEMPLARS], moment)).toEqual([]);
  await expectWholeAnswer(verona.url);
  await stopped(prometheus);
  expect(prometheus.process.output).not.toMatch(/level=error|corrupt|[Uu]nknown series/);
  expect(await dumped(join(folder, 'on-log/data'))).toEqual(pushedLines());

  const flushed = await fetch(`${verona.url}/ingester/flush`, { method: 'POST' });
  expect(flushed.status).toBe(200);
  await stopped(verona);
  verona = await veronaOn(own);
  prometheus = await prometheusOn(join(own, 'tsdb/anonymous'), 'on-blocks');
  expect(await differences(prometheus.url, verona.url, QUERIES, moment)).toEqual([]);
  await stopped(prometheus);
  await stopped(verona);
  expect(prometheus.process.output).not.toMatch(/level=error|corrupt|[Uu]nknown series/);

  const tenant = join(own, 'tsdb/anonymous');
  const blocks = readdirSync(tenant).filter(isUlid);
  expect(blocks.length).toBeGreaterThan(0);
  expect(await dumped(tenant)).toEqual(pushedLines());
  const list = await promtool('list', tenant);
  for (const block of blocks) expect(list).toContain(block);
  const analysis = await promtool('analyze', tenant, blocks[0]);
  expect(analysis).toContain(`Block ID: ${blocks[0]}`);
  expect(analysis).toMatch(/^Series: 3\d\d$/m);
}, 120_000);

test('Verona serves what Prometheus wrote, appends to it, and Prometheus opens it again', async () => {
  const data = join(folder, 'prometheus/data');
  await createOldBlocks(data);
  const port = await freePort();
  const scraped = `global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:${port}']}]}]
`;
  const origin = await startPrometheus(join(folder, 'prometheus'), scraped, [FEATURES], port);
  running.add(origin);
  for (const batch of batches()) await push(origin.writeUrl, batch);
  await new Promise((resolve) => setTimeout(resolve, 20_000));
  await stopped(origin);
  expect(filesIn(join(data, 'chunks_head')).length).toBeGreaterThan(0);
  const later = { ...moment, time: Math.ceil(Date.now() / STEP_MS) * (STEP_MS / 1000) + 0.5 };
  const queries: AskedQuery[] = [
    ...QUERIES,
    { how: 'instant', query: `{job="self"}[1h]` },
    { how: 'instant', query: `old${WHOLE}` },
    { how: 'instant', query: 'max_over_time(old[9h])' },
    { how: 'range', query: 'sum(old)', at: { beforeSeconds: 0, rangeSeconds: 36_000, stepSeconds: 601 } },
  ];

  const own = join(folder, 'verona-on-theirs');
  await cp(data, join(own, 'tsdb/anonymous'), { recursive: true });
  let verona = await veronaOn(own);
  let prometheus = await prometheusOn(data, 'theirs');
  expect(await differences(prometheus.url, verona.url, [...queries, EXEMPLARS], later)).toEqual([]);
  await stopped(prometheus);

  const now = Math.ceil(Date.now() / STEP_MS) * STEP_MS;
  await push(verona.writeUrl, [
    floats({ __name__: 'pushed_total', i: '1', group: '1' }, [[now, 1e6]]),
    floats({ __name__: 'pushed_by_verona', by: 'verona' }, [
      [now - STEP_MS, 1],
      [now, 2],
    ]),
    histograms({ __name__: 'pushed_histogram', i: '1' }, [[now, 5000]]),
  ]);
  await stopped(verona);
  verona = await veronaOn(own);
  prometheus = await prometheusOn(join(own, 'tsdb/anonymous'), 'theirs-again');
  const after = { ...moment, time: now / 1000 + 0.5 };
  expect(await differences(prometheus.url, verona.url, [...queries, EXEMPLARS], after)).toEqual([]);
  const added = await ask(verona.url, { how: 'instant', query: 'pushed_by_verona[1m]' }, after);
  expect(added.data?.result).toMatchObject([
    {
      values: [
        [now / 1000 - 10, '1'],
        [now / 1000, '2'],
      ],
    },
  ]);
  await stopped(prometheus);
  expect(prometheus.process.output).not.toMatch(/level=error|corrupt|[Uu]nknown series/);
}, 180_000);

/** Counters, series that end with a stale marker, native histograms and exemplars; twenty steps a request. */
function batches(): TimeSeries[][] {
  const all: TimeSeries[][] = [];
  for (let first = 0; first < SAMPLES; first += 20) {
    const steps = Array.from({ length: Math.min(20, SAMPLES - first) }, (_, k) => first + k);
    const batch: TimeSeries[] = [];
    for (let i = 0; i < SERIES; i++) {
      const labels = { __name__: 'pushed_total', i: String(i), group: String(i % 7) };
      const seen = i < 5 ? [exemplar(`trace-${i}-${first}`, i / 2, timeOf(first))] : [];
      batch.push(
        floats(
          labels,
          steps.map((step) => [timeOf(step), valueAt(i, step)]),
          seen,
        ),
      );
    }
    batch.push(floats({ __name__: 'pushed_gone' }, goneSamples(steps)));
    for (const i of ['1', '2'])
      batch.push(
        histograms(
          { __name__: 'pushed_histogram', i },
          steps.map((step) => [timeOf(step), 3 * step]),
        ),
      );
    all.push(batch);
  }
  return all;
}

/** Every thirty steps the series ends with a marker and comes back ten steps later. */
function goneSamples(steps: readonly number[]): [number, number | 'stale'][] {
  return steps
    .filter((step) => step % 30 <= 20)
    .map((step) => [timeOf(step), step % 30 === 20 ? 'stale' : step]);
}

function timeOf(step: number): number {
  return NEWEST - (SAMPLES - 1 - step) * STEP_MS;
}

function valueAt(series: number, step: number): number {
  return ((series + 1) * (step % 200)) / 2;
}

/** What `promtool tsdb dump` says of the float samples pushed. */
function pushedLines(): string[] {
  return batches()
    .flat()
    .flatMap(({ labels, samples }) =>
      samples.map(({ t, v }) => {
        const pairs = Array.from(
          { length: labels.length / 2 },
          (_, k) => `${labels[2 * k]}="${labels[2 * k + 1]}"`,
        );
        return `{${pairs.join(', ')}} ${v} ${t}`;
      }),
    )
    .sort();
}

async function dumped(dir: string): Promise<string[]> {
  const lines = (await promtool('dump', dir)).split('\n');
  return lines.filter((line) => line !== '' && !line.includes('pushed_histogram')).sort();
}

async function promtool(command: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(await program('promtool'), ['tsdb', command, ...args], { maxBuffer: 2 ** 28 });
  return stdout;
}

/** Comparing two empty answers proves nothing. */
async function expectWholeAnswer(url: string): Promise<void> {
  const { data } = await ask(
    url,
    { how: 'instant', query: `sum(count_over_time(pushed_total${WHOLE}))` },
    moment,
  );
  expect(data?.result).toMatchObject([{ value: [moment.time, String(SERIES * SAMPLES)] }]);
}

/** Blocks of eight to four hours ago, one sample a minute. */
async function createOldBlocks(dir: string): Promise<void> {
  await mkdir(dir, { recursive: true });
  const file = join(folder, 'old.txt');
  const lines: string[] = [];
  for (let minute = 480; minute > 240; minute--)
    lines.push(`old{a="b"} ${minute % 77} ${NEWEST / 1000 - minute * 60}\n`);
  await writeFile(file, `${lines.join('')}# EOF\n`);
  await promtool('create-blocks-from', 'openmetrics', file, dir);
}

async function veronaOn(dir: string): Promise<Peer> {
  const verona = await startVerona(dir, ['--self-metrics.enabled=false']);
  running.add(verona);
  return verona;
}

/** A Prometheus that scrapes nothing, on a copy of a data directory. */
async function prometheusOn(data: string, name: string): Promise<Peer> {
  const dir = join(folder, name);
  await cp(data, join(dir, 'data'), { recursive: true, filter: (path) => !path.endsWith('/lock') });
  const prometheus = await startPrometheus(dir, 'global: {}\n', [FEATURES]);
  running.add(prometheus);
  return prometheus;
}

async function stopped(peer: Peer): Promise<void> {
  expect(await peer.process.stop(), peer.process.output).toBe(0);
  running.delete(peer);
}

function filesIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir).filter((name) => statSync(join(dir, name)).size > 0);
}

function isUlid(name: string): boolean {
  return /^[0-9A-Z]{26}$/.test(name);
}

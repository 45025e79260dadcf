import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startVerona } from './peers.ts';
import { program } from './programs.ts';
import { END, writeOpenMetrics } from './two-weeks.ts';
import { writeUnevenDays } from './uneven-days.ts';

/** Six days of samples a minute, and of uneven ones, downsampled by the compactor: answers of 5m and 1h data beside those of raw data. */
const DAYS = 6;
const DAY = 86_400;
const run = promisify(execFile);

let folder: string;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  await writeOpenMetrics(join(folder, 'days.txt'), DAYS * 1440);
  writeUnevenDays(join(folder, 'uneven.txt'), DAYS - 2);
  await makeBlocks('days.txt', 'anonymous');
  await makeBlocks('uneven.txt', 'uneven');
  verona = await startVerona(join(folder, 'verona'), [
    '--self-metrics.enabled=false',
    '--compactor.settle-delay=0s',
    '--compactor.interval=1s',
    '--objstore.sync-interval=1s',
  ]);
  const deadline = Date.now() + 120_000;
  for (;;) {
    const text = await (await fetch(`${verona.url}/metrics`)).text();
    if (/last_successful_round_timestamp_seconds [1-9]/.test(text)) break;
    if (Date.now() > deadline) throw new Error(`not downsampled in time: ${text.slice(-2000)}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  await new Promise((resolve) => setTimeout(resolve, 2500));
}, 240_000);

async function makeBlocks(file: string, tenant: string): Promise<void> {
  const made = join(folder, `made-${tenant}`);
  await mkdir(made, { recursive: true });
  const limits = ['--max-block-duration=24h', join(folder, file), made];
  await run(await program('promtool'), ['tsdb', 'create-blocks-from', 'openmetrics', ...limits]);
  for (const block of readdirSync(made).filter((name) => /^[0-9A-Z]{26}$/.test(name)))
    await cp(join(made, block), join(folder, 'verona/bucket', tenant, block), { recursive: true });
}

afterAll(async () => {
  await verona?.process.stop();
  if (folder) await rm(folder, { recursive: true, force: true });
});

/** Query, coarsest resolution, and how far an answer may be from the raw one, relative to the largest value. */
test.each([
  ['sum(sum_over_time(temperature_celsius[1d]))', '5m', 1e-9],
  ['sum(sum_over_time(temperature_celsius[1d]))', '1h', 1e-9],
  ['max(max_over_time(temperature_celsius[1d]))', '1h', 0],
  ['min(min_over_time(temperature_celsius[1d]))', '1h', 0],
  ['sum(increase(requests_total[1d]))', '5m', 0.005],
  ['sum(increase(requests_total[1d]))', '1h', 0.05],
  ['sum by (job) (rate(requests_total[6h]))', '5m', 0.02],
  ['avg(avg_over_time(temperature_celsius[1d]))', '1h', 0.001],
  ['avg(avg_over_time(temperature_celsius[1d]))', 'auto', 0.001],
  ['avg(temperature_celsius)', '5m', 0.01],
  ['avg(temperature_celsius)', '1h', 0.1],
  ['sum(resets(requests_total[1d]))', '1h', 0],
  ['sum(count_over_time(temperature_celsius[1d]))', '1h', 0],
  ['count(temperature_celsius)', '1h', 0],
  ['sum by (job) (rate(requests_total[5m]))', '1h', 0],
  ['sum by (job) (rate(requests_total[2h]))', '1h', 0.05],
])('%s at %s is as near to the raw answer as it says', async (query, resolution, errorMax) => {
  await compare({ query, max_source_resolution: resolution }, errorMax);
});

const ON_GRID = { step: '10800' };
const OFF_GRID = { start: String(END - 3 * DAY + 137), step: '4321' };

/** Of uneven samples: at times that windows end at, and at any time. Errors as above. */
test.each([
  ['sum_over_time(level[6h])', '1h', ON_GRID, 1e-9],
  ['count_over_time(level[6h])', '1h', OFF_GRID, 0],
  ['min_over_time(level[6h])', '1h', ON_GRID, 0],
  ['max_over_time(level[6h])', '5m', ON_GRID, 0],
  ['rate(jobs_total[5m])', '1h', OFF_GRID, 0],
  ['rate(jobs_total[5m])', 'auto', OFF_GRID, 0],
  ['resets(jobs_total[1d:5m])', '5m', OFF_GRID, 0],
  ['increase(jobs_total{gaps="0"}[1d])', '5m', OFF_GRID, 0.02],
  ['increase(jobs_total{gaps="0"}[1d])', '1h', OFF_GRID, 0.08],
  ['increase(jobs_total[1d:5m])', '5m', OFF_GRID, 0.15],
  ['rate(jobs_total{gaps="0"}[2h])', '1h', OFF_GRID, 0.15],
  ['avg_over_time(level[1d])', '1h', OFF_GRID, 0.03],
  ['avg_over_time(level[1d])', 'auto', ON_GRID, 0.01],
  ['sum(rate(pod_jobs_total[1d]))', '5m', OFF_GRID, 0.05],
] as const)(
  'of uneven samples, %s at %s is as near to the raw answer as it says (%o)',
  async (query, resolution, times, errorMax) => {
    await compare({ query, max_source_resolution: resolution, ...times }, errorMax, 'uneven');
  },
);

test('values are counted by value, also of downsampled data', async () => {
  const { data } = await ask({ query: 'count_values("v", level)', max_source_resolution: '5m' }, 'uneven');
  const counted = data.result.map(({ metric }) => Number((metric as { v: string }).v));
  expect(Math.min(...counted)).toBeGreaterThan(9);
  expect(counted.some((v) => !Number.isInteger(v))).toBe(true);
});

test('coarse samples are really read: far fewer of them', async () => {
  const counts = await Promise.all(['0s', '5m', '1h'].map((resolution) => samplesRead(resolution)));
  expect(counts[0] / counts[1]).toBeGreaterThan(4);
  expect(counts[1] / counts[2]).toBeGreaterThan(8);
});

/** Errors are relative to the largest raw value. */
async function compare(params: Record<string, string>, errorMax: number, tenant?: string): Promise<void> {
  const raw = await values({ ...params, max_source_resolution: '0s' }, tenant);
  const coarse = await values(params, tenant);
  expect(coarse.size).toBe(raw.size);
  expect(raw.size).toBeGreaterThan(5);
  const largest = Math.max(...[...raw.values()].map(Math.abs));
  for (const [key, value] of raw)
    expect(
      Math.abs((coarse.get(key) ?? Number.NaN) - value) / largest,
      `${params.query} ${key}`,
    ).toBeLessThanOrEqual(errorMax);
}

/** By series and time, over two days. */
async function values(params: Record<string, string>, tenant?: string): Promise<Map<string, number>> {
  const { data } = await ask(params, tenant);
  const found = new Map<string, number>();
  for (const { metric, values: points } of data.result)
    for (const [t, value] of points) found.set(`${JSON.stringify(metric)} ${t}`, Number(value));
  return found;
}

async function samplesRead(resolution: string): Promise<number> {
  const query = 'sum(sum_over_time(temperature_celsius[1d]))';
  const { data } = await ask({ query, max_source_resolution: resolution, stats: 'all' });
  return data.stats.samples.totalQueryableSamples;
}

async function ask(params: Record<string, string>, tenant = 'anonymous') {
  const end = END - DAY;
  const form = new URLSearchParams({
    start: String(end - 2 * DAY),
    end: String(end),
    step: '21600',
    ...params,
  });
  const response = await fetch(`${verona.url}/api/v1/query_range`, {
    method: 'POST',
    body: form,
    headers: { 'x-scope-orgid': tenant },
  });
  const body = (await response.json()) as {
    status: string;
    data: {
      result: { metric: object; values: [number, string][] }[];
      stats: { samples: { totalQueryableSamples: number } };
    };
  };
  expect(body).toMatchObject({ status: 'success' });
  return body;
}

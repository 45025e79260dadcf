import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Peer, startVerona } from './peers.ts';
import { program } from './programs.ts';
import { END, writeOpenMetrics } from './two-weeks.ts';

/** Six days of samples a minute, downsampled by the compactor: answers of 5m and 1h data beside those of raw data. */
const DAYS = 6;
const DAY = 86_400;
const run = promisify(execFile);

let folder: string;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  const made = join(folder, 'made');
  await mkdir(made, { recursive: true });
  await writeOpenMetrics(join(folder, 'days.txt'), DAYS * 1440);
  const limits = ['--max-block-duration=24h', join(folder, 'days.txt'), made];
  await run(await program('promtool'), ['tsdb', 'create-blocks-from', 'openmetrics', ...limits]);
  for (const block of readdirSync(made).filter((name) => /^[0-9A-Z]{26}$/.test(name)))
    await cp(join(made, block), join(folder, 'verona/bucket/anonymous', block), { recursive: true });
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
  const raw = await values(query, '0s');
  const coarse = await values(query, resolution);
  expect(coarse.size).toBe(raw.size);
  expect(raw.size).toBeGreaterThan(5);
  const largest = Math.max(...[...raw.values()].map(Math.abs));
  for (const [key, value] of raw)
    expect(
      Math.abs((coarse.get(key) ?? Number.NaN) - value) / largest,
      `${query} ${key}`,
    ).toBeLessThanOrEqual(errorMax);
});

test('coarse samples are really read: far fewer of them', async () => {
  const counts = await Promise.all(['0s', '5m', '1h'].map((resolution) => samplesRead(resolution)));
  expect(counts[0] / counts[1]).toBeGreaterThan(4);
  expect(counts[1] / counts[2]).toBeGreaterThan(8);
});

/** By series and time, at one step an hour past the aligned ones, over the last four days. */
async function values(query: string, resolution: string): Promise<Map<string, number>> {
  const { data } = await ask({ query, max_source_resolution: resolution });
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

async function ask(params: Record<string, string>) {
  const end = END - DAY;
  const form = new URLSearchParams({
    start: String(end - 2 * DAY),
    end: String(end),
    step: '21600',
    ...params,
  });
  const response = await fetch(`${verona.url}/api/v1/query_range`, { method: 'POST', body: form });
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

import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { differences, readQueries } from './compare.ts';
import { type Peer, startPrometheus, startVerona } from './peers.ts';
import { program } from './programs.ts';
import { END, writeOpenMetrics } from './two-weeks.ts';

/**
 * Two weeks of blocks made by promtool, put into the bucket as they are, have the answers Prometheus gives on them; and promtool
 * walks `meta.json` and index of what is made coarser of them. Chunks of aggregates it does not decode.
 */
const moment = { time: END + 0.5, rangeSeconds: 3600, stepSeconds: 60 };
const queries = readQueries('blocks-queries.txt');
const run = promisify(execFile);
const MAIN = join(import.meta.dirname, '../bin/verona.js');

let folder: string;
let blocks: string[];
let prometheus: Peer;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  const made = join(folder, 'prometheus/data');
  await mkdir(made, { recursive: true });
  await writeOpenMetrics(join(folder, 'two-weeks.txt'));
  await run(await program('promtool'), [
    'tsdb',
    'create-blocks-from',
    'openmetrics',
    '--max-block-duration=54h',
    join(folder, 'two-weeks.txt'),
    made,
  ]);
  blocks = readdirSync(made).filter((name) => /^[0-9A-Z]{26}$/.test(name));
  for (const block of blocks)
    await cp(join(made, block), join(folder, 'verona/bucket/anonymous', block), { recursive: true });
  verona = await startVerona(join(folder, 'verona'), [
    '--self-metrics.enabled=false',
    '--compactor.enabled=false',
  ]);
  prometheus = await startPrometheus(join(folder, 'prometheus'));
}, 240_000);

afterAll(async () => {
  await Promise.all([prometheus?.process.stop(), verona?.process.stop()]);
  if (folder) await rm(folder, { recursive: true, force: true });
});

test('blocks made by promtool have the answers that Prometheus gives on them', async () => {
  expect(blocks.length).toBeGreaterThan(5);
  const meta = await readFile(join(folder, 'verona/bucket/anonymous', blocks[0], 'meta.json'), 'utf8');
  expect(JSON.parse(meta)).not.toHaveProperty('thanos');
  const found = await differences(prometheus.url, verona.url, queries, moment);
  expect(found, `${found.length} of ${queries.length} differ:\n${found.join('\n')}`).toEqual([]);
});

test('promtool lists blocks of 5m and 1h, and analyzes their indexes as those of the raw ones', async () => {
  const bucket = join(folder, 'coarser');
  const data = join(bucket, 'anonymous');
  const raw = blocks.slice(1, 3);
  for (const block of raw)
    await cp(join(folder, 'prometheus/data', block), join(data, block), { recursive: true });
  const made = await run(process.execPath, [
    MAIN,
    'bucket',
    'downsample',
    '--settle-delay=0s',
    '--dir',
    bucket,
  ]);
  const coarser = made.stdout.trim().split('\n');
  expect(coarser).toHaveLength(4);
  const list = await promtool('list', data);
  for (const block of coarser) {
    const { stats } = await metaOf(join(data, block));
    const row = list.split('\n').find((line) => line.startsWith(block));
    expect(row?.split(/\s+/).slice(4, 7)).toEqual(
      [stats.numSamples, stats.numChunks, stats.numSeries].map(String),
    );
  }
  // Every series has samples, and so the same labels and postings at each resolution.
  const { minTime } = await metaOf(join(data, coarser[0]));
  const all = await Promise.all(
    [...raw, ...coarser].map(async (block) => ({
      from: (await metaOf(join(data, block))).minTime,
      index: indexLines(await promtool('analyze', '--limit=1000', data, block)),
    })),
  );
  const same = all.filter(({ from }) => from === minTime).map(({ index }) => index);
  expect(same).toHaveLength(3);
  expect(same[0].length).toBeGreaterThan(10);
  expect(same.slice(1)).toEqual([same[0], same[0]]);
});

async function promtool(...args: string[]): Promise<string> {
  return (await run(await program('promtool'), ['tsdb', ...args])).stdout;
}

async function metaOf(block: string) {
  return JSON.parse(await readFile(join(block, 'meta.json'), 'utf8'));
}

/** What is told by labels and postings; lines of the same number come in any order. */
function indexLines(analysis: string): string[] {
  const churn = /Label (pairs|names) most involved in churning:\n(\d.*\n)*/g;
  return analysis
    .replace(churn, '')
    .split('\n')
    .filter((line) => line !== '' && !/^(Block ID|Duration)/.test(line))
    .sort();
}

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

/** Four days of two-hour blocks by promtool are compacted and split; Prometheus answers on the results as on the sources. */
const moment = { time: END + 0.5, rangeSeconds: 3600, stepSeconds: 60 };
const queries = readQueries('blocks-queries.txt');
const run = promisify(execFile);

let folder: string;
let bucket: string;
let sources: string[];
let prometheus: Peer;
let verona: Peer;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  bucket = join(folder, 'verona/bucket/anonymous');
  const made = join(folder, 'prometheus/data');
  await mkdir(made, { recursive: true });
  await writeOpenMetrics(join(folder, 'days.txt'), 4 * 24 * 60);
  const create = ['tsdb', 'create-blocks-from', 'openmetrics', join(folder, 'days.txt'), made];
  await run(await program('promtool'), create);
  sources = blocksIn(made);
  for (const block of sources) await cp(join(made, block), join(bucket, block), { recursive: true });
  prometheus = await startPrometheus(join(folder, 'prometheus'));
  verona = await startVerona(join(folder, 'verona'), [
    '--self-metrics.enabled=false',
    '--compactor.settle-delay=0s',
    '--compactor.interval=1s',
    // The metas of promtool name thirty series: into two shards.
    '--compactor.max-series=25',
    '--compactor.block-ranges=2h,8h,48h',
    '--compactor.downsample=false',
    '--objstore.sync-interval=1s',
  ]);
}, 240_000);

afterAll(async () => {
  await Promise.all([prometheus?.process.stop(), verona?.process.stop()]);
  if (folder) await rm(folder, { recursive: true, force: true });
});

test('compacted and split blocks have the answers of their sources, in Verona and in Prometheus', async () => {
  expect(sources.length).toBeGreaterThan(40);
  await until(async () => /last_successful_round_timestamp_seconds [1-9]/.test(await text('/metrics')));
  expect(await text('/compactor')).toMatch(/^to do: 0 jobs/);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  const kept = await compacted();
  // Spans of two days that need not begin with the data, two shards each.
  expect(kept.length).toBeGreaterThanOrEqual(4);
  expect(kept.length).toBeLessThanOrEqual(6);
  const found = await differences(prometheus.url, verona.url, queries, moment);
  expect(found, `Verona: ${found.length} of ${queries.length} differ:\n${found.join('\n')}`).toEqual([]);

  const data = join(folder, 'again/data');
  for (const block of kept) await cp(join(bucket, block), join(data, block), { recursive: true });
  for (const block of kept) await run(await program('promtool'), ['tsdb', 'analyze', data, block]);
  const again = await startPrometheus(join(folder, 'again'));
  try {
    const differ = await differences(prometheus.url, again.url, queries, moment);
    expect(differ, `Prometheus: ${differ.join('\n')}`).toEqual([]);
  } finally {
    await again.process.stop();
  }
}, 240_000);

test('a block rewritten without some series is what Prometheus has of the rest', async () => {
  const [block] = await compacted();
  const main = join(import.meta.dirname, '../src/cmd/main.ts');
  const options = ['--delete', '{__name__="sometimes"}', '--dir', join(folder, 'verona/bucket')];
  const { stdout } = await run(process.execPath, [main, 'bucket', 'rewrite', block, ...options]);
  const rewritten = stdout.trim();
  const dump = async (ulid: string) => {
    const data = join(folder, 'dump', ulid);
    await cp(join(bucket, ulid), join(data, ulid), { recursive: true });
    await mkdir(join(data, 'wal'));
    const { stdout: text } = await run(await program('promtool'), ['tsdb', 'dump', data], {
      maxBuffer: 1 << 30,
    });
    return text.trim().split('\n');
  };
  const before = await dump(block);
  const rest = before.filter((line) => !line.includes('"sometimes"'));
  expect(rest.length).toBeLessThan(before.length);
  expect(await dump(rewritten)).toEqual(rest);
}, 60_000);

function blocksIn(dir: string): string[] {
  return readdirSync(dir).filter((name) => /^[0-9A-Z]{26}$/.test(name));
}

/** Blocks without a deletion mark; all of them are shards. */
async function compacted(): Promise<string[]> {
  const blocks = blocksIn(bucket).filter(
    (block) => !readdirSync(join(bucket, block)).includes('deletion-mark.json'),
  );
  for (const block of blocks) {
    const meta = JSON.parse(await readFile(join(bucket, block, 'meta.json'), 'utf8'));
    expect(meta.thanos.labels.__compactor_shard_id__).toMatch(/^[12]_of_2$/);
  }
  return blocks;
}

async function text(path: string): Promise<string> {
  return (await fetch(`${verona.url}${path}`)).text();
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new Error(`not done in time:\n${await text('/compactor')}`);
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}

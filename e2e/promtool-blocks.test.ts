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

/** Two weeks of blocks made by promtool, put into the bucket as they are, have the answers Prometheus gives on them. */
const moment = { time: END + 0.5, rangeSeconds: 3600, stepSeconds: 60 };
const queries = readQueries('blocks-queries.txt');
const run = promisify(execFile);

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

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeDisk } from '../src/platform/node-disk.ts';
import { testUlid, writeTestBlock } from '../src/tsdb/compact/testdata/blocks.ts';
import { startPrometheus } from './peers.ts';
import { program } from './programs.ts';

/** A shard may have no series at all: Prometheus and its tool take such a block among others, and find nothing wrong with it. */
const run = promisify(execFile);
const T = 1_700_006_400_000;
const [EMPTY, FULL] = [testUlid(1), testUlid(2)];

let folder: string;
let data: string;

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  data = join(folder, 'data');
  const span = { minTime: T, maxTime: T + 7_200_000 };
  const samples = Array.from({ length: 100 }, (_, i) => ({ t: T + i * 60_000, value: i }));
  await writeTestBlock(new NodeDisk(), data, { ulid: EMPTY, ...span, series: {} });
  await writeTestBlock(new NodeDisk(), data, {
    ulid: FULL,
    ...span,
    series: { '{"__name__":"full"}': samples },
  });
});

afterAll(async () => {
  if (folder) await rm(folder, { recursive: true, force: true });
});

test('promtool lists, analyzes and dumps a block without series', async () => {
  const promtool = await program('promtool');
  const list = (await run(promtool, ['tsdb', 'list', data])).stdout;
  expect(list).toContain(EMPTY);
  expect((await run(promtool, ['tsdb', 'analyze', data, EMPTY])).stdout).toMatch(/^Series: 0$/m);
  await mkdir(join(data, 'wal'), { recursive: true });
  expect((await run(promtool, ['tsdb', 'dump', data])).stdout.trim().split('\n')).toHaveLength(100);
}, 60_000);

test('Prometheus answers over a block without series and one beside it', async () => {
  const prometheus = await startPrometheus(folder);
  try {
    const query = new URLSearchParams({ query: 'count_over_time(full[2h])', time: String(T / 1000 + 7199) });
    const response = await fetch(`${prometheus.url}/api/v1/query?${query}`);
    const { data: answer } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    expect(answer.result.map(({ value }) => value[1])).toEqual(['100']);
    expect(prometheus.process.output).not.toMatch(/level=ERROR|corrupt/i);
  } finally {
    await prometheus.process.stop();
  }
}, 60_000);

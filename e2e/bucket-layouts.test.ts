import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NodeDisk } from '../src/platform/node-disk.ts';
import { encodeLooseIndex, readLooseSeries } from '../src/tsdb/compact/testdata/loose-index.ts';
import { program } from './programs.ts';

/** Blocks that promtool made go from layout to layout and through a repair, and promtool reads out of them what it wrote. */
const MAIN = join(import.meta.dirname, '../src/cmd/main.ts');
const run = promisify(execFile);
let folder: string;
let written: string[];

beforeAll(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  const lines = ['# TYPE requests counter'];
  for (const zone of ['b', 'a'])
    for (let i = 0; i < 400; i++) lines.push(`requests_total{zone="${zone}"} ${i} ${1_700_000_000 + i * 60}`);
  await writeFile(join(folder, 'text.om'), `${lines.join('\n')}\n# EOF\n`);
  await promtool('create-blocks-from', 'openmetrics', join(folder, 'text.om'), join(folder, 'prometheus'));
  written = await dump(join(folder, 'prometheus'));
  expect(written).toHaveLength(800);
  await bucket('upload', join(folder, 'prometheus'), ...dir('cortex'), '--tenant', 'acme');
}, 60_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

const dir = (name: string) => ['--dir', join(folder, name)];

async function bucket(...args: readonly string[]): Promise<string> {
  return (await run(process.execPath, [MAIN, 'bucket', ...args])).stdout;
}

async function promtool(...args: string[]): Promise<string> {
  return (await run(await program('promtool'), ['tsdb', ...args], { maxBuffer: 1 << 28 })).stdout;
}

/** What promtool reads out of all blocks of a folder. */
async function dump(from: string): Promise<string[]> {
  const data = await mkdtemp(join(folder, 'dump-'));
  for (const name of blocksIn(from)) await cp(join(from, name), join(data, name), { recursive: true });
  await mkdir(join(data, 'wal'));
  return (await promtool('dump', data)).trim().split('\n').sort();
}

function blocksIn(from: string): string[] {
  return readdirSync(from).filter((name) => /^[0-9A-Z]{26}$/.test(name));
}

test('from Cortex’ layout to Thanos’ and back, external labels become labels of the series', async () => {
  await bucket(
    'copy',
    ...dir('cortex'),
    '--to.dir',
    join(folder, 'thanos'),
    '--layout',
    'thanos',
    '--label',
    'm=1',
    'zz=2',
  );
  expect(await dump(join(folder, 'thanos'))).toEqual(written);
  const thanos = [...dir('thanos'), '--thanos-tenant-label', 'tenant_id'];
  await bucket('copy', ...thanos, '--to.dir', join(folder, 'back'), '--checksum');
  const back = join(folder, 'back/acme');
  // Names come sorted: `m` stands before the label of the series, `zz` behind it.
  const expected = written.map((line) => line.replace(/zone="(.)"/, 'm="1", zone="$1", zz="2"'));
  expect(await dump(back)).toEqual(expected.sort());
  for (const block of blocksIn(back)) await promtool('analyze', back, block);
  const meta = JSON.parse(await readFile(join(back, blocksIn(back)[0], 'meta.json'), 'utf8'));
  expect(meta.thanos.labels).toEqual({ __org_id__: 'acme' });
}, 60_000);

test('a block whose labels and series are out of order is repaired to what it was', async () => {
  const own = join(folder, 'cortex/acme');
  const [block] = blocksIn(own);
  const series = await readLooseSeries(new NodeDisk(), join(own, block, 'index'));
  const symbols = [...new Set(series.flatMap(({ labels }) => labels))].reverse();
  const turned = series
    .reverse()
    .map(({ labels: [n, v, ...rest], chunks }) => ({ labels: [...rest, n, v], chunks }));
  await writeFile(join(own, block, 'index'), encodeLooseIndex(symbols, turned));
  const [verdict] = JSON.parse(await bucket('verify', '--repair', '--json', block, ...dir('cortex')));
  expect(verdict).toMatchObject({ good: false, action: 'rewrite', done: true });
  await rm(join(own, block), { recursive: true });
  expect(await dump(own)).toEqual(written);
}, 60_000);

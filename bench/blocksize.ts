import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { startPrometheus, startVerona } from '../e2e/peers.ts';
import { runLoad } from './run-load.ts';
import { formatTable } from './table.ts';

/** `npm run bench:blocksize`: the same hour of samples in Verona's and in Prometheus' block, bytes per sample. */
const { values: flags } = parseArgs({
  options: {
    series: { type: 'string', default: '20000' },
    scrapes: { type: 'string', default: '240' },
  },
});

const RANGE_MS = 7_200_000;
const INTERVAL_MS = 15_000;

interface BlockSize {
  samples: number;
  series: number;
  chunkBytes: number;
  indexBytes: number;
}

/** The hour ends where a block ends, so that both make one block of it. */
const endMs = Math.floor(Date.now() / RANGE_MS) * RANGE_MS - INTERVAL_MS;
const folder = await mkdtemp(join(import.meta.dirname, '../.cache/bench-'));
try {
  const rows = [
    ['verona', await veronaBlocks(join(folder, 'verona'))],
    ['prometheus', await prometheusBlocks(join(folder, 'prometheus'))],
  ] as const;
  const total = ({ chunkBytes, indexBytes, samples }: BlockSize) => (chunkBytes + indexBytes) / samples;
  console.log(
    formatTable(
      [
        'block of',
        'M samples',
        'series',
        'chunks B/sample',
        'index B/sample',
        'both B/sample',
        '/ prometheus',
      ],
      rows.map(([name, block]) => [
        name,
        (block.samples / 1e6).toFixed(1),
        String(block.series),
        (block.chunkBytes / block.samples).toFixed(3),
        (block.indexBytes / block.samples).toFixed(3),
        total(block).toFixed(3),
        (total(block) / total(rows[1][1])).toFixed(3),
      ]),
    ),
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function veronaBlocks(dir: string): Promise<BlockSize> {
  const options = ['--self-metrics.enabled=false', '--log.level=warn', '--objstore.enabled=false'];
  const verona = await startVerona(dir, options);
  try {
    await send(verona.writeUrl);
    await post(`${verona.url}/ingester/flush`);
    return await sizeOf(join(dir, 'tsdb/anonymous'));
  } finally {
    await verona.process.stop('SIGKILL');
  }
}

/** A snapshot writes the head of Prometheus as a block. */
async function prometheusBlocks(dir: string): Promise<BlockSize> {
  const prometheus = await startPrometheus(dir);
  try {
    await send(prometheus.writeUrl);
    const { data } = (await post(`${prometheus.url}/api/v1/admin/tsdb/snapshot`)) as {
      data: { name: string };
    };
    return await sizeOf(join(dir, 'data/snapshots', data.name));
  } finally {
    await prometheus.process.stop('SIGKILL');
  }
}

async function send(url: string): Promise<void> {
  const { failures } = await runLoad([
    `--url=${url}`,
    `--series=${flags.series}`,
    `--scrapes=${flags.scrapes}`,
    `--end=${endMs}`,
  ]);
  if (failures > 0) throw new Error(`${url}: ${failures} writes failed`);
}

async function post(url: string): Promise<unknown> {
  const response = await fetch(url, { method: 'POST' });
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text}`);
  return text.startsWith('{') ? JSON.parse(text) : undefined;
}

/** All blocks in a folder together. */
async function sizeOf(dir: string): Promise<BlockSize> {
  const sum: BlockSize = { samples: 0, series: 0, chunkBytes: 0, indexBytes: 0 };
  for (const name of await readdir(dir)) {
    const block = join(dir, name);
    const meta = await readFile(join(block, 'meta.json'), 'utf8').catch(() => undefined);
    if (meta === undefined) continue;
    const { stats } = JSON.parse(meta) as { stats: { numSamples: number; numSeries: number } };
    sum.samples += stats.numSamples;
    sum.series += stats.numSeries;
    sum.indexBytes += (await stat(join(block, 'index'))).size;
    for (const file of await readdir(join(block, 'chunks')))
      sum.chunkBytes += (await stat(join(block, 'chunks', file))).size;
  }
  return sum;
}

import { linkSync, mkdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Peer, startVerona } from '../../e2e/peers.ts';
import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';
import { formatTable, median } from '../table.ts';
import { DAY_MS, DAY_START, DAY_ULID, dayChunks, labelsOf, SERIES_PER_METRIC, SHAPES } from './make-day.ts';

const CROWDS = [1, 8, 32, 64];
const TENANTS = 8;
const METRICS = 8;
const FILES = ['chunks/000001', 'index', 'meta.json'] as const;

/**
 * Many queries at once that each read all samples of a day of 1,000 series nobody has asked for: of 8 metrics of 8 tenants, whose
 * blocks are one under as many names. For each number of queries a process is started anew.
 */
export async function measureCrowd(cacheDir: string): Promise<string> {
  const dir = join(cacheDir, 'crowd');
  await rm(dir, { recursive: true, force: true });
  await makeBlocks(join(dir, 'bucket'));
  const rows: string[][] = [];
  for (const count of CROWDS) rows.push(await ofCrowd(dir, count));
  await rm(dir, { recursive: true, force: true });
  return formatTable(
    [
      'queries at once',
      'all after s',
      'median s',
      'CPU s',
      'right',
      'refused',
      'idle MB',
      'peak MB',
      'after MB',
    ],
    rows,
  );
}

async function makeBlocks(bucket: string): Promise<void> {
  const disk = new NodeDisk();
  const writer = await BlockWriter.create({ disk, dir: join(bucket, 'tenant-0'), ulid: DAY_ULID });
  const whole = Array.from({ length: SHAPES }, (_, shape) => dayChunks(shape));
  for (let m = 0; m < METRICS; m++)
    for (let i = 0; i < SERIES_PER_METRIC; i++)
      await writer.addSeries(encodeLabels(labelsOf(metricOf(m), i)), whole[i % SHAPES]);
  await writer.finish({
    minTime: DAY_START,
    maxTime: DAY_START + DAY_MS,
    compaction: { level: 3, sources: [DAY_ULID] },
  });
  for (let t = 1; t < TENANTS; t++) {
    const folder = (tenant: number) => join(bucket, `tenant-${tenant}`, DAY_ULID);
    mkdirSync(join(folder(t), 'chunks'), { recursive: true });
    for (const file of FILES) linkSync(join(folder(0), file), join(folder(t), file));
  }
}

function metricOf(m: number): string {
  return `metric_${String(m).padStart(4, '0')}_total`;
}

async function ofCrowd(dir: string, count: number): Promise<string[]> {
  const data = join(dir, `data-${count}`);
  const peer = await startVerona(data, [
    `--objstore.config={type: FILESYSTEM, config: {directory: ${join(dir, 'bucket')}}}`,
    '--compactor.enabled=false',
    '--self-metrics.enabled=false',
    '--log.level=error',
  ]);
  const { process: verona } = peer;
  const idle = verona.memory().resident;
  const cpu = verona.cpuSeconds();
  const begin = performance.now();
  const answers = await Promise.all(Array.from({ length: count }, (_, i) => ask(peer, i)));
  const took = performance.now() - begin;
  const used = verona.cpuSeconds() - cpu;
  const { peak } = verona.memory();
  const [right] = answers.filter(({ status }) => status === 200);
  const rightCount = answers.filter(({ body }) => body === right?.body).length;
  const refused = answers.filter(({ status }) => status !== 200).length;
  if (rightCount + refused !== count) throw new Error('queries for the same numbers got different ones');
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const after = verona.memory().resident;
  await verona.stop('SIGTERM');
  const seconds = (ms: number) => (ms / 1000).toFixed(1);
  const mb = (bytes: number) => (bytes / 1e6).toFixed(0);
  const walls = median(answers.map(({ wallMs }) => wallMs));
  return [
    String(count),
    seconds(took),
    seconds(walls),
    used.toFixed(1),
    String(rightCount),
    String(refused),
    mb(idle),
    mb(peak),
    mb(after),
  ];
}

async function ask({ url }: Peer, i: number): Promise<{ status: number; body: string; wallMs: number }> {
  const query = encodeURIComponent(`sum(rate(${metricOf(Math.floor(i / TENANTS) % METRICS)}[5m]))`);
  const [start, end] = [DAY_START / 1000 + 300, (DAY_START + DAY_MS) / 1000 - 1];
  const begin = performance.now();
  const response = await fetch(
    `${url}/api/v1/query_range?query=${query}&start=${start}&end=${end}&step=300`,
    {
      headers: { 'x-scope-orgid': `tenant-${i % TENANTS}` },
    },
  );
  const body = await response.text();
  return { status: response.status, body, wallMs: performance.now() - begin };
}

import { linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Peer, startVerona } from '../../e2e/peers.ts';
import { BlockCatalog, type BucketBlock } from '../../src/blocks/block-catalog.ts';
import { XorAppender } from '../../src/chunkenc/xor.ts';
import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { Matcher } from '../../src/model/matcher.ts';
import type { Bucket } from '../../src/objstore/bucket.ts';
import { FilesystemBucket } from '../../src/objstore/filesystem-bucket.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { SystemRandom } from '../../src/platform/random.ts';
import { StoreGateway } from '../../src/store-gateway/store-gateway.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';
import { median } from '../table.ts';
import { labelsOf, SERIES_PER_METRIC } from './make-day.ts';
import { type Request, WatchedBucket } from './watched-bucket.ts';

const CALM = { signal: new AbortController().signal };
const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };
const TENANT = 'anonymous';
const START = 1_640_995_200_000;
const BLOCK_MS = 7_200_000;
const METRICS = 100;
const MONTH_BLOCKS = 360;
const FILES = ['chunks/000001', 'index', 'index-header', 'index-header.places'] as const;

/**
 * `blocks` blocks of 100,000 series, which are one real block under as many names and times: its files are linked, each `meta.json`
 * is its own. The only chunk of each series spans all their times, so that every block answers for its own. Headers, and what of
 * the disk is in memory, are the same for all too, which makes their reading faster than that of different ones would be.
 */
export async function measureMany(cacheDir: string, blocks: number): Promise<string> {
  const dir = join(cacheDir, `many-${blocks}`);
  await rm(dir, { recursive: true, force: true });
  const made = await timed(() => makeMany(dir, blocks));
  const lines = [`${blocks} blocks of ${METRICS * SERIES_PER_METRIC} series, made in ${seconds(made)}`, ''];
  lines.push(...(await ofGateway(dir, blocks)), '');
  lines.push(...(await ofProcess(dir, blocks)));
  await rm(dir, { recursive: true, force: true });
  return lines.join('\n');
}

function ulidOf(i: number): string {
  return `01HF0000000000000000${String(i).padStart(6, '0')}`;
}

async function makeMany(dir: string, blocks: number): Promise<void> {
  const { disk } = machine;
  const bucket = join(dir, 'bucket');
  const [first, last] = [START, START + blocks * BLOCK_MS];
  const appender = new XorAppender();
  appender.append(first, 1);
  appender.append(last - 1, 2);
  const chunk = { mint: first, maxt: last - 1, encoding: appender.encoding, data: appender.bytes().slice() };
  const ulid = ulidOf(0);
  const writer = await BlockWriter.create({ disk, dir: join(bucket, TENANT), ulid });
  for (let m = 0; m < METRICS; m++)
    for (let i = 0; i < SERIES_PER_METRIC; i++)
      await writer.addSeries(encodeLabels(labelsOf(`metric_${String(m).padStart(4, '0')}_total`, i)), [
        chunk,
      ]);
  await writer.finish({
    minTime: START,
    maxTime: START + BLOCK_MS,
    compaction: { level: 1, sources: [ulid] },
  });
  const meta = JSON.parse(
    Buffer.from(await disk.readFile(join(bucket, TENANT, ulid, 'meta.json'))).toString(),
  );
  await labelNames(
    gatewayOf(new FilesystemBucket(bucket, machine), dir),
    await listed(new FilesystemBucket(bucket, machine)),
  );
  const folderOf = (file: string, i: number) =>
    join(dir, file.startsWith('index-header') ? 'data/cache' : 'bucket', TENANT, ulidOf(i));
  for (let i = 1; i < blocks; i++) {
    mkdirSync(join(bucket, TENANT, ulidOf(i), 'chunks'), { recursive: true });
    mkdirSync(join(dir, 'data/cache', TENANT, ulidOf(i)));
    for (const file of FILES) linkSync(join(folderOf(file, 0), file), join(folderOf(file, i), file));
    const mint = START + i * BLOCK_MS;
    const own = { ...meta, ulid: ulidOf(i), minTime: mint, maxTime: mint + BLOCK_MS };
    own.compaction = { level: 1, sources: [ulidOf(i)] };
    writeFileSync(join(bucket, TENANT, ulidOf(i), 'meta.json'), JSON.stringify(own));
  }
}

function gatewayOf(bucket: Bucket, dir: string, cache = 'data/cache'): StoreGateway {
  return new StoreGateway({ cacheDir: join(dir, cache) }, { ...machine, bucket, log: silentLogger });
}

async function listed(bucket: Bucket): Promise<readonly BucketBlock[]> {
  const deps = { ...machine, bucket, log: silentLogger, metrics: new Metrics() };
  return (await new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps).refresh(CALM, TENANT)).readable;
}

function labelNames(gateway: StoreGateway, blocks: readonly BucketBlock[]): Promise<readonly string[]> {
  const querier = gateway.querier({ blocks, localUlids: new Set() }, 0, 2e12);
  return querier.labelNames(CALM, { matchers: [], mint: 0, maxt: 2e12, limit: 0 });
}

/** Lists of labels and series over many blocks, in this process. */
async function ofGateway(dir: string, blocks: number): Promise<string[]> {
  const bucket = new WatchedBucket(new FilesystemBucket(join(dir, 'bucket'), machine), machine.clock, kindOf);
  const lines: string[] = [];
  const note = (title: string, { wallMs, cpuMs }: Timed) =>
    lines.push(
      `${title}: ${(wallMs / 1000).toFixed(2)} s, CPU ${(cpuMs / 1000).toFixed(2)} s, ${said(bucket.take())}`,
    );
  let all: readonly BucketBlock[] = [];
  note(
    'listed without a bucket index',
    await timed(async () => {
      all = await listed(bucket);
    }),
  );
  const month = all.slice(-MONTH_BLOCKS);
  const [mint, maxt] = [month[0].meta.mint, START + blocks * BLOCK_MS];
  const gateway = gatewayOf(bucket, dir);
  const ask = (over: readonly BucketBlock[]) =>
    gateway.querier({ blocks: over, localUlids: new Set() }, 0, maxt);
  const one = [new Matcher('=', '__name__', 'metric_0050_total')];
  const values = (over: readonly BucketBlock[], matchers: readonly Matcher[]) =>
    ask(over).labelValues(CALM, 'instance', { matchers, mint: 0, maxt, limit: 0 });
  note(`label names of ${blocks} blocks`, await timed(() => labelNames(gateway, all)));
  note(`values of a label with 1,000, ${blocks} blocks`, await timed(() => values(all, [])));
  note(`the same of ${MONTH_BLOCKS} blocks`, await timed(() => values(month, [])));
  note(`of ${MONTH_BLOCKS} blocks, of one metric`, await timed(() => values(month, one)));
  note('again', await timed(() => values(month, one)));
  const series = async () => {
    const request = { matchers: one, mint, maxt, sorted: true, hints: { labelsOnly: true } };
    for await (const _ of ask(month).select(CALM, request));
  };
  note(`1,000 series of ${MONTH_BLOCKS} blocks`, await timed(series));
  lines.push(
    `${gateway.openHeaders} headers open, ${(process.memoryUsage().rss / 1e6).toFixed(0)} MB resident in all`,
  );
  note(
    `label names of ${MONTH_BLOCKS} blocks, no headers on disk`,
    await timed(() => labelNames(gatewayOf(bucket, dir, 'none'), month)),
  );
  return lines;
}

function kindOf(operation: string, key: string): string {
  return operation === 'range' && key.includes('/chunks/')
    ? 'chunks'
    : operation === 'range'
      ? 'index'
      : operation;
}

/** A whole process over the bucket. */
async function ofProcess(dir: string, blocks: number): Promise<string[]> {
  const config = `{type: FILESYSTEM, config: {directory: ${join(dir, 'bucket')}}}`;
  const flags = [
    `--objstore.config=${config}`,
    '--objstore.sync-interval=5s',
    '--compactor.enabled=false',
    '--self-metrics.enabled=false',
    '--log.level=warn',
  ];
  const lines: string[] = [];
  for (const title of ['first start', 'start with a bucket index']) {
    const begin = performance.now();
    const peer = await startVerona(join(dir, 'data'), flags);
    const took = (performance.now() - begin) / 1000;
    const { process: verona } = peer;
    lines.push(
      `${title}: ready after ${took.toFixed(2)} s, CPU ${verona.cpuSeconds().toFixed(2)} s, ${mb(peer)} MB resident; ${await operations(peer)}`,
    );
    if (title !== 'first start') lines.push(...(await asked(peer, blocks)));
    await verona.stop('SIGTERM');
  }
  return lines;
}

async function asked(peer: Peer, blocks: number): Promise<string[]> {
  const { process: verona } = peer;
  const lines: string[] = [];
  const time = (START + (blocks - 1) * BLOCK_MS + BLOCK_MS / 2) / 1000;
  const range = `start=${time - 30 * 86_400}&end=${time}`;
  const selector = encodeURIComponent('metric_0050_total{instance="10.0.0007:9090"}');
  const instant = `/api/v1/query?time=${time}&query=${selector}`;
  for (const [title, path, runs] of [
    ['instant query', instant, 200],
    ['instant query of the future', instant.replace(String(time), String(time + 10_000_000)), 200],
    [`label values of 30 days`, `/api/v1/label/instance/values?${range}`, 3],
    [`series of 30 days`, `/api/v1/series?${range}&match[]=metric_0050_total`, 3],
  ] as const) {
    await get(peer, path);
    const cpu = verona.cpuSeconds();
    const walls: number[] = [];
    for (let i = 0; i < runs; i++) walls.push(await get(peer, path));
    const cpuMs = ((verona.cpuSeconds() - cpu) * 1000) / runs;
    lines.push(
      `${title}: ${median(walls).toFixed(2)} ms, CPU ${cpuMs.toFixed(2)} ms, ${mb(peer)} MB resident`,
    );
  }
  const before = { cpu: verona.cpuSeconds(), operations: await counted(peer) };
  await new Promise((resolve) => setTimeout(resolve, 30_000));
  const rounds = 6;
  const after = await counted(peer);
  const list = ((after.get('list') ?? 0) - (before.operations.get('list') ?? 0)) / rounds;
  lines.push(
    `a round of looking at the bucket: CPU ${(((verona.cpuSeconds() - before.cpu) * 1000) / rounds).toFixed(0)} ms, ${list.toFixed(1)} listings; ${mb(peer)} MB resident`,
  );
  return lines;
}

async function get({ url }: Peer, path: string): Promise<number> {
  const begin = performance.now();
  const response = await fetch(url + path);
  const body = await response.arrayBuffer();
  if (!response.ok)
    throw new Error(`${path}: ${response.status} ${Buffer.from(body).toString().slice(0, 300)}`);
  return performance.now() - begin;
}

async function operations(peer: Peer): Promise<string> {
  return [...(await counted(peer))].map(([operation, count]) => `${count} ${operation}`).join(', ');
}

/** Operations of the process on the bucket. */
async function counted({ url }: Peer): Promise<Map<string, number>> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const lines = text.matchAll(/^verona_objstore_bucket_operations_total\{operation="(\w+)"\} (\d+)/gm);
  return new Map([...lines].map(([, operation, count]) => [operation, Number(count)]));
}

interface Timed {
  readonly wallMs: number;
  readonly cpuMs: number;
}

async function timed(run: () => Promise<unknown>): Promise<Timed> {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - begin, cpuMs: (user + system) / 1000 };
}

function seconds({ wallMs }: Timed): string {
  return `${(wallMs / 1000).toFixed(1)} s`;
}

function said(requests: readonly Request[]): string {
  const by = Map.groupBy(requests, ({ kind }) => kind);
  const kinds = [...by].map(
    ([kind, list]) =>
      `${list.length} ${kind}${kind === 'list' ? '' : ` of ${(list.reduce((sum, { bytes }) => sum + bytes, 0) / 1e6).toFixed(2)} MB`}`,
  );
  return kinds.length > 0 ? kinds.join(', ') : 'no request';
}

function mb({ process: verona }: Peer): string {
  return (verona.memory().resident / 1e6).toFixed(0);
}

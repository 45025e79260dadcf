import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { startRadosgw } from '../../e2e/radosgw.ts';
import { BlockCatalog, type BucketBlock } from '../../src/blocks/block-catalog.ts';
import { INDEX_FILE } from '../../src/blocks/layout.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { openBucket } from '../../src/objstore/open-bucket.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { SystemRandom } from '../../src/platform/random.ts';
import { StoreGateway } from '../../src/store-gateway/store-gateway.ts';
import { PageCache } from '../../src/tsdb/chunks/page-cache.ts';
import { SERIES_ALIGN } from '../../src/tsdb/index/index-format.ts';
import { IndexFile, IndexReader } from '../../src/tsdb/index/index-reader.ts';
import { formatTable } from '../table.ts';
import { ASKED_METRIC, DAY_MS, DAY_START, DAY_ULID, makeDay } from './make-day.ts';
import { type Request, WatchedBucket } from './watched-bucket.ts';

const CALM = { signal: new AbortController().signal };
const LATENCY_MS = 50;
const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };

/** The queries: title, matchers. */
const QUERIES: readonly (readonly [string, readonly Matcher[]])[] = [
  ['a metric', [new Matcher('=', '__name__', ASKED_METRIC)]],
  [
    'with labels that nearly all have',
    [
      new Matcher('=', '__name__', ASKED_METRIC),
      new Matcher('=', 'cluster', 'eu-west-1'),
      new Matcher('=~', 'pod', 'api-.*'),
      new Matcher('!=', 'namespace', ''),
    ],
  ],
];

/** Cold queries of 1,000 series over a day, out of a block of a million in Ceph: requests, bytes, rounds and time. */
export async function measureCold(cacheDir: string, metrics: number): Promise<string> {
  const server = await startRadosgw();
  const folder = await mkdtemp(join(cacheDir, 'headers-'));
  try {
    const dir = join(cacheDir, `day-${metrics}`);
    await makeDay(machine.disk, dir, metrics);
    const bucket = await uploadedBlock(server, join(dir, DAY_ULID));
    const index = await openIndex(join(dir, DAY_ULID, INDEX_FILE));
    const watched = new WatchedBucket(bucket, machine.clock, kindsOf(index));
    const [block] = await listed(watched);
    const parts: string[] = [];
    for (const [i, [title, matchers]] of QUERIES.entries()) {
      const headers = join(folder, String(i));
      const run = () =>
        new StoreGateway({ cacheDir: headers }, { ...machine, bucket: watched, log: silentLogger });
      parts.push(`${title}\n\n${await measureOne(watched, run, block, matchers, index)}`);
    }
    await bucket.close();
    return parts.join('\n\n');
  } finally {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function measureOne(
  bucket: WatchedBucket,
  newGateway: () => StoreGateway,
  block: BucketBlock,
  matchers: readonly Matcher[],
  index: IndexReader,
): Promise<string> {
  const rows: string[][] = [];
  const show = (title: string, wallMs: number, cpuMs: number, requests: readonly Request[]) => {
    const rounds = Math.max(0, ...requests.map(({ round }) => round));
    const by = Map.groupBy(requests, ({ kind }) => kind);
    const kinds = [...by].map(([kind, list]) => `${list.length} ${kind} ${mb(sum(list))}`).join(', ');
    rows.push([title, ms(wallMs), ms(cpuMs), String(rounds), mb(sum(requests)), kinds]);
  };
  // Makes the header; nothing else is there afterwards but the file on the disk.
  const build = await timed(() =>
    newGateway()
      .querier({ blocks: [block], localUlids: new Set() }, 0, 2e12)
      .labelNames(CALM, { matchers: [], mint: 0, maxt: 2e12, limit: 0 }),
  );
  show('header', build.wallMs, build.cpuMs, bucket.take());
  let gateway = newGateway();
  let seen = { series: 0, bytes: 0 };
  const query = async () => {
    seen = await drain(gateway, block, matchers);
  };
  const cold = await timed(query);
  show('cold, header there', cold.wallMs, cold.cpuMs, bucket.take());
  const needed = seen.bytes + entryBytes(index, matchers);
  bucket.latencyMs = LATENCY_MS;
  gateway = newGateway();
  const far = await timed(query);
  show(`the same ${LATENCY_MS} ms away`, far.wallMs, far.cpuMs, bucket.take());
  bucket.latencyMs = 0;
  const again = await timed(query);
  show('again', again.wallMs, again.cpuMs, bucket.take());
  const table = formatTable(['', 'ms', 'CPU ms', 'rounds', 'MB', 'requests'], rows);
  return `${table}\n${seen.series} series; needed: ${mb(needed)} MB of entries and chunks`;
}

async function drain(gateway: StoreGateway, block: BucketBlock, matchers: readonly Matcher[]) {
  const [mint, maxt] = [DAY_START, DAY_START + DAY_MS - 1];
  const querier = gateway.querier({ blocks: [block], localUlids: new Set() }, mint, maxt);
  const seen = { series: 0, bytes: 0 };
  for await (const batch of querier.select(CALM, { matchers, mint, maxt, sorted: true })) {
    seen.series += batch.seriesCount;
    // Length, encoding, data, checksum.
    for (const length of batch.chunkDataLength) seen.bytes += (length < 128 ? 1 : 2) + 1 + length + 4;
  }
  await querier.close();
  return seen;
}

/** What the entries of the selected series take in the index. */
function entryBytes(index: IndexReader, matchers: readonly Matcher[]): number {
  const all = index.allPostings();
  const refs = index.postings(matchers);
  let bytes = 0;
  for (const ref of refs) {
    const next = all[all.indexOf(ref) + 1] ?? ref + 4;
    bytes += (next - ref) * SERIES_ALIGN;
  }
  return bytes;
}

async function openIndex(path: string): Promise<IndexReader> {
  return IndexReader.open(await IndexFile.open(machine.disk, path, new PageCache(64 * 1024 * 1024)));
}

/** Requests by what part of the block they read. */
function kindsOf({ toc }: IndexReader) {
  return (operation: string, key: string, offset: number) => {
    if (operation !== 'range') return operation;
    if (!key.endsWith(`/${INDEX_FILE}`)) return 'chunks';
    if (offset < toc.series) return 'symbols';
    if (offset < toc.postings) return 'series';
    return offset < toc.postingsOffsetTable ? 'postings' : 'table';
  };
}

async function uploadedBlock(server: Awaited<ReturnType<typeof startRadosgw>>, dir: string) {
  const credentials = { accessKeyId: server.accessKey, secretAccessKey: server.secretKey };
  const client = new S3Client({
    endpoint: server.endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials,
  });
  await client.send(new CreateBucketCommand({ Bucket: 'day' }));
  client.destroy();
  const config = {
    bucket: 'day',
    endpoint: server.endpoint,
    access_key: server.accessKey,
    secret_key: server.secretKey,
  };
  const bucket = await openBucket({ type: 'S3', config }, machine);
  for (const file of ['chunks/000001', INDEX_FILE, 'meta.json'])
    await bucket.upload(CALM, `acme/${DAY_ULID}/${file}`, await machine.disk.readFile(join(dir, file)));
  return bucket;
}

async function listed(bucket: WatchedBucket): Promise<readonly BucketBlock[]> {
  const deps = { ...machine, bucket, log: silentLogger, metrics: new Metrics() };
  const { readable } = await new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps).refresh(CALM, 'acme');
  bucket.take();
  return readable;
}

async function timed(run: () => Promise<unknown>) {
  const cpu = process.cpuUsage();
  const begin = performance.now();
  await run();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - begin, cpuMs: (user + system) / 1000 };
}

function sum(requests: readonly Request[]): number {
  return requests.reduce((total, { bytes }) => total + bytes, 0);
}

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(2);
}

function ms(value: number): string {
  return value.toFixed(0);
}

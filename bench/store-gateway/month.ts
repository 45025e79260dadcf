import { readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BlockCatalog, type BucketBlock } from '../../src/blocks/block-catalog.ts';
import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { Matcher } from '../../src/model/matcher.ts';
import { FilesystemBucket } from '../../src/objstore/filesystem-bucket.ts';
import { SystemClock } from '../../src/platform/clock.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { Metrics } from '../../src/platform/metrics.ts';
import { NodeDisk } from '../../src/platform/node-disk.ts';
import { SystemRandom } from '../../src/platform/random.ts';
import { StoreGateway } from '../../src/store-gateway/store-gateway.ts';
import { BlockWriter } from '../../src/tsdb/block/block-writer.ts';
import { formatTable } from '../table.ts';
import { ASKED_METRIC, DAY_MS, DAY_START, dayChunks, labelsOf, SHAPES } from './make-day.ts';

const CALM = { signal: new AbortController().signal };
const READS = [1, 10, 20];
const SERIES = 250;
const DAYS = 30;
const machine = { disk: new NodeDisk(), clock: new SystemClock(), random: new SystemRandom() };

/** Reads at once of all chunks of 30 days of 250 series out of 30 blocks, of one gateway as a query thread has it, and not decoded. */
export async function measureMonth(cacheDir: string): Promise<string> {
  const dir = join(cacheDir, 'month');
  await rm(dir, { recursive: true, force: true });
  await makeMonth(join(dir, 'bucket'));
  const bucket = new FilesystemBucket(join(dir, 'bucket'), machine);
  const deps = { ...machine, bucket, log: silentLogger, metrics: new Metrics() };
  const { readable } = await new BlockCatalog({ ignoreDeletionMarksDelayMs: 0 }, deps).refresh(CALM, 'a');
  const rows: string[][] = [];
  for (const count of READS) {
    const gateway = new StoreGateway({ cacheDir: join(dir, 'cache') }, deps);
    rows.push([String(count), ...(await ofReads(count, () => drain(gateway, readable)))]);
  }
  await rm(dir, { recursive: true, force: true });
  return formatTable(['reads at once', 's', 'CPU s', 'MB before', 'MB at most'], rows);
}

async function ofReads(count: number, read: () => Promise<number>): Promise<string[]> {
  writeFileSync('/proc/self/clear_refs', '5');
  const before = process.memoryUsage.rss();
  const cpu = process.cpuUsage();
  const begin = performance.now();
  const chunks = await Promise.all(Array.from({ length: count }, read));
  const took = performance.now() - begin;
  const { user, system } = process.cpuUsage(cpu);
  if (chunks.some((each) => each !== chunks[0])) throw new Error('reads of the same got different chunks');
  const peak = Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
  return [
    ...[took / 1000, (user + system) / 1e6].map((value) => value.toFixed(1)),
    ...[before, peak].map((bytes) => (bytes / 1e6).toFixed(0)),
  ];
}

async function makeMonth(bucket: string): Promise<void> {
  for (let day = 0; day < DAYS; day++) {
    const ulid = `01HF000000DAY00000000000${String(day + 10)}`;
    const writer = await BlockWriter.create({ disk: machine.disk, dir: join(bucket, 'a'), ulid });
    const whole = Array.from({ length: SHAPES }, (_, shape) => dayChunks(shape, day));
    for (let i = 0; i < SERIES; i++)
      await writer.addSeries(encodeLabels(labelsOf(ASKED_METRIC, i)), whole[i % SHAPES]);
    const minTime = DAY_START + day * DAY_MS;
    await writer.finish({ minTime, maxTime: minTime + DAY_MS, compaction: { level: 3, sources: [ulid] } });
  }
}

async function drain(gateway: StoreGateway, blocks: readonly BucketBlock[]): Promise<number> {
  const [mint, maxt] = [DAY_START, DAY_START + DAYS * DAY_MS - 1];
  const querier = gateway.querier({ blocks, localUlids: new Set() }, mint, maxt);
  const matchers = [new Matcher('=', '__name__', ASKED_METRIC)];
  let chunks = 0;
  for await (const batch of querier.select(CALM, { matchers, mint, maxt, sorted: true }))
    chunks += batch.chunkMint.length;
  await querier.close();
  return chunks;
}

import { XorAppender } from '../../src/chunkenc/xor.ts';
import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { compareLabels, Labels } from '../../src/model/labels.ts';
import type { Disk } from '../../src/platform/disk.ts';
import { SeededRandom } from '../../src/platform/random.ts';
import { type BlockChunk, BlockWriter } from '../../src/tsdb/block/block-writer.ts';

export const BLOCK_MS = 7_200_000;
export const STEP_MS = 15_000;
const CHUNK_SAMPLES = 120;
/** Series with values of their own; further ones repeat these, which no reader can tell by its speed. */
const SHAPES = 200;

export interface BlockSet {
  readonly disk: Disk;
  readonly dir: string;
  readonly series: number;
  /** First time, a multiple of two hours; ms. */
  readonly start: number;
  readonly blocks: number;
  /** Added to every time and noted in the ULIDs: another replica. */
  readonly shiftMs?: number;
  readonly replica?: number;
}

/** Writes two-hour blocks of counters and gauges at a sample per 15 s; returns their ULIDs. */
export async function makeBlocks(set: BlockSet): Promise<string[]> {
  const { disk, dir, series, start, blocks, shiftMs = 0, replica = 0 } = set;
  const labels = labelSets(series);
  const ulids: string[] = [];
  for (let b = 0; b < blocks; b++) {
    const ulid = `01HF${String(replica).padStart(4, '0')}${String(b).padStart(18, '0')}`;
    const mint = start + b * BLOCK_MS;
    const shapes = Array.from({ length: SHAPES }, (_, i) => chunksOf(mint + shiftMs, b * SHAPES + i));
    const writer = await BlockWriter.create({ disk, dir, ulid });
    for (const [i, bytes] of labels.entries()) await writer.addSeries(bytes, shapes[i % SHAPES]);
    await writer.finish({
      minTime: mint,
      maxTime: mint + BLOCK_MS,
      compaction: { level: 1, sources: [ulid] },
      thanos: {
        version: 1,
        labels: { replica: String(replica) },
        downsample: { resolution: 0 },
        source: 'test',
      },
    });
    ulids.push(ulid);
  }
  return ulids;
}

function labelSets(count: number): Uint8Array[] {
  const sets = Array.from({ length: count }, (_, i) =>
    Labels.from({
      __name__: `http_requests_${i % 50}_total`,
      cluster: 'eu-west-1',
      namespace: `team-${i % 20}`,
      pod: `api-${i % 1000}-${(i * 7919) % 100_003}`,
      instance: `10.0.${(i >> 8) & 255}.${i & 255}:9090`,
      job: `job-${i % 30}`,
      code: String(200 + (i % 5)),
      method: i % 2 ? 'GET' : 'POST',
      path: `/api/v1/things/${i % 100}`,
      id: String(i),
    }),
  );
  return sets.sort(compareLabels).map(encodeLabels);
}

function chunksOf(start: number, seed: number): BlockChunk[] {
  const random = new SeededRandom(seed);
  const chunks: BlockChunk[] = [];
  let counter = seed * 1000;
  for (let from = 0; from < BLOCK_MS / STEP_MS; from += CHUNK_SAMPLES) {
    const appender = new XorAppender();
    for (let i = from; i < Math.min(from + CHUNK_SAMPLES, BLOCK_MS / STEP_MS); i++) {
      counter += Math.floor(random.next() * 20);
      const value = seed % 3 === 0 ? Math.round(random.next() * 10_000) / 100 : counter;
      // A collector is late by some milliseconds now and then.
      const late = i > from && random.next() < 0.1 ? Math.floor(random.next() * 5) : 0;
      appender.append(start + i * STEP_MS + late, value);
    }
    chunks.push({
      mint: start + from * STEP_MS,
      maxt: appender.lastTime,
      encoding: appender.encoding,
      data: appender.bytes().slice(),
    });
  }
  return chunks;
}

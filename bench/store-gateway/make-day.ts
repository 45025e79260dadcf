import { join } from 'node:path';
import { XorAppender } from '../../src/chunkenc/xor.ts';
import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { Labels } from '../../src/model/labels.ts';
import type { Disk } from '../../src/platform/disk.ts';
import { SeededRandom } from '../../src/platform/random.ts';
import { type BlockChunk, BlockWriter } from '../../src/tsdb/block/block-writer.ts';

/** The start of the day; a multiple of 24 hours, ms. */
export const DAY_START = 1_700_006_400_000;
export const DAY_MS = 86_400_000;
const STEP_MS = 15_000;
const CHUNK_SAMPLES = 120;
export const SHAPES = 50;
/** The metric whose series have all their samples; those of the others have one small chunk, which no read of it touches. */
export const ASKED_METRIC = 'metric_0500_total';
export const SERIES_PER_METRIC = 1000;
export const DAY_ULID = '01HF000000DAY0000000000001';

/** Samples of one series of the asked metric, one after the other; made anew from the same seed each time. */
export function samplesOfDay(shape: number): { t: Float64Array; v: Float64Array } {
  const random = new SeededRandom(shape + 1);
  const count = DAY_MS / STEP_MS;
  const t = new Float64Array(count);
  const v = new Float64Array(count);
  let counter = shape * 1000;
  for (let i = 0; i < count; i++) {
    counter += Math.floor(random.next() * 20);
    t[i] = DAY_START + i * STEP_MS + (i > 0 && random.next() < 0.1 ? Math.floor(random.next() * 5) : 0);
    v[i] = counter;
  }
  return { t, v };
}

/** Labels of series `i` of a metric, ascending with `i`. A target has a uid of its own, as pods have. */
export function labelsOf(metric: string, i: number): Labels {
  const number = String(i).padStart(4, '0');
  const job = metric.slice(9, 11);
  return Labels.from({
    __name__: metric,
    cluster: 'eu-west-1',
    instance: `10.0.${number}:9090`,
    job: `job-${job}`,
    namespace: `team-${i % 20}`,
    pod: `api-${job}-${number}-${((i * 7919) % 100_003).toString(36)}`,
    uid: `${((i * 2_654_435_761 + Number(job) * 40_503) >>> 0).toString(16)}-4c7a-${number}-${job}`,
  });
}

/** Writes the block of `metrics` × 1,000 series into `dir` unless it is there. */
export async function makeDay(disk: Disk, dir: string, metrics: number): Promise<void> {
  if (await disk.stat(join(dir, DAY_ULID))) return;
  const writer = await BlockWriter.create({ disk, dir, ulid: DAY_ULID });
  const whole = Array.from({ length: SHAPES }, (_, shape) => dayChunks(shape));
  const small = [chunkOf(samplesOfDay(0), 0, 4)];
  for (let m = 0; m < metrics; m++) {
    const metric = `metric_${String(m).padStart(4, '0')}_total`;
    for (let i = 0; i < SERIES_PER_METRIC; i++) {
      const chunks = metric === ASKED_METRIC ? whole[i % SHAPES] : small;
      await writer.addSeries(encodeLabels(labelsOf(metric, i)), chunks);
    }
  }
  await writer.finish({
    minTime: DAY_START,
    maxTime: DAY_START + DAY_MS,
    compaction: { level: 3, sources: [DAY_ULID] },
  });
}

/** The chunks of one series of a whole day, which may be a later one. */
export function dayChunks(shape: number, day = 0): BlockChunk[] {
  const samples = samplesOfDay(shape);
  for (let i = 0; i < samples.t.length; i++) samples.t[i] += day * DAY_MS;
  const count = samples.t.length / CHUNK_SAMPLES;
  return Array.from({ length: count }, (_, c) => chunkOf(samples, c * CHUNK_SAMPLES, CHUNK_SAMPLES));
}

function chunkOf({ t, v }: ReturnType<typeof samplesOfDay>, first: number, count: number): BlockChunk {
  const appender = new XorAppender();
  for (let i = first; i < first + count; i++) appender.append(t[i], v[i]);
  const data = appender.bytes().slice();
  return { mint: t[first], maxt: t[first + count - 1], encoding: appender.encoding, data };
}

import { XorAppender } from '../../chunkenc/xor.ts';
import { encodeLabels } from '../../encoding/label-bytes.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Random } from '../../platform/random.ts';
import { type BlockChunk, BlockWriter } from '../block/block-writer.ts';
import type { BlockMeta } from '../block/meta.ts';
import { newUlid } from '../block/ulid.ts';
import { compareLabelBytes } from '../index/index-writer.ts';
import { OpenMetricsParser, type OpenMetricsSample } from './openmetrics.ts';
import { readLines } from './read-lines.ts';

export const BLOCK_RANGE_MS = 2 * 60 * 60 * 1000;
const CHUNK_SAMPLES = 120;
/** How often the signal is looked at. */
const LINES_PER_LOOK = 1000;
/** Samples in memory at once; a single block range with more is refused. */
const SAMPLES_MAX = 20_000_000;

export interface CreateBlocksOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** OpenMetrics text; every sample needs a timestamp. It is read once for its ranges, and again for each portion of blocks. */
  readonly inputPath: string;
  readonly outputDir: string;
  readonly samplesMax?: number;
  /** The name of the block that begins at a time (ms); a new one when absent. */
  readonly ulidOf?: (startMs: number) => Promise<string>;
  readonly signal?: AbortSignal;
}

interface SeriesSamples {
  readonly labelBytes: Uint8Array;
  readonly times: number[];
  readonly values: number[];
}

/** Turns OpenMetrics text into blocks of two hours, aligned as Prometheus aligns them. Throws `bad_data` with the line. */
export async function createBlocksFromOpenMetrics(options: CreateBlocksOptions): Promise<BlockMeta[]> {
  const { disk, outputDir, samplesMax = SAMPLES_MAX } = options;
  const counts = new Map<number, number>();
  for await (const { t } of readSamples(options))
    counts.set(rangeStart(t), (counts.get(rangeStart(t)) ?? 0) + 1);
  await disk.makeDir(outputDir);
  const metas: BlockMeta[] = [];
  const starts = [...counts.keys()].sort((a, b) => a - b);
  for (let at = 0; at < starts.length; ) {
    const portion = new Map<number, Map<string, SeriesSamples>>();
    for (let samples = 0; at < starts.length; at++) {
      const count = counts.get(starts[at]) as number;
      if (count > samplesMax)
        throw new VeronaError(
          'too_large',
          `${count} samples in the two hours from ${starts[at]}, at most ${samplesMax}`,
        );
      if (portion.size > 0 && samples + count > samplesMax) break;
      samples += count;
      portion.set(starts[at], new Map());
    }
    for await (const sample of readSamples(options)) {
      const series = portion.get(rangeStart(sample.t));
      if (series) addSample(series, sample);
    }
    for (const [start, series] of portion) metas.push(await writeBlock(options, start, series));
  }
  return metas;
}

async function* readSamples({ disk, inputPath, signal }: CreateBlocksOptions) {
  const parser = new OpenMetricsParser();
  let line = 0;
  for await (const text of readLines(disk, inputPath)) {
    line++;
    if (line % LINES_PER_LOOK === 0) signal?.throwIfAborted();
    const sample = parser.line(text);
    if (!sample) continue;
    if (sample.t === undefined) throw new VeronaError('bad_data', `line ${line}: expected a timestamp`);
    yield sample as OpenMetricsSample & { t: number };
  }
  parser.finish();
}

function addSample(
  series: Map<string, SeriesSamples>,
  { labels, value, t }: OpenMetricsSample & { t: number },
): void {
  const key = labels.key();
  let entry = series.get(key);
  if (!entry) series.set(key, (entry = { labelBytes: encodeLabels(labels), times: [], values: [] }));
  entry.times.push(t);
  entry.values.push(value);
}

async function writeBlock(
  { disk, clock, random, outputDir, ulidOf = async () => newUlid(clock, random) }: CreateBlocksOptions,
  start: number,
  series: ReadonlyMap<string, SeriesSamples>,
): Promise<BlockMeta> {
  const ulid = await ulidOf(start);
  const writer = await BlockWriter.create({ disk, dir: outputDir, ulid });
  try {
    const sorted = [...series].sort(([, a], [, b]) => compareLabelBytes(a.labelBytes, b.labelBytes));
    let mint = Number.POSITIVE_INFINITY;
    let maxt = Number.NEGATIVE_INFINITY;
    for (const [key, samples] of sorted) {
      const chunks = encodeChunks(samples, key);
      mint = Math.min(mint, chunks[0].mint);
      maxt = Math.max(maxt, chunks.at(-1)!.maxt);
      await writer.addSeries(samples.labelBytes, chunks);
    }
    return await writer.finish({
      minTime: mint,
      maxTime: maxt + 1,
      compaction: { level: 1, sources: [ulid] },
    });
  } catch (error) {
    await writer.abort();
    throw error instanceof VeronaError
      ? new VeronaError(error.code, `block from ${start}: ${error.message}`)
      : error;
  }
}

function encodeChunks({ times, values }: SeriesSamples, key: string): BlockChunk[] {
  const order = [...times.keys()].sort((a, b) => times[a] - times[b] || a - b);
  const chunks: BlockChunk[] = [];
  let appender = new XorAppender();
  let mint = 0;
  let last: number | undefined;
  const close = () => {
    if (appender.count > 0)
      chunks.push({
        mint,
        maxt: last as number,
        encoding: appender.encoding,
        data: appender.bytes().slice(),
      });
    appender = new XorAppender();
  };
  for (const [k, i] of order.entries()) {
    if (times[i] === last) {
      if (Object.is(values[i], values[order[k - 1]])) continue;
      throw new VeronaError('bad_data', `two values at ${times[i]} for ${key.replaceAll('\xff', ' ')}`);
    }
    if (appender.count === CHUNK_SAMPLES) close();
    if (appender.count === 0) mint = times[i];
    appender.append(times[i], values[i]);
    last = times[i];
  }
  close();
  return chunks;
}

function rangeStart(t: number): number {
  return Math.floor(t / BLOCK_RANGE_MS) * BLOCK_RANGE_MS;
}

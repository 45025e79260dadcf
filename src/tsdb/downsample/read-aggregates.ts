import { Aggregate, type AggregateParts, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { ChunkEncoding, isFloatEncoding } from '../../chunkenc/encoding.ts';
import { HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import { type FloatColumns, XorAppender } from '../../chunkenc/xor.ts';
import { divideHistogram } from '../../model/histogram-math.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import type { AggregateChoice } from './aggregate-of.ts';
import { CounterTotal } from './counter-total.ts';
import { floatsOf } from './downsample-aggregates.ts';
import { histogramsOf } from './downsample-histograms.ts';
import { evenAverages } from './even-averages.ts';
import { spreadCounts } from './spread-counts.ts';

/** Large, since these chunks are read once: fewer pieces to look at. */
const CHUNK_SAMPLES = 1000;

/**
 * The chunks of one series, ordered by time, without aggregate ones: of each of these the wanted part. For the counter all
 * floats of the series become one counter without resets. `rangeMs` is that of the function that wants them, 0 for none. Throws
 * `corrupt`.
 */
export function readAggregates(
  chunks: readonly BlockChunk[],
  choice: AggregateChoice,
  rangeMs = 0,
): BlockChunk[] {
  if (!chunks.some(({ encoding }) => encoding === ChunkEncoding.aggregate)) return [...chunks];
  if (choice === Aggregate.counter) return readCounter(chunks);
  if (choice === 'even') return readEvenly(chunks, rangeMs);
  return chunks.flatMap((chunk) => readOne(chunk, choice));
}

function readEvenly(chunks: readonly BlockChunk[], rangeMs: number): BlockChunk[] {
  const even = evenAverages(chunks, rangeMs);
  if (even === undefined) return chunks.flatMap((chunk) => readOne(chunk, 'average'));
  const histograms = chunks
    .filter((chunk) => !isOfFloats(chunk))
    .flatMap((chunk) => readOne(chunk, 'average'));
  return inOrder([...encodeFloats(even), ...histograms]);
}

function isOfFloats({ encoding, data }: BlockChunk): boolean {
  if (encoding !== ChunkEncoding.aggregate) return isFloatEncoding(encoding);
  return !isOfHistograms(decodeAggregates(data));
}

function inOrder(chunks: readonly BlockChunk[]): BlockChunk[] {
  return [...chunks].sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
}

function readOne(chunk: BlockChunk, choice: Exclude<AggregateChoice, 'even'>): BlockChunk[] {
  if (chunk.encoding !== ChunkEncoding.aggregate)
    return choice === Aggregate.count ? countsOf(chunk) : [chunk];
  const parts = decodeAggregates(chunk.data);
  if (choice === 'each') return encodeFloats(spreadCounts(parts));
  const part = choice === 'average' ? undefined : parts[choice];
  if (part) return [{ ...chunk, encoding: part.encoding, data: part.data }];
  return isOfHistograms(parts) ? averageHistograms(parts) : encodeFloats(averages(parts));
}

/** Counts of a chunk that was not downsampled: each sample is one. */
function countsOf(chunk: BlockChunk): BlockChunk[] {
  const { timestamps } = decodeChunk(chunk.encoding, chunk.data, 0, chunk.data.length);
  return encodeFloats({ timestamps, values: new Float64Array(timestamps.length).fill(1) });
}

function averages(parts: AggregateParts): FloatColumns {
  const { timestamps, values } = floatsOf(parts, Aggregate.sum);
  const counts = floatsOf(parts, Aggregate.count).values;
  return { timestamps, values: values.map((sum, i) => sum / counts[i]) };
}

function averageHistograms(parts: AggregateParts): BlockChunk[] {
  const counts = floatsOf(parts, Aggregate.count).values;
  const sums = histogramsOf(parts, Aggregate.sum);
  if (sums.length === 0) return [];
  const appender = HistogramAppender.float();
  for (const [i, { t, h }] of sums.entries())
    appender.append(t, { ...divideHistogram(h, counts[i]), counterResetHint: 'gauge' });
  const { encoding } = appender;
  return [{ mint: sums[0].t, maxt: appender.lastTime, encoding, data: appender.bytes().slice() }];
}

function isOfHistograms(parts: AggregateParts): boolean {
  return parts[Aggregate.sum]?.encoding === ChunkEncoding.floatHistogram;
}

function readCounter(chunks: readonly BlockChunk[]): BlockChunk[] {
  const total = new CounterTotal();
  const histograms: BlockChunk[] = [];
  for (const chunk of chunks) {
    if (isFloatEncoding(chunk.encoding)) total.add(decodeFloats(chunk));
    else if (chunk.encoding !== ChunkEncoding.aggregate) histograms.push(chunk);
    else {
      const parts = decodeAggregates(chunk.data);
      total.add(floatsOf(parts, Aggregate.counter));
      histograms.push(...counterHistograms(parts));
    }
  }
  return inOrder([...encodeFloats(total.take()), ...histograms]);
}

function decodeFloats({ encoding, data }: BlockChunk): FloatColumns {
  return decodeChunk(encoding, data, 0, data.length) as FloatColumns & { kind: 'float' };
}

/** The counter of histograms is raw already; a gauge has none. */
function counterHistograms(parts: AggregateParts): BlockChunk[] {
  const part = parts[Aggregate.counter];
  if (part?.encoding !== ChunkEncoding.floatHistogram)
    return isOfHistograms(parts) ? averageHistograms(parts) : [];
  const samples = histogramsOf(parts, Aggregate.counter);
  const mint = samples[0].t;
  return [{ mint, maxt: samples[samples.length - 1].t, encoding: part.encoding, data: part.data }];
}

function encodeFloats({ timestamps, values }: FloatColumns): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < timestamps.length; from += CHUNK_SAMPLES) {
    const to = Math.min(from + CHUNK_SAMPLES, timestamps.length);
    const appender = new XorAppender();
    for (let i = from; i < to; i++) appender.append(timestamps[i], values[i]);
    const data = appender.bytes().slice();
    chunks.push({ mint: timestamps[from], maxt: timestamps[to - 1], encoding: ChunkEncoding.xor, data });
  }
  return chunks;
}

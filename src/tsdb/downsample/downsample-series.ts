import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { ChunkEncoding, isFloatEncoding } from '../../chunkenc/encoding.ts';
import { type FloatColumns, XorAppender } from '../../chunkenc/xor.ts';
import { toFloatHistogram } from '../../model/histogram-shape.ts';
import { isStale } from '../../model/sample.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { decodeLane } from '../compact/replica-lane.ts';
import { downsampleAggregates } from './downsample-aggregates.ts';
import { downsampleFloats } from './downsample-floats.ts';
import { downsampleHistograms, type HistogramSample, joinHistogramChunks } from './downsample-histograms.ts';

/** A run of samples of one kind. */
type Run =
  | { readonly kind: 'floats'; readonly chunks: BlockChunk[] }
  | { readonly kind: 'histograms'; readonly samples: HistogramSample[] };

/**
 * The chunks of one series, ordered by time without overlap, at a coarser resolution: `inMs` is theirs (0: raw), `outMs`
 * that of the result. Floats and histograms of one series get chunks of their own. Throws `corrupt`.
 */
export function downsampleSeries(chunks: readonly BlockChunk[], inMs: number, outMs: number): BlockChunk[] {
  return inMs === 0 ? downsampleRaw(chunks, outMs) : joinChunks(chunks, inMs, outMs);
}

function downsampleRaw(chunks: readonly BlockChunk[], outMs: number): BlockChunk[] {
  return runsOf(chunks).flatMap((run) =>
    run.kind === 'floats'
      ? downsampleFloats(decodeLane(run.chunks, 0), outMs)
      : downsampleHistograms(run.samples, outMs),
  );
}

function runsOf(chunks: readonly BlockChunk[]): Run[] {
  const runs: Run[] = [];
  for (const chunk of chunks) {
    const last = runs.at(-1);
    if (isFloatEncoding(chunk.encoding)) {
      if (last?.kind === 'floats') last.chunks.push(asXor(chunk));
      else runs.push({ kind: 'floats', chunks: [asXor(chunk)] });
      continue;
    }
    const decoded = decodeChunk(chunk.encoding, chunk.data, 0, chunk.data.length);
    if (decoded.kind !== 'histogram') continue;
    const samples = decoded.histograms
      .map((h, i) => ({ t: decoded.timestamps[i], h: toFloatHistogram(h) }))
      .filter(({ h }) => !isStale(h.sum));
    if (last?.kind === 'histograms') last.samples.push(...samples);
    else runs.push({ kind: 'histograms', samples });
  }
  return runs;
}

function joinChunks(chunks: readonly BlockChunk[], inMs: number, outMs: number): BlockChunk[] {
  const out: BlockChunk[] = [];
  for (let from = 0; from < chunks.length; ) {
    const floats = isOfFloats(chunks[from]);
    let to = from + 1;
    while (to < chunks.length && isOfFloats(chunks[to]) === floats) to++;
    const run = chunks.slice(from, to);
    out.push(...(floats ? downsampleAggregates(run, inMs, outMs) : joinHistogramChunks(run, outMs)));
    from = to;
  }
  return out;
}

function isOfFloats({ data }: BlockChunk): boolean {
  return decodeAggregates(data)[Aggregate.sum]?.encoding !== ChunkEncoding.floatHistogram;
}

/** The kernel decodes XOR chunks only; of others it gets a copy in that encoding, without start timestamps. */
function asXor(chunk: BlockChunk): BlockChunk {
  if (chunk.encoding === ChunkEncoding.xor) return chunk;
  const { timestamps, values } = decodeChunk(
    chunk.encoding,
    chunk.data,
    0,
    chunk.data.length,
  ) as FloatColumns & {
    kind: 'float';
  };
  const appender = new XorAppender();
  for (let i = 0; i < timestamps.length; i++) appender.append(timestamps[i], values[i]);
  return { ...chunk, encoding: ChunkEncoding.xor, data: appender.bytes().slice() };
}

import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { downsampleAggregates } from './downsample-aggregates.ts';
import { joinHistogramChunks } from './downsample-histograms.ts';
import { RawSeries } from './raw-series.ts';

/**
 * The chunks of one series, ordered by time without overlap, at a coarser resolution: `inMs` is theirs (0: raw), `outMs`
 * that of the result. Floats and histograms of one series get chunks of their own. Throws `corrupt`.
 */
export function downsampleSeries(chunks: readonly BlockChunk[], inMs: number, outMs: number): BlockChunk[] {
  return inMs === 0 ? downsampleRaw(chunks, outMs) : joinChunks(chunks, inMs, outMs);
}

function downsampleRaw(chunks: readonly BlockChunk[], outMs: number): BlockChunk[] {
  const series = new RawSeries(outMs);
  for (const { encoding, data } of chunks) series.add(encoding, data);
  return series.take();
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

import { Aggregate, decodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { decodeChunk } from '../../chunkenc/chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { FloatColumns } from '../../chunkenc/xor.ts';
import { toFloatHistogram } from '../../model/histogram-shape.ts';
import { isStale } from '../../model/sample.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { downsampleAggregates } from './downsample-aggregates.ts';
import { downsampleFloats } from './downsample-floats.ts';
import { downsampleHistograms, type HistogramSample, joinHistogramChunks } from './downsample-histograms.ts';

/** A run of samples of one kind. */
type Run =
  | { readonly kind: 'floats'; readonly parts: FloatColumns[] }
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
      ? downsampleFloats(concat(run.parts), outMs)
      : downsampleHistograms(run.samples, outMs),
  );
}

function runsOf(chunks: readonly BlockChunk[]): Run[] {
  const runs: Run[] = [];
  for (const { encoding, data } of chunks) {
    const decoded = decodeChunk(encoding, data, 0, data.length);
    const last = runs.at(-1);
    if (decoded.kind === 'float') {
      if (last?.kind === 'floats') last.parts.push(decoded);
      else runs.push({ kind: 'floats', parts: [decoded] });
      continue;
    }
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

function concat(parts: readonly FloatColumns[]): FloatColumns {
  const count = parts.reduce((sum, { timestamps }) => sum + timestamps.length, 0);
  const timestamps = new Float64Array(count);
  const values = new Float64Array(count);
  let at = 0;
  for (const part of parts) {
    timestamps.set(part.timestamps, at);
    values.set(part.values, at);
    at += part.timestamps.length;
  }
  return { timestamps, values };
}

import type { HistogramSamples } from '../../chunkenc/batch-decoder.ts';
import type { ChunkAppender } from '../../chunkenc/chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { HistogramAppender } from '../../chunkenc/histogram-chunk.ts';
import type { KernelColumns } from '../../kernel/chunk-kernel.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import type { Samples } from './fill-gaps.ts';
import { sampleKernel } from './sample-kernel.ts';

const CHUNK_SAMPLES = 120;

export interface EncodedChunk {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly payload: Uint8Array;
  /** As in `SeriesBatch.startTimes`, of a chunk that was not encoded here. */
  readonly startTimes?: Float64Array;
}

let columns: KernelColumns | undefined;

/** Chunks of float samples, in order. */
export function encodeFloats({ timestamps, values }: Samples): EncodedChunk[] {
  const kernel = sampleKernel();
  columns ??= kernel.columns();
  kernel.clear(columns);
  kernel.push(columns, timestamps, values);
  const chunks: EncodedChunk[] = [];
  for (let from = 0; from < timestamps.length; from += CHUNK_SAMPLES) {
    const to = Math.min(from + CHUNK_SAMPLES, timestamps.length);
    const payload = kernel.encode(columns, from, to).slice();
    chunks.push({ mint: timestamps[from], maxt: timestamps[to - 1], encoding: ChunkEncoding.xor, payload });
  }
  return chunks;
}

/** The same of histograms; a new chunk also begins where the kind changes or a histogram does not fit. */
export function encodeHistograms({ timestamps, histograms }: HistogramSamples): EncodedChunk[] {
  const chunks: EncodedChunk[] = [];
  let open: HistogramAppender<AnyHistogram> | undefined;
  let mint = 0;
  const close = () => open && chunks.push(encoded(mint, open));
  for (const [i, histogram] of histograms.entries()) {
    const t = timestamps[i];
    const isSameKind = open?.kind === histogram.kind;
    if (open && isSameKind && open.count < CHUNK_SAMPLES && open.append(t, histogram) !== 'new_chunk')
      continue;
    close();
    open = open && isSameKind ? open.successor() : emptyChunk(histogram.kind);
    mint = t;
    open.append(t, histogram);
  }
  close();
  return chunks;
}

function encoded(mint: number, chunk: ChunkAppender): EncodedChunk {
  return { mint, maxt: chunk.lastTime, encoding: chunk.encoding, payload: chunk.bytes() };
}

function emptyChunk(kind: AnyHistogram['kind']): HistogramAppender<AnyHistogram> {
  const chunk = kind === 'integer' ? HistogramAppender.integer() : HistogramAppender.float();
  return chunk as unknown as HistogramAppender<AnyHistogram>;
}

import type { GatheredSeries } from './head-memory.ts';

export interface PlainChunk {
  /** ms. */
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  /** Where it lies in the chunk files; -1 for an open one, whose bytes are in `data`. */
  readonly ref: number;
  readonly data: Uint8Array;
}

/** Series and their chunks, laid out in columns as the kernel gives them. */
export function gatherPlain(
  series: readonly { readonly labels: Uint8Array; readonly chunks: readonly PlainChunk[] }[],
): GatheredSeries {
  const labels = series.map((one) => one.labels);
  const chunks = series.flatMap((one) => one.chunks);
  const data = chunks.map((chunk) => chunk.data);
  return {
    seriesCount: series.length,
    labelBytes: new Uint8Array(Buffer.concat(labels)),
    labelOffsets: Uint32Array.from(startsOf(labels.map(({ length }) => length))),
    chunkStarts: Uint32Array.from(startsOf(series.map((one) => one.chunks.length))),
    chunkMint: Float64Array.from(chunks, (chunk) => chunk.mint),
    chunkMaxt: Float64Array.from(chunks, (chunk) => chunk.maxt),
    chunkEncoding: Uint8Array.from(chunks, (chunk) => chunk.encoding),
    chunkRef: Float64Array.from(chunks, (chunk) => chunk.ref),
    chunkDataOffset: Uint32Array.from(startsOf(data.map(({ length }) => length)).slice(0, chunks.length)),
    chunkDataLength: Uint32Array.from(data, ({ length }) => length),
    chunkData: new Uint8Array(Buffer.concat(data)),
  };
}

/** Where each begins when they lie one after the other, and where the last one ends. */
function startsOf(lengths: readonly number[]): number[] {
  const starts = [0];
  for (const length of lengths) starts.push(starts[starts.length - 1] + length);
  return starts;
}

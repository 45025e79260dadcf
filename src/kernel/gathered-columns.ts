import type { GatheredSeries } from './head-memory.ts';

/** How many of everything gathered columns hold. */
export interface GatheredSizes {
  readonly series: number;
  readonly chunks: number;
  readonly labelBytes: number;
  readonly dataBytes: number;
}

/** Gathered columns as one piece of memory, to go to another thread: eleven views of it take five times as long. */
export interface PackedGather extends GatheredSizes {
  readonly memory: ArrayBuffer;
}

/** Empty columns, all in one piece of memory. */
export function newGathered(sizes: GatheredSizes): GatheredSeries {
  return gatheredIn(new ArrayBuffer(memoryBytes(sizes)), sizes);
}

/** Shares the memory of columns that lie as `newGathered` lays them; others are copied. */
export function packGathered(gathered: GatheredSeries): PackedGather {
  const { labelBytes, chunkData, chunkRef, chunkMint } = gathered;
  const sizes = {
    series: gathered.seriesCount,
    chunks: chunkRef.length,
    labelBytes: labelBytes.length,
    dataBytes: chunkData.length,
  };
  const { buffer } = chunkMint;
  const isPacked =
    buffer instanceof ArrayBuffer &&
    chunkData.buffer === buffer &&
    labelBytes.buffer === buffer &&
    buffer.byteLength === memoryBytes(sizes);
  return { ...sizes, memory: isPacked ? buffer : copied(gathered, sizes) };
}

/** The columns again; they share the memory. */
export function unpackGathered({ memory, ...sizes }: PackedGather): GatheredSeries {
  return gatheredIn(memory, sizes);
}

function copied(gathered: GatheredSeries, sizes: GatheredSizes): ArrayBuffer {
  const memory = new ArrayBuffer(memoryBytes(sizes));
  const into = gatheredIn(memory, sizes);
  into.labelBytes.set(gathered.labelBytes);
  into.labelOffsets.set(gathered.labelOffsets);
  into.chunkStarts.set(gathered.chunkStarts);
  into.chunkMint.set(gathered.chunkMint);
  into.chunkMaxt.set(gathered.chunkMaxt);
  into.chunkEncoding.set(gathered.chunkEncoding);
  into.chunkRef.set(gathered.chunkRef);
  into.chunkDataOffset.set(gathered.chunkDataOffset);
  into.chunkDataLength.set(gathered.chunkDataLength);
  into.chunkData.set(gathered.chunkData);
  return memory;
}

function memoryBytes({ series, chunks, labelBytes, dataBytes }: GatheredSizes): number {
  return 8 * 3 * chunks + 4 * 2 * (series + 1 + chunks) + chunks + labelBytes + dataBytes;
}

/**
 *     mint, maxt, ref of chunks (float64) │ ends of labels, starts of chunks of series (uint32, series + 1)
 *     │ data offset, length of chunks (uint32) │ encoding of chunks │ label bytes │ chunk data
 *
 * Wide elements come first, so that all are aligned.
 */
function gatheredIn(memory: ArrayBuffer, sizes: GatheredSizes): GatheredSeries {
  const { series, chunks, labelBytes, dataBytes } = sizes;
  let at = 0;
  const floats = (length: number) => {
    at += 8 * length;
    return new Float64Array(memory, at - 8 * length, length);
  };
  const words = (length: number) => {
    at += 4 * length;
    return new Uint32Array(memory, at - 4 * length, length);
  };
  const bytes = (length: number) => {
    at += length;
    return new Uint8Array(memory, at - length, length);
  };
  return {
    seriesCount: series,
    chunkMint: floats(chunks),
    chunkMaxt: floats(chunks),
    chunkRef: floats(chunks),
    labelOffsets: words(series + 1),
    chunkStarts: words(series + 1),
    chunkDataOffset: words(chunks),
    chunkDataLength: words(chunks),
    chunkEncoding: bytes(chunks),
    labelBytes: bytes(labelBytes),
    chunkData: bytes(dataBytes),
  };
}

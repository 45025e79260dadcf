import { QueryKernel } from '../../kernel/query-kernel.ts';
import type { BlockChunk } from '../block/block-writer.ts';

/** The samples of one replica, ascending, and where each came from. */
export interface Lane {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  /** The number of a sample among all samples of all chunks; -1 when its chunk cannot be told any more. */
  readonly origins: Int32Array;
}

let kernel: QueryKernel | undefined;

/**
 * Decodes the float chunks of one replica, ordered by time; where they overlap the later one wins. `first` is the number of
 * their first sample. Throws `corrupt`.
 */
export function decodeLane(chunks: readonly BlockChunk[], first: number): Lane {
  kernel ??= new QueryKernel();
  kernel.load(columnsOf(chunks));
  const { count, timestamps, values } = kernel.decode(
    0,
    chunks.length,
    Number.NEGATIVE_INFINITY,
    Number.POSITIVE_INFINITY,
    false,
  );
  const apart = chunks.every((chunk, i) => i === 0 || chunk.mint > chunks[i - 1].maxt);
  const origins = new Int32Array(count);
  if (apart) for (let i = 0; i < count; i++) origins[i] = first + i;
  else origins.fill(-1);
  return { timestamps: timestamps.slice(), values: values.slice(), origins };
}

function columnsOf(chunks: readonly BlockChunk[]) {
  const size = chunks.reduce((sum, { data }) => sum + data.length, 0);
  const chunkData = new Uint8Array(size);
  const chunkDataOffset = new Uint32Array(chunks.length);
  let at = 0;
  for (const [i, { data }] of chunks.entries()) {
    chunkData.set(data, at);
    chunkDataOffset[i] = at;
    at += data.length;
  }
  return {
    chunkMint: Float64Array.from(chunks, ({ mint }) => mint),
    chunkMaxt: Float64Array.from(chunks, ({ maxt }) => maxt),
    chunkDataOffset,
    chunkDataLength: Uint32Array.from(chunks, ({ data }) => data.length),
    chunkData,
  };
}

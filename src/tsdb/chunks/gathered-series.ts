import type { GatheredSeries } from '../../kernel/head-memory.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { ChunkReader } from './chunk-reader.ts';

/** Fills in the chunks that a head named by ref (`chunkRef` ≥ 0). The result shares what it can with `gathered`. */
export async function readGatheredChunks(
  gathered: GatheredSeries,
  reader: ChunkReader,
): Promise<SeriesBatch> {
  const missing: number[] = [];
  for (let c = 0; c < gathered.chunkRef.length; c++) if (gathered.chunkRef[c] >= 0) missing.push(c);
  const { chunkDataOffset, chunkDataLength, chunkEncoding } = gathered;
  const parts = new ByteParts(gathered.chunkData, missing.length * CHUNK_BYTES_GUESS);
  await reader.readAll(
    missing.map((c) => gathered.chunkRef[c]),
    (i, { encoding, data }) => {
      const c = missing[i];
      chunkDataOffset[c] = parts.length;
      chunkDataLength[c] = data.length;
      chunkEncoding[c] = encoding;
      parts.append(data);
    },
  );
  const { seriesCount, labelBytes, labelOffsets, chunkStarts, chunkMint, chunkMaxt } = gathered;
  return {
    seriesCount,
    labelBytes,
    labelOffsets,
    chunkStarts,
    chunkMint,
    chunkMaxt,
    chunkEncoding,
    chunkDataOffset,
    chunkDataLength,
    chunkData: parts.view(),
  };
}

/** Room that most closed chunks of floats need. */
const CHUNK_BYTES_GUESS = 320;

class ByteParts {
  #bytes: Uint8Array;
  length: number;

  /** Goes on after `start`, with room for about `more` bytes. */
  constructor(start: Uint8Array, more: number) {
    this.#bytes = more > 0 ? new Uint8Array(start.length + more) : start;
    if (more > 0) this.#bytes.set(start);
    this.length = start.length;
  }

  append(data: Uint8Array): void {
    if (this.length + data.length > this.#bytes.length) {
      const grown = new Uint8Array(
        Math.max(Math.ceil(this.#bytes.length * 1.5), this.length + data.length, 4096),
      );
      grown.set(this.#bytes.subarray(0, this.length));
      this.#bytes = grown;
    }
    this.#bytes.set(data, this.length);
    this.length += data.length;
  }

  view(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

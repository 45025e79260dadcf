/**
 * Some series of one select, as columns: the form in which series travel from every source (head, block,
 * bucket, remote store) through merging to the query engine, and between threads. Only typed arrays, so a
 * batch moves to another thread by transfer; after that the sender must not touch it.
 *
 * Labels of series `i` are the canonical label bytes (see `encoding/label-bytes.ts`)
 *   labelBytes[labelOffsets[i] … labelOffsets[i + 1])
 * and its chunks are entries `chunkStarts[i] … chunkStarts[i + 1]` of the chunk columns, ordered by
 * (mint, maxt); they may overlap, and the decoder merges them (for equal timestamps the later chunk wins).
 */
export interface SeriesBatch {
  readonly seriesCount: number;
  readonly labelBytes: Uint8Array;
  readonly labelOffsets: Uint32Array;
  readonly chunkStarts: Uint32Array;
  /** First and last timestamp of each chunk, ms, inclusive. A chunk may reach beyond the requested range; samples outside are trimmed by the decoder. */
  readonly chunkMint: Float64Array;
  readonly chunkMaxt: Float64Array;
  /** Prometheus' encoding byte of each chunk (`chunkenc/encoding.ts`). */
  readonly chunkEncoding: Uint8Array;
  /** Chunk `c` is chunkData[chunkDataOffset[c] … + chunkDataLength[c]): the payload after the encoding byte. */
  readonly chunkDataOffset: Uint32Array;
  readonly chunkDataLength: Uint32Array;
  readonly chunkData: Uint8Array;
  /** Absent when no chunk of the batch needs it. */
  readonly startTimes?: StartTimeColumn;
}

/**
 * Start timestamps of the samples of chunks whose encoding does not hold them: those of chunk `c` are
 * values[offsets[c] … offsets[c + 1]), either none or one per sample of the chunk in its order. ms; 0 is unknown.
 * A chunk in an encoding with start timestamps has them in its payload and none here.
 */
export interface StartTimeColumn {
  readonly offsets: Uint32Array;
  readonly values: Float64Array;
}

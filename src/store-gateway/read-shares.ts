/** How much of a block one reading of it holds at a time. */
export interface SliceSize {
  /** Bytes of entries that are fetched in one go, and of those that are decoded in one, with the places of all their chunks. */
  readonly entryBytes: number;
  readonly decodedBytes: number;
  /** Series in one go, at most. */
  readonly series: number;
  /** Bytes of entries that are read before it is known which are wanted. */
  readonly aheadBytes: number;
  /** Bytes of chunks fetched in one go, about, and when memory is scarce. */
  readonly bytes: number;
  readonly bytesWhenTight: number;
  /** Bytes of a batch: every block of a query holds one while they are merged. */
  readonly batchBytes: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
/** What all readings of a gateway hold together, about, where each has its share; those that come first have more of it. */
const ENTRY_BYTES = 16 * MIB;
const DECODED_BYTES = 8 * MIB;
const AHEAD_BYTES = 32 * MIB;
const CHUNK_BYTES = 32 * MIB;
const CHUNK_BYTES_WHEN_TIGHT = 8 * MIB;
const BATCH_BYTES = 16 * MIB;
const SERIES = 32_768;

/**
 * Divides memory among the blocks that are read at once, of all queries: the more there are, the smaller the pieces that each
 * holds. Twenty queries of 1,000 series over 30 blocks held 4 GB when each query had all of it, most of it the places of chunks.
 */
export class ReadShares {
  readonly #scale: number;
  #reading = 0;

  /** `scale` is how much of the memory above there is. */
  constructor(scale: number) {
    this.#scale = scale;
  }

  /** Begins the reading of one of `blockCount` blocks, which `leave` ends: how much it may hold. */
  enter(blockCount: number): SliceSize {
    this.#reading++;
    return sliceSize(Math.max(blockCount, this.#reading), this.#scale);
  }

  leave(): void {
    this.#reading--;
  }
}

function sliceSize(blockCount: number, scale: number): SliceSize {
  const share = (held: number, min: number, max: number) =>
    Math.max(min, Math.min(max, Math.floor((held * scale) / Math.max(1, blockCount))));
  return {
    entryBytes: share(ENTRY_BYTES, 32 * KIB, MIB),
    decodedBytes: share(DECODED_BYTES, 2 * KIB, MIB),
    series: share(SERIES, 64, 4096),
    aheadBytes: share(AHEAD_BYTES, 64 * KIB, 4 * MIB),
    bytes: share(CHUNK_BYTES, 256 * KIB, 4 * MIB),
    bytesWhenTight: share(CHUNK_BYTES_WHEN_TIGHT, 128 * KIB, MIB),
    batchBytes: share(BATCH_BYTES, 32 * KIB, MIB),
  };
}

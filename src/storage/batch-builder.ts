import { assert } from '../platform/assert.ts';
import { ChunkColumns } from './chunk-columns.ts';
import type { SeriesBatch, StartTimeColumn } from './series-batch.ts';

/** A batch is full from here on: enough to keep a thread busy, little enough to move and to hold several of. */
const BATCH_SERIES_MAX = 4096;
const BATCH_BYTES_MAX = 4 * 1024 * 1024;

/** Collects series and their chunks into batches. After each series ask `isFull`; `take` hands a batch over and starts the next. */
export class BatchBuilder {
  readonly #seriesMax: number;
  readonly #bytesMax: number;
  readonly #labels = new ByteColumn();
  readonly #data = new ByteColumn();
  readonly #chunks = new ChunkColumns();
  #labelOffsets = [0];
  #chunkStarts: number[] = [];
  /** Start timestamps of the chunks that came with some, by chunk. */
  #startTimes = new Map<number, ArrayLike<number>>();

  constructor(seriesMax = BATCH_SERIES_MAX, bytesMax = BATCH_BYTES_MAX) {
    this.#seriesMax = seriesMax;
    this.#bytesMax = bytesMax;
  }

  get seriesCount(): number {
    return this.#chunkStarts.length;
  }

  get isEmpty(): boolean {
    return this.seriesCount === 0;
  }

  get isFull(): boolean {
    return this.seriesCount >= this.#seriesMax || this.#labels.length + this.#data.length >= this.#bytesMax;
  }

  /** Starts a series; the bytes (canonical label bytes) are copied. */
  addSeries(labelBytes: Uint8Array): void {
    this.#labels.push(labelBytes);
    this.#labelOffsets.push(this.#labels.length);
    this.#chunkStarts.push(this.#chunks.count);
  }

  /**
   * A chunk of the series added last; chunks come ordered by (mint, maxt). The payload is copied. `startTimes`, one per
   * sample, come with chunks whose encoding does not hold them; they must not change before `take`.
   */
  addChunk(
    mint: number,
    maxt: number,
    encoding: number,
    payload: Uint8Array,
    startTimes?: ArrayLike<number>,
  ): void {
    assert(!this.isEmpty, 'a chunk belongs to a series');
    if (startTimes?.length) this.#startTimes.set(this.#chunks.count, startTimes);
    this.#chunks.push(mint, maxt, encoding, this.#data.length, payload.length);
    this.#data.push(payload);
  }

  /** Chunk `c` of another batch, as `addChunk`. */
  addChunkOf(batch: SeriesBatch, c: number): void {
    const { startTimes } = batch;
    const offset = batch.chunkDataOffset[c];
    this.addChunk(
      batch.chunkMint[c],
      batch.chunkMaxt[c],
      batch.chunkEncoding[c],
      batch.chunkData.subarray(offset, offset + batch.chunkDataLength[c]),
      startTimes?.values.subarray(startTimes.offsets[c], startTimes.offsets[c + 1]),
    );
  }

  /** Chunks `from … to` (exclusive) of another batch, as `addChunk`; bytes that stand together there are copied together. */
  addChunksOf(batch: SeriesBatch, from: number, to: number): void {
    if (batch.startTimes !== undefined) {
      for (let c = from; c < to; c++) this.addChunkOf(batch, c);
      return;
    }
    assert(!this.isEmpty, 'a chunk belongs to a series');
    const { chunkMint, chunkMaxt, chunkEncoding, chunkDataOffset, chunkDataLength, chunkData } = batch;
    for (let c = from; c < to; ) {
      const start = chunkDataOffset[c];
      const base = this.#data.length - start;
      let end = start;
      for (; c < to && chunkDataOffset[c] === end; c++) {
        const length = chunkDataLength[c];
        this.#chunks.push(chunkMint[c], chunkMaxt[c], chunkEncoding[c], base + end, length);
        end += length;
      }
      this.#data.push(chunkData.subarray(start, end));
    }
  }

  /** The batch so far, in memory of its own; at least one series. The builder is empty afterwards. */
  take(): SeriesBatch {
    assert(!this.isEmpty, 'a batch holds at least one series');
    const batch: SeriesBatch = {
      seriesCount: this.seriesCount,
      labelBytes: this.#labels.take(),
      labelOffsets: Uint32Array.from(this.#labelOffsets),
      chunkStarts: Uint32Array.from([...this.#chunkStarts, this.#chunks.count]),
      ...(this.#startTimes.size > 0 && { startTimes: this.#takeStartTimes() }),
      ...this.#chunks.take(),
      chunkData: this.#data.take(),
    };
    this.#labelOffsets = [0];
    this.#chunkStarts = [];
    return batch;
  }

  #takeStartTimes(): StartTimeColumn {
    const { count } = this.#chunks;
    const offsets = new Uint32Array(count + 1);
    for (let c = 0; c < count; c++) offsets[c + 1] = offsets[c] + (this.#startTimes.get(c)?.length ?? 0);
    const values = new Float64Array(offsets[count]);
    for (const [c, times] of this.#startTimes) values.set(times, offsets[c]);
    this.#startTimes = new Map();
    return { offsets, values };
  }
}

const COLUMN_BYTES = 4096;
/** Bytes that a column may hold and not use when it is handed over; beyond them it is copied. */
const SLACK = 1 / 8;

/** Bytes that grow at the end. */
class ByteColumn {
  #bytes = new Uint8Array(COLUMN_BYTES);
  length = 0;

  push(bytes: Uint8Array): void {
    const end = this.length + bytes.length;
    if (end > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, this.length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.length);
    this.length = end;
  }

  /** The bytes so far in memory of their own. The next ones begin with room for as many: batches of one select are alike. */
  take(): Uint8Array {
    const { length } = this;
    const room = this.#bytes.length;
    const taken =
      room - length <= room * SLACK ? this.#bytes.subarray(0, length) : this.#bytes.slice(0, length);
    this.#bytes = new Uint8Array(Math.max(COLUMN_BYTES, Math.ceil(length * (1 + SLACK / 2))));
    this.length = 0;
    return taken;
  }
}

import type { HeadMemory } from '../../kernel/head-memory.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Logger } from '../../platform/log.ts';
import { HEAD_FILE_BYTES_MAX, type HeadChunkWriter } from '../chunks/head-chunks.ts';
import type { ChunkPiece } from './rare-series.ts';

/** Closed chunks that wait for the disk; beyond it writes are refused. */
export const CLOSED_PENDING_BYTES_MAX = 64 * 1024 * 1024;
/** A new file is begun when less than this is left: more than one write request can close. */
const ROOM_BYTES_MIN = HEAD_FILE_BYTES_MAX / 2;

/**
 * Brings closed chunks from the head's memory to `chunks_head/`. What is not yet written is read from here. Nothing
 * depends on these files being durable: the write-ahead log has every sample.
 */
export class ClosedChunks {
  readonly #memory: HeadMemory;
  readonly #writer: HeadChunkWriter;
  readonly #log: Logger;
  #flushing: Promise<void> | undefined;
  #failing = false;

  constructor(memory: HeadMemory, writer: HeadChunkWriter, log: Logger) {
    this.#memory = memory;
    this.#writer = writer;
    this.#log = log;
    this.#announce();
  }

  /** The file being written; earlier ones are complete. */
  get sequence(): number {
    return this.#writer.position.sequence;
  }

  /** Throws `unavailable` when too many chunks wait for a disk that does not take them. */
  checkWritable(): void {
    if (this.#writer.pendingBytes > CLOSED_PENDING_BYTES_MAX)
      throw new VeronaError(
        'unavailable',
        `chunks_head: ${this.#writer.pendingBytes} bytes wait to be written`,
      );
  }

  /** Adds a chunk of a series whose samples TypeScript keeps; its ref is known to the head's memory afterwards. */
  add(slot: number, { mint, maxt, encoding, bytes }: ChunkPiece): void {
    this.#take();
    const seriesRef = this.#memory.walRefOf(slot);
    const ref = this.#writer.add({ seriesRef, mint, maxt, encoding, data: bytes, isOutOfOrder: false });
    this.#memory.addClosedChunk(slot, ref, mint, maxt);
    this.#announce();
  }

  /** Takes what the head's memory has closed and starts writing it. */
  collect(): void {
    this.#take();
    if (this.#writer.pendingBytes > 0) this.#startFlush();
  }

  /** A chunk that is not in its file yet. */
  unwritten(ref: number): ChunkPiece | undefined {
    const chunk = this.#writer.isWritten(ref) ? undefined : this.#writer.readPending(ref);
    return chunk === undefined ? undefined : { ...chunk, bytes: chunk.data };
  }

  get hasUnwritten(): boolean {
    return this.#writer.pendingBytes > 0;
  }

  /** Ends the file being written; the next chunk begins a new one. Returns that one's number. */
  cutFile(): number {
    this.#take();
    this.#writer.cut();
    this.#announce();
    return this.sequence;
  }

  /** Resolves when all that was closed so far is written, or failed to be. */
  async flush(): Promise<void> {
    this.collect();
    await this.#flushing;
  }

  /** Removes files before `sequence`. */
  async truncate(sequence: number): Promise<void> {
    await this.#writer.truncate(sequence);
  }

  async close(): Promise<void> {
    this.#take();
    await this.#flushing;
    await this.#writer.close();
  }

  #take(): void {
    if (this.#memory.closedBytesPending > 0) this.#writer.append(this.#memory.takeClosedChunks());
    if (this.#writer.hasRoom(ROOM_BYTES_MIN)) return;
    this.#writer.cut();
    this.#announce();
  }

  #announce(): void {
    const { sequence, offset } = this.#writer.position;
    this.#memory.setChunkFilePosition(sequence, offset);
  }

  /** Never rejects: after a failure the bytes stay with the writer and the next call tries again. */
  #startFlush(): void {
    this.#flushing ??= this.#flushLogged().finally(() => {
      this.#flushing = undefined;
    });
  }

  async #flushLogged(): Promise<void> {
    try {
      await this.#writer.flush();
      this.#failing = false;
    } catch (error) {
      if (!this.#failing)
        this.#log.error('closed chunks cannot be written and stay in memory', {
          error: (error as Error).message,
        });
      this.#failing = true;
    }
  }
}

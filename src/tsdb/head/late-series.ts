import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import type { ChunkPiece } from './rare-series.ts';

/** Late samples of a series kept as numbers before they become a chunk (Prometheus' `out_of_order_cap_max`). */
export const LATE_SAMPLES_MAX = 32;

/**
 * The late float samples of one series: those accepted although a newer one was there (out-of-order window). A
 * sorted buffer of at most 32, then chunks; chunks may overlap each other and the chunks in order.
 */
export class LateSeries {
  readonly #times = new Float64Array(LATE_SAMPLES_MAX);
  readonly #values = new Float64Array(LATE_SAMPLES_MAX);
  #count = 0;
  #chunks: ChunkPiece[] = [];

  /** False when the buffer has a sample of this time already: the first one stays. */
  insert(t: number, v: number): boolean {
    let at = this.#count;
    while (at > 0 && this.#times[at - 1] > t) at--;
    if (at > 0 && this.#times[at - 1] === t) return false;
    if (this.#count === LATE_SAMPLES_MAX) {
      this.close();
      at = 0;
    }
    this.#times.copyWithin(at + 1, at, this.#count);
    this.#values.copyWithin(at + 1, at, this.#count);
    this.#times[at] = t;
    this.#values[at] = v;
    this.#count++;
    return true;
  }

  /** Turns the buffer into a chunk. */
  close(): void {
    const chunk = this.#bufferChunk();
    if (chunk !== undefined) this.#chunks.push(chunk);
    this.#count = 0;
  }

  /** Chunks that touch mint … maxt, the buffer as one of them; bytes owned here. */
  chunks(mint: number, maxt: number): ChunkPiece[] {
    const open = this.#bufferChunk();
    const all = open === undefined ? this.#chunks : [...this.#chunks, open];
    return all.filter((chunk) => chunk.mint <= maxt && chunk.maxt >= mint);
  }

  /** Forgets `chunks` (as `chunks()` returned them after `close`). */
  drop(chunks: ReadonlySet<ChunkPiece>): void {
    this.#chunks = this.#chunks.filter((chunk) => !chunks.has(chunk));
  }

  get isEmpty(): boolean {
    return this.#count === 0 && this.#chunks.length === 0;
  }

  /** Times of the oldest and newest late sample; mint > maxt when empty. */
  range(): { mint: number; maxt: number } {
    let mint = this.#count > 0 ? this.#times[0] : Number.POSITIVE_INFINITY;
    let maxt = this.#count > 0 ? this.#times[this.#count - 1] : Number.NEGATIVE_INFINITY;
    for (const chunk of this.#chunks) {
      mint = Math.min(mint, chunk.mint);
      maxt = Math.max(maxt, chunk.maxt);
    }
    return { mint, maxt };
  }

  #bufferChunk(): ChunkPiece | undefined {
    if (this.#count === 0) return undefined;
    const appender = new XorAppender();
    for (let i = 0; i < this.#count; i++) appender.append(this.#times[i], this.#values[i]);
    return {
      encoding: ChunkEncoding.xor,
      mint: this.#times[0],
      maxt: this.#times[this.#count - 1],
      bytes: appender.bytes().slice(),
    };
  }
}

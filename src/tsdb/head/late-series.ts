import type { AnyHistogram } from '../../model/histogram.ts';
import { encodeSamples } from './clip-chunk.ts';
import type { ChunkPiece, RareValue } from './rare-series.ts';

/** Late samples of a series kept as numbers before they become a chunk (Prometheus' `out_of_order_cap_max`). */
export const LATE_SAMPLES_MAX = 32;

/**
 * The late samples of one series: those accepted although a newer one was there (out-of-order window). A sorted buffer
 * of at most 32, then chunks; chunks may overlap each other and the chunks in order.
 */
export class LateSeries {
  readonly #times = new Float64Array(LATE_SAMPLES_MAX);
  readonly #values = new Float64Array(LATE_SAMPLES_MAX);
  /** Where a sample is a histogram, beside `#values`; undefined while the series has only floats. */
  #histograms: (AnyHistogram | undefined)[] | undefined;
  /** Beside `#times`; undefined while no sample has a start timestamp. */
  #startTimes: Float64Array | undefined;
  #count = 0;
  #chunks: ChunkPiece[] = [];

  /** False when the buffer has a sample of this time already: the first one stays. */
  insert(t: number, value: RareValue, startT: number): boolean {
    let at = this.#count;
    while (at > 0 && this.#times[at - 1] > t) at--;
    if (at > 0 && this.#times[at - 1] === t) return false;
    if (this.#count === LATE_SAMPLES_MAX) {
      this.close();
      at = 0;
    }
    this.#times.copyWithin(at + 1, at, this.#count);
    this.#times[at] = t;
    this.#put(at, value);
    if (startT !== 0) this.#startTimes ??= new Float64Array(LATE_SAMPLES_MAX);
    this.#startTimes?.copyWithin(at + 1, at, this.#count);
    this.#startTimes?.fill(startT, at, at + 1);
    this.#count++;
    return true;
  }

  /** Turns the buffer into chunks. */
  close(): void {
    this.#chunks.push(...this.#bufferChunks());
    this.#count = 0;
    this.#histograms = undefined;
    this.#startTimes = undefined;
  }

  /** Chunks that touch mint … maxt, the buffer as the last of them; bytes owned here. */
  chunks(mint: number, maxt: number): ChunkPiece[] {
    return [...this.#chunks, ...this.#bufferChunks()].filter(
      (chunk) => chunk.mint <= maxt && chunk.maxt >= mint,
    );
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

  #put(at: number, value: RareValue): void {
    const isFloat = typeof value === 'number';
    this.#values.copyWithin(at + 1, at, this.#count);
    if (isFloat) this.#values[at] = value;
    else this.#histograms ??= new Array(this.#count).fill(undefined);
    this.#histograms?.splice(at, 0, isFloat ? undefined : value);
  }

  /** A new chunk wherever the kind changes or histograms do not fit together. */
  #bufferChunks(): ChunkPiece[] {
    if (this.#count === 0) return [];
    const times = this.#times.subarray(0, this.#count);
    return encodeSamples(
      Array.from(times, (t, i) => ({
        t,
        value: this.#histograms?.[i] ?? this.#values[i],
        startT: this.#startTimes?.[i] ?? 0,
      })),
    );
  }
}

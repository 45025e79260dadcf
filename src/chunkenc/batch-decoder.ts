import type { QueryKernel, SampleView } from '../kernel/query-kernel.ts';
import { VeronaError, wrapError } from '../model/errors.ts';
import type { AnyHistogram } from '../model/histogram.ts';
import { isStaleAt } from '../model/sample.ts';
import { assert } from '../platform/assert.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { decodeChunk } from './chunk.ts';
import { ChunkEncoding, isFloatEncoding } from './encoding.ts';
import type { FloatColumns } from './xor.ts';

/** What a series of a batch holds, by the encodings of its chunks. */
export type SeriesKind = 'empty' | 'floats' | 'histograms' | 'mixed';

/** Histogram samples of one series, owned by the caller. */
export interface HistogramSamples {
  /** ms, ascending. */
  readonly timestamps: Float64Array;
  /** One per timestamp. A sample that marks the series stale has a stale sum and nothing else. */
  readonly histograms: readonly AnyHistogram[];
}

/**
 * Turns the chunks of a batch into samples, series by series: floats in the query kernel, where they become its current
 * series; histograms in TypeScript. One batch at a time.
 */
export class BatchDecoder {
  readonly #kernel: QueryKernel;
  #batch: SeriesBatch | undefined;

  constructor(kernel: QueryKernel) {
    this.#kernel = kernel;
  }

  /** Copies the chunk bytes into the kernel; the batch must stay unchanged until the next `open`. */
  open(batch: SeriesBatch): void {
    this.#kernel.load(batch);
    this.#batch = batch;
  }

  kind(series: number): SeriesKind {
    const { chunkStarts, chunkEncoding } = this.#opened();
    let floats = false;
    let histograms = false;
    for (let chunk = chunkStarts[series]; chunk < chunkStarts[series + 1]; chunk++)
      if (isFloatEncoding(chunkEncoding[chunk])) floats = true;
      else histograms = true;
    if (floats && histograms) return 'mixed';
    return floats ? 'floats' : histograms ? 'histograms' : 'empty';
  }

  /**
   * Float samples of a series with mint ≤ t ≤ maxt, which also become the kernel's current series. Staleness markers are
   * kept with `keepStale` (instant selectors) and left out without (range selectors). Views, valid until the kernel's
   * next call. Throws `corrupt` or `limit`.
   */
  floats(series: number, mint: number, maxt: number, keepStale: boolean): SampleView {
    this.loadFloats(series, mint, maxt, keepStale);
    return this.#kernel.samples();
  }

  /** As `floats`, but leaves the samples in the kernel and gives their number. */
  loadFloats(series: number, mint: number, maxt: number, keepStale: boolean): number {
    const { chunkStarts } = this.#opened();
    const from = chunkStarts[series];
    const to = chunkStarts[series + 1];
    if (this.#isXorOnly(from, to)) return this.#decodeRun(series, from, to, mint, maxt, keepStale);
    return this.#decodeMixed(series, mint, maxt, keepStale);
  }

  /** Histogram samples of a series with mint ≤ t ≤ maxt; for equal times the later chunk wins. Throws `corrupt`. */
  histograms(series: number, mint: number, maxt: number): HistogramSamples {
    const byTime = new Map<number, AnyHistogram>();
    let sorted = true;
    let newest = Number.NEGATIVE_INFINITY;
    this.#visitChunks(series, mint, maxt, (chunk, encoding) => {
      if (isFloatEncoding(encoding)) return;
      const decoded = this.#decodePlain(series, chunk);
      if (decoded.kind !== 'histogram') return;
      for (const [i, histogram] of decoded.histograms.entries()) {
        const t = decoded.timestamps[i];
        if (t < mint || t > maxt) continue;
        sorted &&= t > newest;
        newest = t;
        byTime.set(t, histogram);
      }
    });
    const times = [...byTime.keys()];
    // Chunks that overlap may come from different writers: what a hint says of the sample before no longer holds.
    if (sorted) return { timestamps: Float64Array.from(times), histograms: [...byTime.values()] };
    times.sort((a, b) => a - b);
    return {
      timestamps: Float64Array.from(times),
      histograms: times.map((t) => withoutResetHint(byTime.get(t) as AnyHistogram)),
    };
  }

  /**
   * Start timestamps by time of the samples of one kind with mint ≤ t ≤ maxt, ms, 0 when unknown; for equal times the
   * later chunk wins. Undefined when none of the chunks has any. Throws `corrupt`.
   */
  startTimes(
    series: number,
    mint: number,
    maxt: number,
    kind: 'float' | 'histogram',
  ): ReadonlyMap<number, number> | undefined {
    const { startTimes: column } = this.#opened();
    const byTime = new Map<number, number>();
    let known = false;
    this.#visitChunks(series, mint, maxt, (chunk) => {
      const decoded = this.#decodePlain(series, chunk);
      if (decoded.kind !== kind) return;
      const own = column?.values.subarray(column.offsets[chunk], column.offsets[chunk + 1]);
      const starts = own?.length ? own : decoded.startTimes;
      known ||= starts !== undefined;
      for (const [i, t] of decoded.timestamps.entries())
        if (t >= mint && t <= maxt) byTime.set(t, starts?.[i] ?? 0);
    });
    return known ? byTime : undefined;
  }

  #opened(): SeriesBatch {
    assert(this.#batch !== undefined, 'a batch is open');
    return this.#batch;
  }

  #decodeRun(
    series: number,
    from: number,
    to: number,
    mint: number,
    maxt: number,
    keepStale: boolean,
  ): number {
    try {
      return this.#kernel.decodeCount(from, to, mint, maxt, !keepStale);
    } catch (cause) {
      throw wrapError(`decode series ${series} of a batch`, cause);
    }
  }

  #isXorOnly(from: number, to: number): boolean {
    const { chunkEncoding } = this.#opened();
    for (let chunk = from; chunk < to; chunk++) if (chunkEncoding[chunk] !== ChunkEncoding.xor) return false;
    return true;
  }

  /** Not all chunks are such as the kernel reads: each float chunk is taken on its own and merged here. */
  #decodeMixed(series: number, mint: number, maxt: number, keepStale: boolean): number {
    const byTime = new Map<number, [low: number, high: number]>();
    this.#visitChunks(series, mint, maxt, (chunk, encoding) => {
      if (!isFloatEncoding(encoding)) return;
      const { timestamps, values } = this.#decodePlain(series, chunk) as FloatColumns;
      const words = new Uint32Array(values.buffer, values.byteOffset, 2 * values.length);
      for (const [i, t] of timestamps.entries())
        if (t >= mint && t <= maxt && (keepStale || !isStaleAt(words, i)))
          byTime.set(t, [words[2 * i], words[2 * i + 1]]);
    });
    const timestamps = Float64Array.from(byTime.keys()).sort();
    const values = new Float64Array(timestamps.length);
    const words = new Uint32Array(values.buffer);
    for (const [i, t] of timestamps.entries()) words.set(byTime.get(t)!, 2 * i);
    this.#kernel.setSamples(timestamps, values);
    return timestamps.length;
  }

  #visitChunks(
    series: number,
    mint: number,
    maxt: number,
    visit: (chunk: number, encoding: number) => void,
  ): void {
    const batch = this.#opened();
    for (let chunk = batch.chunkStarts[series]; chunk < batch.chunkStarts[series + 1]; chunk++)
      if (batch.chunkMaxt[chunk] >= mint && batch.chunkMint[chunk] <= maxt)
        visit(chunk, batch.chunkEncoding[chunk]);
  }

  #decodePlain(series: number, chunk: number): ReturnType<typeof decodeChunk> {
    const { chunkEncoding, chunkData, chunkDataOffset, chunkDataLength } = this.#opened();
    try {
      return decodeChunk(chunkEncoding[chunk], chunkData, chunkDataOffset[chunk], chunkDataLength[chunk]);
    } catch (cause) {
      if (!(cause instanceof VeronaError)) throw cause;
      throw wrapError(`decode series ${series} of a batch: chunk ${chunk}`, cause);
    }
  }
}

function withoutResetHint(histogram: AnyHistogram): AnyHistogram {
  return histogram.counterResetHint === 'not_reset'
    ? { ...histogram, counterResetHint: 'unknown' }
    : histogram;
}

import {
  HISTOGRAM_CHUNK_SAMPLES_MIN,
  HISTOGRAM_CHUNK_TARGET_BYTES,
  HistogramAppender,
} from '../../chunkenc/histogram-chunk.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import { Xor2Appender } from '../../chunkenc/xor2.ts';
import { SampleOutcome } from '../../kernel/head-memory.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import { equalSpans } from '../../model/histogram-spans.ts';

/** Samples after which a float chunk of a rare series ends. */
const FLOAT_CHUNK_SAMPLES = 120;

/** A finished or open chunk with its bytes after the encoding byte. */
export interface ChunkPiece {
  readonly encoding: number;
  readonly mint: number;
  readonly maxt: number;
  readonly bytes: Uint8Array;
}

/** What is appended to a rare series: a float or a native histogram. */
export type RareValue = number | AnyHistogram;

type OpenChunk = XorAppender | Xor2Appender | HistogramAppender<AnyHistogram>;

/**
 * The open chunk of a series with native histograms, or with floats and histograms in turn. Its closed chunks are
 * with those of all other series, in the head's memory and in `chunks_head/`.
 *
 * A chunk ends where its kind changes, at a multiple of the chunk range, after 120 floats or 1 KiB of at least ten
 * histograms, and where a histogram cannot share it (see `chunkenc/layout-change.ts`).
 */
export class RareSeries {
  readonly #chunkRangeMs: number;
  #withStartTimes: boolean;
  readonly #onClosed: (chunk: ChunkPiece) => void;
  #chunk: OpenChunk | undefined;
  #mint = 0;
  #lastTime: number;
  #last: RareValue | undefined;

  /** `lastTime`: of the newest sample the series has already, -Infinity when there is none. */
  constructor(
    chunkRangeMs: number,
    lastTime: number,
    onClosed: (chunk: ChunkPiece) => void,
    withStartTimes = false,
  ) {
    this.#chunkRangeMs = chunkRangeMs;
    this.#withStartTimes = withStartTimes;
    this.#lastTime = lastTime;
    this.#onClosed = onClosed;
  }

  get lastTime(): number {
    return this.#lastTime;
  }

  /** Of the newest sample when that is known to be a histogram. */
  get lastKind(): AnyHistogram['kind'] | undefined {
    return this.#last === undefined || typeof this.#last === 'number' ? undefined : this.#last.kind;
  }

  /** Learns of a closed chunk that ends at `maxt`. */
  noteClosed(maxt: number): void {
    if (maxt <= this.#lastTime) return;
    this.#lastTime = maxt;
    this.#last = undefined;
  }

  /** First time of the open chunk; Infinity when there is none. */
  get openMint(): number {
    return this.#chunk === undefined ? Number.POSITIVE_INFINITY : this.#mint;
  }

  /** What appending would do. The value before the series became rare is unknown: the same time then counts as another value. */
  check(t: number, value: RareValue): SampleOutcome {
    if (t > this.#lastTime) return SampleOutcome.ok;
    if (t < this.#lastTime) return SampleOutcome.outOfOrder;
    return this.#last !== undefined && equalValues(this.#last, value)
      ? SampleOutcome.duplicate
      : SampleOutcome.duplicateValue;
  }

  /** `startT` is when the counter began; 0 when unknown. With the first one the series begins to keep them. */
  append(t: number, value: RareValue, startT = 0): SampleOutcome {
    const outcome = this.check(t, value);
    if (outcome !== SampleOutcome.ok) return outcome;
    if (startT !== 0 && !this.#withStartTimes) {
      this.close();
      this.#withStartTimes = true;
    }
    if (this.#chunk !== undefined && (this.#isFull(t) || !isKind(this.#chunk, value))) this.close();
    this.#write(t, value, startT);
    this.#lastTime = t;
    this.#last = value;
    return SampleOutcome.ok;
  }

  /** Ends the open chunk, if there is one. */
  close(): void {
    const chunk = this.openChunk();
    this.#chunk = undefined;
    if (chunk !== undefined) this.#onClosed(chunk);
  }

  /** The open chunk with a copy of its bytes. */
  openChunk(): ChunkPiece | undefined {
    if (this.#chunk === undefined) return undefined;
    const { encoding } = this.#chunk;
    return { encoding, mint: this.#mint, maxt: this.#chunk.lastTime, bytes: this.#chunk.bytes().slice() };
  }

  /** Forgets the open chunk when its newest sample is before `mint`. */
  truncate(mint: number): void {
    if (this.#chunk !== undefined && this.#chunk.lastTime < mint) this.#chunk = undefined;
  }

  #isFull(t: number): boolean {
    const chunk = this.#chunk as OpenChunk;
    if (Math.floor(t / this.#chunkRangeMs) !== Math.floor(this.#mint / this.#chunkRangeMs)) return true;
    if (!(chunk instanceof HistogramAppender)) return chunk.count >= FLOAT_CHUNK_SAMPLES;
    return chunk.byteLength >= HISTOGRAM_CHUNK_TARGET_BYTES && chunk.count >= HISTOGRAM_CHUNK_SAMPLES_MIN;
  }

  #write(t: number, value: RareValue, startT: number): void {
    if (typeof value === 'number') {
      if (this.#chunk === undefined)
        this.#begin(this.#withStartTimes ? new Xor2Appender() : new XorAppender(), t);
      if (this.#chunk instanceof Xor2Appender) this.#chunk.append(t, value, startT);
      else (this.#chunk as XorAppender).append(t, value);
      return;
    }
    if (this.#chunk === undefined) this.#begin(appenderFor(value, this.#withStartTimes), t);
    const chunk = this.#chunk as HistogramAppender<AnyHistogram>;
    if (chunk.append(t, value, startT) !== 'new_chunk') return;
    const successor = chunk.successor();
    this.close();
    this.#begin(successor, t);
    successor.append(t, value, startT);
  }

  #begin(chunk: OpenChunk, t: number): void {
    this.#chunk = chunk;
    this.#mint = t;
  }
}

function appenderFor(value: AnyHistogram, withStartTimes: boolean): HistogramAppender<AnyHistogram> {
  const appender =
    value.kind === 'integer'
      ? HistogramAppender.integer(withStartTimes)
      : HistogramAppender.float(withStartTimes);
  return appender as unknown as HistogramAppender<AnyHistogram>;
}

function isKind(chunk: OpenChunk, value: RareValue): boolean {
  if (!(chunk instanceof HistogramAppender)) return typeof value === 'number';
  return typeof value !== 'number' && chunk.kind === value.kind;
}

function equalValues(a: RareValue, b: RareValue): boolean {
  if (typeof a === 'number' || typeof b === 'number') return Object.is(a, b);
  return equalHistograms(a, b);
}

/** Equal in all that is stored; the counter reset hint is not compared. */
function equalHistograms(a: AnyHistogram, b: AnyHistogram): boolean {
  return (
    a.kind === b.kind &&
    a.schema === b.schema &&
    a.zeroThreshold === b.zeroThreshold &&
    a.zeroCount === b.zeroCount &&
    a.count === b.count &&
    Object.is(a.sum, b.sum) &&
    equalSpans(a.positiveSpans, b.positiveSpans) &&
    equalSpans(a.negativeSpans, b.negativeSpans) &&
    equalNumbers(a.positiveBuckets, b.positiveBuckets) &&
    equalNumbers(a.negativeBuckets, b.negativeBuckets) &&
    equalNumbers(a.customValues, b.customValues)
  );
}

function equalNumbers(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

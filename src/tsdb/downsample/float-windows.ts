import { Aggregate, encodeAggregates } from '../../chunkenc/aggregate-chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { XorAppender } from '../../chunkenc/xor.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { windowEnd } from './window.ts';

/** Writes the five aggregates of floats into one chunk, window after window. Times ascend. */
export class FloatWindows {
  readonly #count = new XorAppender();
  readonly #sum = new XorAppender();
  readonly #min = new XorAppender();
  readonly #max = new XorAppender();
  readonly #counter = new XorAppender();

  /** The first raw sample of the chunk. */
  begin(t: number, v: number): void {
    this.#counter.appendAgain(t, v);
  }

  add(t: number, count: number, sum: number, min: number, max: number, counter: number): void {
    this.#count.append(t, count);
    this.#sum.append(t, sum);
    this.#min.append(t, min);
    this.#max.append(t, max);
    this.#counter.appendAgain(t, counter);
  }

  /** The chunk; `v` is the last raw value. */
  end(mint: number, v: number): BlockChunk {
    const maxt = this.#count.lastTime;
    this.#counter.appendAgain(maxt, v);
    const parts = [];
    parts[Aggregate.count] = partOf(this.#count);
    parts[Aggregate.sum] = partOf(this.#sum);
    parts[Aggregate.min] = partOf(this.#min);
    parts[Aggregate.max] = partOf(this.#max);
    parts[Aggregate.counter] = partOf(this.#counter);
    return { mint, maxt, encoding: ChunkEncoding.aggregate, data: encodeAggregates(parts) };
  }
}

export function partOf(appender: XorAppender) {
  return { encoding: ChunkEncoding.xor, data: appender.bytes() };
}

/**
 * The plain twin of the kernel's `aggregateFloats`, which is what runs: aggregates of the raw samples from … to (exclusive) as one chunk; none of the values is NaN. The last window ends at the
 * last sample, if it is not over by then.
 */
export function aggregateRaw(
  timestamps: Float64Array,
  values: Float64Array,
  from: number,
  to: number,
  resolutionMs: number,
): BlockChunk {
  const windows = new FloatWindows();
  const last = timestamps[to - 1];
  windows.begin(timestamps[from], values[from]);
  let mint = Number.NaN;
  let counter = values[from];
  let before = values[from];
  for (let i = from; i < to; ) {
    const end = Math.min(windowEnd(timestamps[i], resolutionMs), last);
    let sum = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    const first = i;
    for (; i < to && timestamps[i] <= end; i++) {
      const v = values[i];
      sum += v;
      if (v < min) min = v;
      if (v > max) max = v;
      counter += i === from ? 0 : v < before ? v : v - before;
      before = v;
    }
    if (first === from) mint = end;
    windows.add(end, i - first, sum, min, max, counter);
  }
  return windows.end(mint, values[to - 1]);
}

import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { AggregateKernel } from '../../kernel/aggregate-kernel.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { chunkCount } from './window.ts';

/**
 * The aggregate chunks of one series on their way to a coarser resolution, as long as they are of floats and in order: what
 * `downsampleAggregates` makes of them, to the byte, made in the kernel.
 */
export class AggregateSeries {
  readonly #inMs: number;
  readonly #outMs: number;
  readonly #kernel = new AggregateKernel();
  #mint = 0;
  #maxt = 0;

  /** The resolutions of the chunks and of the result. */
  constructor(inMs: number, outMs: number) {
    this.#inMs = inMs;
    this.#outMs = outMs;
  }

  /** Windows that the chunks so far have. */
  get windowCount(): number {
    return this.#kernel.windowCount;
  }

  /** The next chunk, from mint to maxt; its memory may be used again. False when it is not of floats. Throws `corrupt`. */
  add(mint: number, maxt: number, data: Uint8Array): boolean {
    if (this.#kernel.chunkCount === 0) this.#mint = mint;
    this.#maxt = maxt;
    return this.#kernel.add(data);
  }

  /** The chunks of the series, which has one at least; undefined where times go back. */
  take(): BlockChunk[] | undefined {
    const kernel = this.#kernel;
    const count = kernel.chunkCount;
    const groups = chunkCount(this.#mint, this.#maxt, this.#inMs, this.#outMs, kernel.windowCount);
    const batch = Math.max(1, Math.trunc(count / groups));
    const out: BlockChunk[] = [];
    for (let from = 0; from < count; from += batch) {
      const joined = kernel.join(from, Math.min(from + batch, count), this.#outMs);
      if (joined === 'unordered') return undefined;
      if (joined === undefined) continue;
      const { mint, maxt, data } = joined;
      out.push({ mint, maxt, encoding: ChunkEncoding.aggregate, data: data.slice() });
    }
    return out;
  }

  /** What comes next is another series. */
  clear(): void {
    this.#kernel.clear();
  }
}

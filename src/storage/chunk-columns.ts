import type { SeriesBatch } from './series-batch.ts';

/** The chunk columns of a batch, but for the bytes and start times; they grow at the end. */
export class ChunkColumns {
  count = 0;
  #mint = new Float64Array(64);
  #maxt = new Float64Array(64);
  #encoding = new Uint8Array(64);
  #offset = new Uint32Array(64);
  #length = new Uint32Array(64);

  push(mint: number, maxt: number, encoding: number, offset: number, length: number): void {
    if (this.count === this.#mint.length) this.#grow();
    const at = this.count++;
    this.#mint[at] = mint;
    this.#maxt[at] = maxt;
    this.#encoding[at] = encoding;
    this.#offset[at] = offset;
    this.#length[at] = length;
  }

  /** The columns so far in memory of their own; empty afterwards, with room for as many. */
  take(): Pick<
    SeriesBatch,
    'chunkMint' | 'chunkMaxt' | 'chunkEncoding' | 'chunkDataOffset' | 'chunkDataLength'
  > {
    const { count } = this;
    this.count = 0;
    return {
      chunkMint: this.#mint.slice(0, count),
      chunkMaxt: this.#maxt.slice(0, count),
      chunkEncoding: this.#encoding.slice(0, count),
      chunkDataOffset: this.#offset.slice(0, count),
      chunkDataLength: this.#length.slice(0, count),
    };
  }

  #grow(): void {
    const size = 2 * this.#mint.length;
    const { chunkMint, chunkMaxt, chunkEncoding, chunkDataOffset, chunkDataLength } = this.take();
    this.count = size / 2;
    this.#mint = new Float64Array(size);
    this.#mint.set(chunkMint);
    this.#maxt = new Float64Array(size);
    this.#maxt.set(chunkMaxt);
    this.#encoding = new Uint8Array(size);
    this.#encoding.set(chunkEncoding);
    this.#offset = new Uint32Array(size);
    this.#offset.set(chunkDataOffset);
    this.#length = new Uint32Array(size);
    this.#length.set(chunkDataLength);
  }
}

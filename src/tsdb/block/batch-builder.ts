import type { SeriesBatch } from '../../storage/series-batch.ts';
import { ByteWriter } from '../format/byte-writer.ts';

/** Collects series and chunk payloads into the columns of one `SeriesBatch`. */
export class BatchBuilder {
  readonly labels = new ByteWriter(16 * 1024);
  readonly #data = new ByteWriter(64 * 1024);
  readonly #labelOffsets: number[] = [0];
  readonly #chunkStarts: number[] = [0];
  readonly #mint: number[] = [];
  readonly #maxt: number[] = [];
  readonly #encoding: number[] = [];
  readonly #offset: number[] = [];
  readonly #length: number[] = [];

  get seriesCount(): number {
    return this.#labelOffsets.length - 1;
  }

  get chunkCount(): number {
    return this.#mint.length;
  }

  /** Adds a chunk to the series being built; its payload comes with `setChunkData`. Returns its number. */
  addChunk(mint: number, maxt: number): number {
    this.#offset.push(0);
    this.#length.push(0);
    this.#encoding.push(0);
    this.#maxt.push(maxt);
    return this.#mint.push(mint) - 1;
  }

  setChunkData(chunk: number, encoding: number, data: Uint8Array): void {
    this.#offset[chunk] = this.#data.length;
    this.#length[chunk] = data.length;
    this.#encoding[chunk] = encoding;
    this.#data.bytes(data);
  }

  /** Ends a series, whose labels are in `labels` by now. */
  endSeries(): void {
    this.#labelOffsets.push(this.labels.length);
    this.#chunkStarts.push(this.#mint.length);
  }

  build(): SeriesBatch {
    return {
      seriesCount: this.seriesCount,
      labelBytes: this.labels.copy(),
      labelOffsets: Uint32Array.from(this.#labelOffsets),
      chunkStarts: Uint32Array.from(this.#chunkStarts),
      chunkMint: Float64Array.from(this.#mint),
      chunkMaxt: Float64Array.from(this.#maxt),
      chunkEncoding: Uint8Array.from(this.#encoding),
      chunkDataOffset: Uint32Array.from(this.#offset),
      chunkDataLength: Uint32Array.from(this.#length),
      chunkData: this.#data.copy(),
    };
  }
}

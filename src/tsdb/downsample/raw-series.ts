import { decodeChunk } from '../../chunkenc/chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { ChunkKernel } from '../../kernel/chunk-kernel.ts';
import { toFloatHistogram } from '../../model/histogram-shape.ts';
import { isStale } from '../../model/sample.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { downsampleFloats } from './downsample-floats.ts';
import { downsampleHistograms, type HistogramSample } from './downsample-histograms.ts';

/**
 * The raw samples of one series on their way to a coarser resolution: chunks come ordered by time, and each run of floats
 * or of histograms gets chunks of its own.
 */
export class RawSeries {
  readonly #resolutionMs: number;
  readonly #kernel = new ChunkKernel();
  readonly #floats = this.#kernel.columns();
  #histograms: HistogramSample[] = [];
  #out: BlockChunk[] = [];

  constructor(resolutionMs: number) {
    this.#resolutionMs = resolutionMs;
  }

  /** The next chunk; its memory may be used again. Throws `corrupt`. */
  add(encoding: number, data: Uint8Array): void {
    if (encoding === ChunkEncoding.xor) {
      this.#endHistograms();
      this.#kernel.decode(data, this.#floats);
      return;
    }
    const decoded = decodeChunk(encoding, data, 0, data.length);
    if (decoded.kind === 'float') {
      this.#endHistograms();
      this.#kernel.push(this.#floats, decoded.timestamps, decoded.values);
      return;
    }
    this.#endFloats();
    for (const [i, histogram] of decoded.histograms.entries()) {
      const h = toFloatHistogram(histogram);
      if (!isStale(h.sum)) this.#histograms.push({ t: decoded.timestamps[i], h });
    }
  }

  /** The chunks of the series; what comes next is another one. */
  take(): BlockChunk[] {
    this.#endFloats();
    this.#endHistograms();
    const out = this.#out;
    this.#out = [];
    return out;
  }

  /** Forgets a series of which a chunk did not decode. */
  clear(): void {
    this.#kernel.clear(this.#floats);
    this.#histograms = [];
    this.#out = [];
  }

  #endFloats(): void {
    if (this.#floats.count === 0) return;
    this.#out.push(...downsampleFloats(this.#kernel, this.#floats, this.#resolutionMs));
    this.#kernel.clear(this.#floats);
  }

  #endHistograms(): void {
    if (this.#histograms.length === 0) return;
    this.#out.push(...downsampleHistograms(this.#histograms, this.#resolutionMs));
    this.#histograms = [];
  }
}

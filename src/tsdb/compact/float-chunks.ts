import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { ChunkKernel, type KernelColumns } from '../../kernel/chunk-kernel.ts';
import type { BlockChunk } from '../block/block-writer.ts';

/** Prometheus' size of a chunk of floats. */
const CHUNK_SAMPLES = 120;

/** The chunks of one series as it is merged: some handed through as they are, samples between them in chunks of 120. */
export class FloatChunks<Chunk extends BlockChunk> {
  readonly #kernel: ChunkKernel;
  readonly #open: KernelColumns;
  #chunks: (Chunk | BlockChunk)[] = [];

  constructor(kernel: ChunkKernel) {
    this.#kernel = kernel;
    this.#open = kernel.columns();
  }

  /** A chunk that comes after all samples so far. */
  add(chunk: Chunk): void {
    this.#close();
    this.#chunks.push(chunk);
  }

  /** Samples from … to (exclusive) of columns of the same kernel. */
  addSamples(columns: KernelColumns, from: number, to: number): void {
    while (from < to) {
      const end = Math.min(to, from + CHUNK_SAMPLES - this.#open.count);
      this.#kernel.pushRange(this.#open, columns, from, end);
      if (this.#open.count === CHUNK_SAMPLES) this.#close();
      from = end;
    }
  }

  /** All chunks so far; then there are none. */
  take(): readonly (Chunk | BlockChunk)[] {
    this.#close();
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks;
  }

  /** Forgets what there is. */
  clear(): void {
    this.#kernel.clear(this.#open);
    this.#chunks = [];
  }

  #close(): void {
    const { count } = this.#open;
    if (count === 0) return;
    const data = this.#kernel.encode(this.#open, 0, count).slice();
    const mint = this.#kernel.timeAt(this.#open, 0);
    const maxt = this.#kernel.timeAt(this.#open, count - 1);
    this.#chunks.push({ mint, maxt, encoding: ChunkEncoding.xor, data });
    this.#kernel.clear(this.#open);
  }
}

let kernel: ChunkKernel | undefined;

/** The kernel of this thread for merging. */
export function mergeKernel(): ChunkKernel {
  kernel ??= new ChunkKernel();
  return kernel;
}

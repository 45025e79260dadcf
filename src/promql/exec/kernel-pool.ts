import { QueryKernel } from '../../kernel/query-kernel.ts';

/** As many as queries that a thread interleaves: fewer would be thrown away and made again all the time. */
const IDLE_MAX = 32;
/** Memory of all that wait; a large kernel leaves room for few others. */
const IDLE_BYTES_MAX = 64 * 1024 * 1024;
/** A kernel that a query has made larger than this is let go. */
const KERNEL_BYTES_MAX = 64 * 1024 * 1024;

/**
 * Kernels that wait for their next query: a new one costs a module's start and the first touch of all its memory. Give
 * back only what nobody works with any more.
 */
export class KernelPool {
  readonly #idle: QueryKernel[] = [];
  #bytes = 0;

  take(): QueryKernel {
    const kernel = this.#idle.pop();
    if (kernel === undefined) return new QueryKernel();
    this.#bytes -= kernel.memoryBytes;
    return kernel;
  }

  give(kernel: QueryKernel): void {
    const bytes = kernel.memoryBytes;
    if (this.#idle.length >= IDLE_MAX || bytes > KERNEL_BYTES_MAX || this.#bytes + bytes > IDLE_BYTES_MAX)
      return;
    kernel.reset();
    this.#idle.push(kernel);
    this.#bytes += kernel.memoryBytes;
  }
}

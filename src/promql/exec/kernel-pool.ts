import { QueryKernel } from '../../kernel/query-kernel.ts';

const IDLE_MAX = 4;
/** A kernel that a query has made larger than this is let go. */
const IDLE_BYTES_MAX = 32 * 1024 * 1024;

/**
 * Kernels that wait for their next query: a new one costs a module's start and the first touch of all its memory. Give
 * back only what nobody works with any more.
 */
export class KernelPool {
  readonly #idle: QueryKernel[] = [];

  take(): QueryKernel {
    return this.#idle.pop() ?? new QueryKernel();
  }

  give(kernel: QueryKernel): void {
    if (this.#idle.length >= IDLE_MAX || kernel.memoryBytes > IDLE_BYTES_MAX) return;
    kernel.reset();
    this.#idle.push(kernel);
  }
}

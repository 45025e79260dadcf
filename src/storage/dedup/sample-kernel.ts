import { ChunkKernel } from '../../kernel/chunk-kernel.ts';

let kernel: ChunkKernel | undefined;

/** The kernel of this thread for samples of replicas. */
export function sampleKernel(): ChunkKernel {
  kernel ??= new ChunkKernel();
  return kernel;
}

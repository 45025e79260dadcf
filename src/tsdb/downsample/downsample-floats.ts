import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { ChunkKernel, KernelColumns } from '../../kernel/chunk-kernel.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { chunkCount, windowEnd } from './window.ts';

/** Thanos' guess of the distance of raw samples, ms. */
const RAW_DISTANCE_MS = 60_000;

/**
 * The raw samples of a series as aggregate chunks, made in the kernel. NaN, stale markers among them, are left out of the columns
 * too; a window is in one chunk.
 */
export function downsampleFloats(
  kernel: ChunkKernel,
  columns: KernelColumns,
  resolutionMs: number,
): BlockChunk[] {
  kernel.dropNaN(columns);
  const { count } = columns;
  if (count === 0) return [];
  const timeAt = (i: number) => kernel.timeAt(columns, i);
  const chunks = chunkCount(timeAt(0), timeAt(count - 1), RAW_DISTANCE_MS, resolutionMs, count);
  const batch = Math.trunc(count / chunks) + 1;
  const out: BlockChunk[] = [];
  for (let from = 0; from < count; ) {
    let to = Math.min(from + batch, count);
    const end = windowEnd(timeAt(to - 1), resolutionMs);
    while (to < count && timeAt(to) <= end) to++;
    const { mint, data } = kernel.aggregate(columns, from, to, resolutionMs);
    out.push({ mint, maxt: timeAt(to - 1), encoding: ChunkEncoding.aggregate, data: data.slice() });
    from = to;
  }
  return out;
}

import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { Block } from '../tsdb/block/block.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { verifyBlock } from '../tsdb/block/verify-block.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';

const CACHE_BYTES = 16 * 1024 * 1024;

/** Reads a block that was just written as a whole. What is wrong with it is an error of ours: `internal`. */
export async function verifyOutput(
  disk: Disk,
  dir: string,
  meta: BlockMeta,
  signal: AbortSignal,
): Promise<void> {
  const block = await Block.open(disk, dir, new PageCache(CACHE_BYTES));
  try {
    const { findings, samples } = await verifyBlock(block, signal);
    if (findings.length > 0 || samples !== meta.stats.numSamples)
      throw new VeronaError('internal', `block ${meta.ulid} is not as it should be: ${findings[0]}`);
  } finally {
    await block.close();
  }
}

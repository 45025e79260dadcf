import type { IndexStats } from '../blocks/meta.ts';
import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { Block } from '../tsdb/block/block.ts';
import type { BlockMeta } from '../tsdb/block/meta.ts';
import { verifyBlock } from '../tsdb/block/verify-block.ts';
import { PageCache } from '../tsdb/chunks/page-cache.ts';

const CACHE_BYTES = 16 * 1024 * 1024;

/** Reads a block that was just written as a whole, and tells what readers like to know of it. What is wrong with it is an error of ours: `internal`. */
export async function verifyOutput(
  disk: Disk,
  dir: string,
  meta: BlockMeta,
  signal: AbortSignal,
): Promise<IndexStats> {
  const block = await Block.openToWalk(disk, dir, new PageCache(CACHE_BYTES));
  try {
    const { findings, samples, seriesMaxBytes, chunkMaxBytes } = await verifyBlock(block, signal);
    const { numSamples } = meta.stats;
    const wrong = samples === numSamples ? [] : [`it has ${samples} samples instead of ${numSamples}`];
    const [finding] = [...findings, ...wrong];
    if (finding) throw new VeronaError('internal', `block ${meta.ulid} is not as it should be: ${finding}`);
    return { seriesMaxBytes, chunkMaxBytes };
  } finally {
    await block.close();
  }
}

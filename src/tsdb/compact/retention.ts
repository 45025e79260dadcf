import type { BlockMeta } from '../block/meta.ts';

export interface RetentionLimits {
  /** Blocks that ended longer ago go; 0: never. */
  readonly retentionMs: number;
  /** The oldest blocks go while all of them are larger than this; 0: never. */
  readonly retentionBytes: number;
}

export interface SizedBlock {
  readonly meta: BlockMeta;
  readonly sizeBytes: number;
}

/**
 * The blocks that are not to be kept at time `now` (ms), oldest first; `otherBytes` is what the directory has besides. The
 * newest one stays: at the next start it tells where the head begins.
 */
export function blocksToDrop<T extends SizedBlock>(
  blocks: readonly T[],
  { retentionMs, retentionBytes }: RetentionLimits,
  now: number,
  otherBytes: number,
): T[] {
  const byAge = [...blocks].sort(
    (a, b) => a.meta.maxTime - b.meta.maxTime || a.meta.minTime - b.meta.minTime,
  );
  const old = (block: T) => retentionMs > 0 && block.meta.maxTime < now - retentionMs;
  let bytes = otherBytes;
  for (const block of byAge) if (!old(block)) bytes += block.sizeBytes;
  const dropped: T[] = [];
  for (const block of byAge.slice(0, -1)) {
    const isLarge = retentionBytes > 0 && bytes > retentionBytes;
    if (!old(block) && !isLarge) continue;
    if (!old(block)) bytes -= block.sizeBytes;
    dropped.push(block);
  }
  return dropped;
}

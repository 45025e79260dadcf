import type { BucketBlock } from '../blocks/block-catalog.ts';
import { SHARD_LABEL } from '../blocks/shard-label.ts';

type Block = Pick<BucketBlock, 'meta' | 'uploadedMs'>;

/**
 * The blocks that count where several gateways answer for the same time. One gateway may learn of a block before another does; if it
 * then reads a 5m block while the other still reads the raw ones, all samples are there twice. So a block that was uploaded after
 * `sinceMs` waits as long as others hold all that it was made of, which are of its resolution or finer and were uploaded
 * before it. Nothing is missing: what stands for it has all its sources, and the others know those.
 */
export function agreedBlocks<B extends Block>(blocks: readonly B[], sinceMs: number): readonly B[] {
  const fresh = blocks.filter(({ uploadedMs }) => uploadedMs > sinceMs).sort(byUpload);
  if (fresh.length === 0) return blocks;
  const waiting = new Set<B>();
  const counting = blocks.filter(({ uploadedMs }) => uploadedMs <= sinceMs);
  for (const block of fresh)
    if (isHeldBy(counting, block)) waiting.add(block);
    else counting.push(block);
  return waiting.size === 0 ? blocks : blocks.filter((block) => !waiting.has(block));
}

/** The order in which all gateways come to know them. */
function byUpload(a: Block, b: Block): number {
  return a.uploadedMs - b.uploadedMs || a.meta.level - b.meta.level || (a.meta.ulid < b.meta.ulid ? -1 : 1);
}

function isHeldBy(others: readonly Block[], { meta }: Block): boolean {
  const missing = new Set(sourcesOf(meta));
  const shard = meta.labels[SHARD_LABEL];
  for (const { meta: other } of others) {
    const isAble =
      other.resolutionMs <= meta.resolutionMs && [undefined, shard].includes(other.labels[SHARD_LABEL]);
    if (isAble) for (const source of sourcesOf(other)) missing.delete(source);
  }
  return missing.size === 0;
}

function sourcesOf({ sources, ulid }: Block['meta']): readonly string[] {
  return sources.length > 0 ? sources : [ulid];
}

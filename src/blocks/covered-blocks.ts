import type { BlockMeta } from './meta.ts';
import { shardOf } from './shard-label.ts';

/**
 * Which of `blocks` hold nothing that others of them do not hold as well, with the blocks that stand in for each. A block
 * is covered by one of the same resolution that was made of all its sources and reaches as far, or by a complete set of
 * shards of which each does. Of two that cover each other the one with more changes stays, then that of the higher level,
 * then shards, then the older one. It is this rule, in readers and in the compactor, that makes a compaction visible at
 * once: when its result is there, its sources no longer count.
 */
export function coveredBlocks(blocks: readonly BlockMeta[]): ReadonlyMap<string, readonly string[]> {
  const bySource = new Map<string, BlockMeta[]>();
  for (const block of blocks)
    for (const source of sourcesOf(block)) {
      const holders = bySource.get(source);
      if (holders) holders.push(block);
      else bySource.set(source, [block]);
    }
  const covered = new Map<string, readonly string[]>();
  for (const block of blocks) {
    const others = bySource.get(sourcesOf(block)[0]) as BlockMeta[];
    if (others.length < 2) continue;
    const cover = coverOf(block, others);
    if (cover.length > 0)
      covered.set(
        block.ulid,
        cover.map(({ ulid }) => ulid),
      );
  }
  return covered;
}

/** A block made by nobody knows whom, without sources, is its own. */
function sourcesOf({ sources, ulid }: BlockMeta): readonly string[] {
  return sources.length > 0 ? sources : [ulid];
}

function coverOf(block: BlockMeta, others: readonly BlockMeta[]): readonly BlockMeta[] {
  const shard = shardOf(block.labels);
  const able = others.filter((other) => holdsAllOf(other, block));
  for (const other of able) {
    const own = shardOf(other.labels);
    const isSame = own?.index === shard?.index && own?.count === shard?.count;
    if (isSame && isPreferred(other, block)) return [other];
    // Shards that were joined again.
    if (shard && !own && rank(other, block) > 0) return [other];
  }
  return shard === undefined ? shardSet(able.filter((other) => rank(other, block) >= 0)) : [];
}

function holdsAllOf(other: BlockMeta, block: BlockMeta): boolean {
  if (other.ulid === block.ulid || other.resolutionMs !== block.resolutionMs) return false;
  if (other.mint > block.mint || other.maxt < block.maxt) return false;
  const sources = new Set(sourcesOf(other));
  return sourcesOf(block).every((source) => sources.has(source));
}

function isPreferred(other: BlockMeta, block: BlockMeta): boolean {
  return (rank(other, block) || (other.ulid < block.ulid ? 1 : -1)) > 0;
}

/** Positive when the first was made of more, has more changes behind it, or was compacted further. In this order, so that no two stand in for each other. */
function rank(a: BlockMeta, b: BlockMeta): number {
  return (
    sourcesOf(a).length - sourcesOf(b).length ||
    (a.changes?.length ?? 0) - (b.changes?.length ?? 0) ||
    a.level - b.level
  );
}

/** One block per shard, when there are all of some number of shards. */
function shardSet(blocks: readonly BlockMeta[]): readonly BlockMeta[] {
  const byCount = new Map<number, Map<number, BlockMeta>>();
  for (const block of blocks) {
    const shard = shardOf(block.labels);
    if (!shard) continue;
    const set = byCount.get(shard.count) ?? new Map<number, BlockMeta>();
    byCount.set(shard.count, set.set(shard.index, block));
  }
  for (const [count, set] of byCount) if (set.size === count) return [...set.values()];
  return [];
}

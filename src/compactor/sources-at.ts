import type { BucketBlock } from '../blocks/block-catalog.ts';
import { changeName } from '../blocks/changes.ts';
import { coveredBlocks } from '../blocks/covered-blocks.ts';
import type { BlockMeta } from '../blocks/meta.ts';
import { shardOf } from '../blocks/shard-label.ts';

/** What the good blocks of one resolution were made of. */
export class SourcesAt {
  /** By source, of blocks that count for readers. */
  readonly #holders = new Map<string, BlockMeta[]>();

  constructor(blocks: readonly BucketBlock[], resolutionMs: number) {
    const metas = blocks
      .filter(({ meta, marks }) => meta.resolutionMs === resolutionMs && !marks.deletion && !marks.quarantine)
      .map(({ meta }) => meta);
    const covered = coveredBlocks(metas);
    for (const meta of metas)
      if (!covered.has(meta.ulid))
        for (const source of new Set([meta.ulid, ...meta.sources])) {
          const holders = this.#holders.get(source);
          if (holders) holders.push(meta);
          else this.#holders.set(source, [meta]);
        }
  }

  /**
   * Whether all that a block was made of is there at the resolution: in blocks of all series, in those of its own shard, or in
   * all shards; and in one, or in such as follow each other, since windows of the same time in two of them are not added up.
   * External labels do not matter: replicas that were joined lost theirs.
   */
  hold({ sources, ulid, labels }: BlockMeta): boolean {
    const all = sources.length > 0 ? sources : [ulid];
    const shard = shardOf(labels);
    if (shard) return this.#holds(all, shard);
    const counts = new Set(all.flatMap((source) => this.#countsOf(source)));
    if (counts.size === 0) return this.#holds(all, undefined);
    return [...counts].some((count) =>
      Array.from({ length: count }, (_, index) => index).every((index) => this.#holds(all, { index, count })),
    );
  }

  /**
   * Whether what is there of a block lacks a change that was made in it since, and would give way to what is made of the block
   * now: Thanos rewrites raw blocks only.
   */
  lacksChanges(block: BlockMeta): boolean {
    const { changes = [], ulid, mint, maxt } = block;
    if (changes.length === 0) return false;
    const sources = new Set(block.sources.length > 0 ? block.sources : [ulid]);
    const holders = new Set([...sources].flatMap((source) => this.#holders.get(source) ?? []));
    const givesWay = (other: BlockMeta) =>
      other.mint >= mint && other.maxt <= maxt && other.sources.every((source) => sources.has(source));
    const lacks = (other: BlockMeta) => {
      const made = new Set([...(other.changes ?? []), ...other.appliedDeletions.map(changeName)]);
      return changes.some((change) => !made.has(change));
    };
    // By fewer changes it is told in `coveredBlocks` that the old one gives way.
    const isMore = (other: BlockMeta) => (other.changes?.length ?? 0) < changes.length;
    const all = [...holders];
    return all.every(givesWay) && all.some(lacks) && all.every(isMore);
  }

  /** In blocks of all series or of this shard. */
  #holds(sources: readonly string[], shard: { index: number; count: number } | undefined): boolean {
    const used = new Set<BlockMeta>();
    for (const source of sources) {
      const fitting = (this.#holders.get(source) ?? []).filter(({ labels }) => {
        const own = shardOf(labels);
        return !own || (own.index === shard?.index && own.count === shard.count);
      });
      if (fitting.length === 0) return false;
      for (const meta of fitting) used.add(meta);
    }
    const holdsAll = (meta: BlockMeta) => {
      const own = new Set([meta.ulid, ...meta.sources]);
      return sources.every((source) => own.has(source));
    };
    return [...used].some(holdsAll) || followEachOther([...used]);
  }

  #countsOf(source: string): number[] {
    return (this.#holders.get(source) ?? []).flatMap(({ labels }) => shardOf(labels)?.count ?? []);
  }
}

function followEachOther(metas: readonly BlockMeta[]): boolean {
  const ordered = [...metas].sort((a, b) => a.mint - b.mint);
  return ordered.every((meta, i) => i === 0 || meta.mint >= ordered[i - 1].maxt);
}

import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { BlockMeta } from '../blocks/meta.ts';
import { type BlockShard, shardOf } from '../blocks/shard-label.ts';

/** What the good blocks of one resolution were made of. */
export class SourcesAt {
  /** Of blocks that hold all series. */
  readonly #whole = new Set<string>();
  /** Of shards, by count and index. */
  readonly #shards = new Map<number, Set<string>[]>();

  constructor(blocks: readonly BucketBlock[], resolutionMs: number) {
    for (const { meta, marks } of blocks)
      if (meta.resolutionMs === resolutionMs && !marks.deletion && !marks.quarantine) this.#add(meta);
  }

  /**
   * Whether all that a block was made of is there at the resolution: in blocks of all series, in those of its own shard, or in
   * all shards. External labels do not matter: replicas that were joined lost theirs.
   */
  hold({ sources, ulid, labels }: BlockMeta): boolean {
    const shard = shardOf(labels);
    return (sources.length > 0 ? sources : [ulid]).every((source) => this.#has(source, shard));
  }

  #has(source: string, shard: BlockShard | undefined): boolean {
    if (this.#whole.has(source)) return true;
    if (shard) return this.#shards.get(shard.count)?.[shard.index].has(source) ?? false;
    return [...this.#shards.values()].some((sets) => sets.every((set) => set.has(source)));
  }

  #add({ sources, ulid, labels }: BlockMeta): void {
    const set = this.#setOf(shardOf(labels));
    for (const source of [ulid, ...sources]) set.add(source);
  }

  #setOf(shard: BlockShard | undefined): Set<string> {
    if (!shard) return this.#whole;
    const known = this.#shards.get(shard.count);
    const sets = known ?? Array.from({ length: shard.count }, () => new Set<string>());
    if (!known) this.#shards.set(shard.count, sets);
    return sets[shard.index];
  }
}

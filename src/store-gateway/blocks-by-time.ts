import type { HasMeta } from './choose-blocks.ts';

/** The coarsest windows there are: blocks of different resolutions meet at their bounds. */
const GRID_MS = 3_600_000;

/** Blocks that are connected by their times. */
interface Cluster<B> {
  readonly from: number;
  /** Exclusive. */
  to: number;
  readonly blocks: B[];
}

/**
 * A list of blocks by time, so that a query looks at those of its own only. Blocks stand in for each other only where they are at the
 * same time, so what is chosen of all blocks is what is chosen of the clusters that a query touches. Of 5,000 blocks of two
 * hours an instant query cost 6 ms of CPU for choosing before.
 */
export class BlocksByTime<B extends HasMeta> {
  readonly #clusters: readonly Cluster<B>[];

  constructor(blocks: readonly B[]) {
    const clusters: Cluster<B>[] = [];
    for (const block of blocks.toSorted((a, b) => a.meta.mint - b.meta.mint)) {
      const from = Math.floor(block.meta.mint / GRID_MS) * GRID_MS;
      const to = Math.max(from + 1, Math.ceil(block.meta.maxt / GRID_MS) * GRID_MS);
      const last = clusters.at(-1);
      if (last && from < last.to) {
        last.blocks.push(block);
        last.to = Math.max(last.to, to);
      } else clusters.push({ from, to, blocks: [block] });
    }
    this.#clusters = clusters;
  }

  /** Those that touch mint … maxt (ms, inclusive), with all that are connected with them. */
  around(mint: number, maxt: number): B[] {
    let low = 0;
    let high = this.#clusters.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#clusters[middle].to <= mint) low = middle + 1;
      else high = middle;
    }
    const found: B[] = [];
    for (; low < this.#clusters.length && this.#clusters[low].from <= maxt; low++)
      for (const block of this.#clusters[low].blocks) found.push(block);
    return found;
  }
}

/** Lists that queries share, each put in order once. */
export class KnownLists {
  readonly #known = new WeakMap<readonly HasMeta[], BlocksByTime<HasMeta>>();

  byTime<B extends HasMeta>(blocks: readonly B[]): BlocksByTime<B> {
    const known = this.#known.get(blocks) as BlocksByTime<B> | undefined;
    if (known) return known;
    const made = new BlocksByTime(blocks);
    this.#known.set(blocks, made as unknown as BlocksByTime<HasMeta>);
    return made;
  }
}

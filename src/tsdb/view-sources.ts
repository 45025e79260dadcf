import type { Disk } from '../platform/disk.ts';
import { mergeQueriers } from '../storage/merge.ts';
import { namedQuerier } from '../storage/named-querier.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import { Block } from './block/block.ts';
import { BlocksQuerier, KnownPairs } from './block/blocks-querier.ts';
import { ChunkReader } from './chunks/chunk-reader.ts';
import { PageCache } from './chunks/page-cache.ts';
import { completeSlice } from './head/complete-slice.ts';
import type { ReadyAnswer } from './head-ask.ts';
import { RemoteHead } from './remote-head.ts';

/** Label pairs of one tenant's blocks that a thread remembers. */
const PAIRS_BYTES_MAX = 32 * 1024 * 1024;

/** A tenant's head and local blocks at one moment, as plain data for another thread. */
export interface ViewDescription {
  /** The tenant's data directory. */
  readonly dir: string;
  readonly hasHead: boolean;
  /** Files of `chunks_head/` before this sequence are gone. */
  readonly oldestChunkFile: number;
  readonly blocks: readonly LocalBlockDescription[];
}

export interface LocalBlockDescription {
  readonly ulid: string;
  /** The blocks it was made of, itself when it was made of the head. */
  readonly sources: readonly string[];
  /** ms; maxTime is exclusive. */
  readonly minTime: number;
  readonly maxTime: number;
  /** Changes when the block's tombstones are replaced. */
  readonly tombstonesVersion: number;
}

interface TenantFiles {
  readonly chunks: ChunkReader;
  oldestChunkFile: number;
  /** By ULID and version of the tombstones. */
  readonly blocks: Map<string, Promise<Block>>;
  readonly pairs: KnownPairs;
}

/** Opens, on a query thread, what views describe. Open files and cached pages are shared by the thread's queries. */
export class ViewSources {
  readonly #disk: Disk;
  readonly #pages: PageCache;
  readonly #tenants = new Map<string, TenantFiles>();

  constructor(disk: Disk, cacheBytes: number) {
    this.#disk = disk;
    this.#pages = new PageCache(cacheBytes);
  }

  /** `ask` reaches the head's thread, for this view only. */
  queryable(view: ViewDescription, ask: (request: unknown) => Promise<unknown>): Queryable {
    return { querier: async (mint, maxt) => mergeQueriers(await this.queriers(view, ask, mint, maxt)) };
  }

  /**
   * The sources of a view that have something in mint … maxt (ms, inclusive); a query closes them. `ready` is what the
   * query is likely to ask of the head.
   */
  async queriers(
    view: ViewDescription,
    ask: (request: unknown) => Promise<unknown>,
    mint: number,
    maxt: number,
    ready: readonly ReadyAnswer[] = [],
  ): Promise<Querier[]> {
    const files = this.#files(view);
    const touching = view.blocks.filter((block) => block.minTime <= maxt && mint < block.maxTime);
    const blocks = await Promise.all(touching.map((block) => this.#block(files, view.dir, block)));
    const queriers: Querier[] =
      blocks.length > 0 ? [await BlocksQuerier.open(blocks, files.pairs, mint, maxt)] : [];
    if (view.hasHead) queriers.push(this.head(view, ask, ready));
    return queriers;
  }

  /** The head of a view alone. */
  head(
    view: ViewDescription,
    ask: (request: unknown) => Promise<unknown>,
    ready: readonly ReadyAnswer[] = [],
  ): Querier {
    const { chunks } = this.#files(view);
    return namedQuerier('head', new RemoteHead(ask, (slice) => completeSlice(slice, chunks), ready));
  }

  #files(view: ViewDescription): TenantFiles {
    let files = this.#tenants.get(view.dir);
    if (!files) {
      const chunks = new ChunkReader(this.#disk, `${view.dir}/chunks_head`, 'head', this.#pages);
      files = { chunks, oldestChunkFile: 0, blocks: new Map(), pairs: new KnownPairs(PAIRS_BYTES_MAX) };
      this.#tenants.set(view.dir, files);
    }
    this.#dropGone(files, view);
    return files;
  }

  /** Closes what newer views no longer have; open queriers keep theirs readable until they end. */
  #dropGone(files: TenantFiles, view: ViewDescription): void {
    if (view.oldestChunkFile > files.oldestChunkFile) {
      files.oldestChunkFile = view.oldestChunkFile;
      files.chunks.forgetBefore(view.oldestChunkFile).catch(() => {});
    }
    const wanted = new Set(view.blocks.map(keyOf));
    for (const [key, block] of files.blocks)
      if (!wanted.has(key)) {
        files.blocks.delete(key);
        block.then((open) => open.close()).catch(() => {});
      }
  }

  #block(files: TenantFiles, dir: string, description: LocalBlockDescription): Promise<Block> {
    const key = keyOf(description);
    let block = files.blocks.get(key);
    if (!block) {
      block = Block.open(this.#disk, `${dir}/${description.ulid}`, this.#pages);
      files.blocks.set(key, block);
      // A failed open is tried again by the next query.
      block.catch(() => files.blocks.delete(key));
    }
    return block;
  }
}

function keyOf({ ulid, tombstonesVersion }: LocalBlockDescription): string {
  return `${ulid}/${tombstonesVersion}`;
}

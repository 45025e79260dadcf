import type { Disk } from '../../platform/disk.ts';
import type { Queryable } from '../../storage/querier.ts';
import { ChunkReader } from '../chunks/chunk-reader.ts';
import type { PageCache } from '../chunks/page-cache.ts';
import { FileWindow } from '../format/file-window.ts';
import { IndexFile, IndexReader } from '../index/index-reader.ts';
import { BlockQuerier } from './block-querier.ts';
import { type BlockMeta, readMeta } from './meta.ts';
import { readTombstones, type Tombstones } from './tombstones.ts';

/** The part of an index in memory while it is read from front to back. */
const WALK_BYTES = 1024 * 1024;

/**
 * An open block. Its files never change, except that tombstones may be replaced. It stays readable for queriers made
 * from it until they are closed, even when `close` was called before.
 */
export class Block implements Queryable {
  readonly dir: string;
  readonly meta: BlockMeta;
  readonly index: IndexReader;
  readonly chunks: ChunkReader;
  readonly #indexFile: { close(): Promise<void> };
  #tombstones: Tombstones;
  #tombstonesVersion = 0;
  #readers = 0;
  #closing = false;
  readonly #closed = Promise.withResolvers<void>();

  private constructor(
    dir: string,
    meta: BlockMeta,
    indexFile: { close(): Promise<void> },
    index: IndexReader,
    chunks: ChunkReader,
    tombstones: Tombstones,
  ) {
    this.dir = dir;
    this.meta = meta;
    this.#indexFile = indexFile;
    this.index = index;
    this.chunks = chunks;
    this.#tombstones = tombstones;
  }

  /** Opens the block in folder `dir`. Throws `corrupt` when meta, index tables or tombstones are damaged. */
  static open(disk: Disk, dir: string, cache: PageCache): Promise<Block> {
    return Block.#open(disk, dir, cache, () => IndexFile.open(disk, `${dir}/index`, cache));
  }

  /** As `open`, for whoever reads all of it once: `cache` holds no pages of the index. */
  static openToWalk(disk: Disk, dir: string, cache: PageCache): Promise<Block> {
    return Block.#open(disk, dir, cache, () => FileWindow.open(disk, `${dir}/index`, WALK_BYTES));
  }

  static async #open(
    disk: Disk,
    dir: string,
    cache: PageCache,
    openIndex: () => Promise<IndexFile | FileWindow>,
  ): Promise<Block> {
    const meta = await readMeta(disk, dir);
    const tombstones = await readTombstones(disk, dir);
    const file = await openIndex();
    try {
      const index = await IndexReader.open(file);
      const chunks = new ChunkReader(disk, `${dir}/chunks`, 'block', cache);
      return new Block(dir, meta, file, index, chunks, tombstones);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Grows when the tombstones are replaced; tells readers on other threads to read them again. */
  get tombstonesVersion(): number {
    return this.#tombstonesVersion;
  }

  get tombstones(): Tombstones {
    return this.#tombstones;
  }

  /** For later reads; writing them to the block's folder is the caller's. */
  replaceTombstones(tombstones: Tombstones): void {
    this.#tombstones = tombstones;
    this.#tombstonesVersion++;
  }

  /** Whether it has samples in mint … maxt (ms, inclusive). */
  overlaps(mint: number, maxt: number): boolean {
    return this.meta.minTime <= maxt && mint < this.meta.maxTime;
  }

  async querier(_mint: number, _maxt: number): Promise<BlockQuerier> {
    this.#readers++;
    let released = false;
    return new BlockQuerier(this, () => {
      if (released) return;
      released = true;
      this.#readers--;
      this.#closeWhenUnused();
    });
  }

  /** Resolves when the last querier is closed and the files are. */
  close(): Promise<void> {
    this.#closing = true;
    this.#closeWhenUnused();
    return this.#closed.promise;
  }

  #closeWhenUnused(): void {
    if (!this.#closing || this.#readers > 0) return;
    this.#closing = false;
    Promise.all([this.chunks.close(), this.#indexFile.close()]).then(
      () => this.#closed.resolve(),
      (error) => this.#closed.reject(error),
    );
  }
}

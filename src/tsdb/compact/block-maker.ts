import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { Block } from '../block/block.ts';
import type { BlockMeta } from '../block/meta.ts';
import { verifyBlock } from '../block/verify-block.ts';
import type { PageCache } from '../chunks/page-cache.ts';
import type { HeadSlice } from '../head/head-slice.ts';
import { HeadBlock } from './head-block.ts';

/** Which block of a head, and where: mint … maxt (ms), the end exclusive. Plain data. */
export interface BlockPlace {
  /** The tenant's data directory: `chunks_head/` is in it, and `<ulid>/` will be. */
  readonly dir: string;
  readonly ulid: string;
  readonly mint: number;
  readonly maxt: number;
}

/** A block of a head being written. Whoever begins it ends it with `finish` or `abort`. */
export interface BlockUnderWay {
  /** Takes the next series, in the order of their labels; the memory of the slice is the block's from now on. */
  add(slice: HeadSlice): Promise<void>;
  /** Completes the block, durable, and reads it back whole; undefined when it is empty: then there is nothing. */
  finish(): Promise<BlockMeta | undefined>;
  /** Leaves nothing behind. */
  abort(): Promise<void>;
}

/** Writes blocks of heads, here or on another thread. */
export interface BlockMaker {
  /** `seriesCount`: about as many series will come. */
  begin(place: BlockPlace, seriesCount: number): Promise<BlockUnderWay>;
}

/** On this thread, turn by turn. */
export class LocalBlockMaker implements BlockMaker {
  readonly #disk: Disk;
  readonly #cache: PageCache;

  constructor(disk: Disk, cache: PageCache) {
    this.#disk = disk;
    this.#cache = cache;
  }

  async begin(place: BlockPlace): Promise<BlockUnderWay> {
    const [disk, cache] = [this.#disk, this.#cache];
    const block = await HeadBlock.create(disk, cache, place);
    return {
      add: (slice) => block.add(slice),
      finish: async () => {
        const meta = await block.finish();
        if (meta !== undefined) await verifyNewBlock(disk, cache, `${place.dir}/${place.ulid}`);
        return meta;
      },
      abort: () => block.abort(),
    };
  }
}

/** Reads a block back whole; throws `corrupt` with what is wrong. */
export async function verifyNewBlock(disk: Disk, cache: PageCache, dir: string): Promise<void> {
  const block = await Block.open(disk, dir, cache);
  try {
    const { findings, findingCount } = await verifyBlock(block);
    if (findingCount > 0)
      throw new VeronaError('corrupt', `new block ${block.meta.ulid}: ${findings.slice(0, 3).join('; ')}`);
  } finally {
    await block.close();
  }
}

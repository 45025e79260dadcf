import { messageOf, VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockMeta, readMeta } from '../block/meta.ts';
import { readTombstones, type Tombstones } from '../block/tombstones.ts';
import { ChunkWindow } from '../chunks/chunk-window.ts';
import { FileWindow } from '../format/file-window.ts';
import {
  checkIndexHeader,
  decodeToc,
  INDEX_HEADER_BYTES,
  type IndexToc,
  TOC_BYTES,
} from '../index/index-format.ts';
import type { SeriesWalk } from '../index/series-cursor.ts';
import { FROM_OUT_OF_ORDER } from './late-blocks.ts';

/** What is wrong with one of the blocks that were to be merged; the others may be fine. */
export class BlockFault extends VeronaError {
  readonly ulid: string;

  private constructor(ulid: string, message: string, options?: ErrorOptions) {
    super('corrupt', message, options);
    this.name = 'BlockFault';
    this.ulid = ulid;
  }

  /** As it was told on another thread. */
  static of(ulid: string, message: string): BlockFault {
    return new BlockFault(ulid, message);
  }

  static because(ulid: string, cause: unknown): BlockFault {
    const what = messageOf(cause);
    return new BlockFault(ulid, `block ${ulid}: ${what}`, { cause });
  }
}

/** All sources together hold this much of their files in memory. */
const WINDOWS_BYTES = 32 * 1024 * 1024;
const WINDOW_BYTES_MIN = 64 * 1024;
const WINDOW_BYTES_MAX = 512 * 1024;

/** Which of the merged blocks it is. */
export interface SourcePlace {
  /** From 0. */
  readonly order: number;
  readonly count: number;
  /** Samples of sources with different numbers are of different replicas; those of `LATE_REPLICA` stay whichever is followed. */
  readonly replica: number;
}

/**
 * Late samples are no replica's account of their time but an addition to it: by now their head's other samples of that time
 * may be in a block of all replicas.
 */
export const LATE_REPLICA = -1;

/** A block being read from front to back. */
export class MergeSource {
  /** Of a block that is put in order the times are those of all its chunks. */
  meta: BlockMeta;
  readonly index: FileWindow;
  readonly toc: IndexToc;
  readonly chunks: ChunkWindow;
  readonly tombstones: Tombstones;
  readonly place: SourcePlace;
  /** Made once the symbols of all sources are merged. */
  cursor!: SeriesWalk;

  private constructor(
    meta: BlockMeta,
    index: FileWindow,
    toc: IndexToc,
    chunks: ChunkWindow,
    tombstones: Tombstones,
    place: SourcePlace,
  ) {
    this.meta = meta;
    this.index = index;
    this.toc = toc;
    this.chunks = chunks;
    this.tombstones = tombstones;
    this.place = place;
  }

  /** Opens the block in folder `dir`. Throws `corrupt`. */
  static async open(disk: Disk, dir: string, place: SourcePlace): Promise<MergeSource> {
    const windowBytes = windowSize(place.count);
    const meta = await readMeta(disk, dir);
    const tombstones = await readTombstones(disk, dir);
    const path = `${dir}/index`;
    if (!(await disk.stat(path))) throw new VeronaError('corrupt', `${path}: missing`);
    const index = await FileWindow.open(disk, path, windowBytes);
    try {
      checkIndexHeader(index.read(0, INDEX_HEADER_BYTES), path);
      const toc = decodeToc(index.read(Math.max(0, index.sizeBytes - TOC_BYTES), TOC_BYTES), path);
      if (Math.max(...Object.values(toc)) > index.sizeBytes - TOC_BYTES)
        throw new VeronaError('corrupt', `${path}: table of contents points behind itself`);
      const chunks = new ChunkWindow(disk, `${dir}/chunks`, windowBytes);
      const isLate = meta.compaction.hints?.includes(FROM_OUT_OF_ORDER) ?? false;
      const known = isLate ? { ...place, replica: LATE_REPLICA } : place;
      return new MergeSource(meta, index, toc, chunks, tombstones, known);
    } catch (error) {
      await index.close();
      throw error;
    }
  }

  /** To the next series, whose chunks must lie in the block's time; false at the end. Throws `BlockFault`. */
  next(): boolean {
    return this.guard(() => {
      const { cursor, meta } = this;
      if (!cursor.next()) return false;
      for (let i = 0; i < cursor.chunkCount; i++)
        if (cursor.mint[i] < meta.minTime || cursor.maxt[i] >= meta.maxTime)
          throw new VeronaError(
            'corrupt',
            `chunk ${cursor.mint[i]}–${cursor.maxt[i]} of series ${cursor.ref} is outside of the block`,
          );
      return true;
    });
  }

  /** Runs what reads this block; what it finds wrong is this block's fault. */
  guard<T>(read: () => T): T {
    try {
      return read();
    } catch (error) {
      throw faultOf(this.meta.ulid, error);
    }
  }

  /** Opens the chunk file of `ref`. */
  async openChunks(ref: number): Promise<void> {
    try {
      await this.chunks.openFile(ref);
    } catch (error) {
      throw faultOf(this.meta.ulid, error);
    }
  }

  async close(): Promise<void> {
    await this.index.close();
    await this.chunks.close();
  }
}

/** Only damage is the block's fault; a disk that fails is not. */
export function faultOf(ulid: string, error: unknown): unknown {
  return error instanceof VeronaError && error.code === 'corrupt' && !(error instanceof BlockFault)
    ? BlockFault.because(ulid, error)
    : error;
}

function windowSize(sourceCount: number): number {
  const share = Math.floor(WINDOWS_BYTES / (2 * sourceCount));
  return Math.max(WINDOW_BYTES_MIN, Math.min(WINDOW_BYTES_MAX, share));
}

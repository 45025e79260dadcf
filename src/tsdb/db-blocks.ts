import { VeronaError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { Block } from './block/block.ts';
import { writeMeta } from './block/meta.ts';
import { addInterval, type Interval, writeTombstones } from './block/tombstones.ts';
import { isUlid } from './block/ulid.ts';
import type { PageCache } from './chunks/page-cache.ts';
import { FROM_OUT_OF_ORDER } from './compact/late-blocks.ts';
import { SeriesEntry } from './index/index-format.ts';
import { endsHead, lacksLateMark } from './late-mark.ts';

const CREATION_SUFFIX = '.tmp-for-creation';
const DELETION_SUFFIX = '.tmp-for-deletion';
/** The last one: files that are replaced as a whole, and checkpoints. */
const UNFINISHED_SUFFIXES = [CREATION_SUFFIX, DELETION_SUFFIX, '.tmp'];

/** A local block with its size on disk. */
export interface LocalBlock {
  readonly block: Block;
  readonly sizeBytes: number;
}

/** The blocks of a data directory, ordered by time. A block is hidden first and removed when nobody reads it any more. */
export class DbBlocks {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #cache: PageCache;
  readonly #log: Logger;
  #blocks: readonly LocalBlock[] = [];
  /** Folders that are no readable block; left alone, named once. */
  unreadable = 0;

  private constructor(disk: Disk, dir: string, cache: PageCache, log: Logger) {
    this.#disk = disk;
    this.#dir = dir;
    this.#cache = cache;
    this.#log = log;
  }

  /** Opens the blocks present, and removes what an interrupted write or removal left. */
  static async open(disk: Disk, dir: string, cache: PageCache, log: Logger): Promise<DbBlocks> {
    const blocks = new DbBlocks(disk, dir, cache, log);
    await removeUnfinished(disk, dir, 1);
    for (const { name, isDirectory } of await disk.list(dir))
      if (isDirectory && isUlid(name)) await blocks.#openPresent(name);
    await blocks.#completeMarks();
    return blocks;
  }

  get all(): readonly LocalBlock[] {
    return this.#blocks;
  }

  /** End of the newest block of samples in order; -Infinity when there is none. */
  get inOrderMaxTime(): number {
    return this.newestInOrder?.block.meta.maxTime ?? Number.NEGATIVE_INFINITY;
  }

  /** The block of samples in order that ends last. */
  get newestInOrder(): LocalBlock | undefined {
    let newest: LocalBlock | undefined;
    for (const local of this.#blocks) {
      if (!endsHead(local.block)) continue;
      if (newest === undefined || local.block.meta.maxTime > newest.block.meta.maxTime) newest = local;
    }
    return newest;
  }

  /** Opens a block without making it visible. */
  openBlock(ulid: string): Promise<Block> {
    return Block.open(this.#disk, `${this.#dir}/${ulid}`, this.#cache);
  }

  async sized(block: Block): Promise<LocalBlock> {
    return { block, sizeBytes: await folderBytes(this.#disk, block.dir) };
  }

  /** Makes a block visible, in this turn of the event loop. */
  add(added: LocalBlock): void {
    this.#blocks = [...this.#blocks, added].sort((a, b) => a.block.meta.minTime - b.block.meta.minTime);
  }

  /** Hides a block from views taken from now on. */
  hide({ block }: LocalBlock): void {
    this.#blocks = this.#blocks.filter((other) => other.block !== block);
  }

  /** Removes the files of a hidden block when its last querier is closed. */
  async remove({ block }: LocalBlock): Promise<void> {
    await block.close();
    const doomed = `${block.dir}${DELETION_SUFFIX}`;
    await this.#disk.rename(block.dir, doomed);
    await this.#disk.syncDir(this.#dir);
    await this.#disk.remove(doomed);
  }

  /** Removes what there is of a block that never became visible. */
  async discard(ulid: string): Promise<void> {
    const dir = `${this.#dir}/${ulid}`;
    await this.#disk.remove(`${dir}${CREATION_SUFFIX}`);
    if (await this.#disk.stat(dir)) {
      await this.#disk.rename(dir, `${dir}${DELETION_SUFFIX}`);
      await this.#disk.syncDir(this.#dir);
    }
    await this.#disk.remove(`${dir}${DELETION_SUFFIX}`);
  }

  /** Hides samples of the series that match between mint and maxt (ms, inclusive) in all blocks. */
  async deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): Promise<void> {
    for (const { block } of this.#blocks)
      if (block.overlaps(mint, maxt)) await deleteFrom(this.#disk, block, matchers, { mint, maxt });
  }

  async close(): Promise<void> {
    await Promise.all(this.#blocks.map(({ block }) => block.close()));
    this.#blocks = [];
  }

  /** Gives blocks of late samples the hint that a Prometheus was killed before writing; else the log would be skipped. */
  async #completeMarks(): Promise<void> {
    for (let local = this.newestInOrder; local !== undefined; local = this.newestInOrder) {
      const { meta, dir } = local.block;
      if (!(await lacksLateMark(this.#disk, this.#dir, local.block))) return;
      const compaction = { ...meta.compaction, hints: [FROM_OUT_OF_ORDER] };
      await writeMeta(this.#disk, dir, { ...meta, compaction });
      this.hide(local);
      await local.block.close();
      this.add(await this.sized(await this.openBlock(meta.ulid)));
      this.#log.warn('a block of late samples lacked its hint and has it now', { dir });
    }
  }

  async #openPresent(ulid: string): Promise<void> {
    try {
      this.add(await this.sized(await this.openBlock(ulid)));
    } catch (error) {
      const isDamage = error instanceof VeronaError ? error.code === 'corrupt' : isAbsent(error);
      if (!isDamage) throw error;
      this.unreadable++;
      this.#log.error('a block cannot be read and is left out', {
        dir: `${this.#dir}/${ulid}`,
        error: (error as Error).message,
      });
    }
  }
}

async function deleteFrom(
  disk: Disk,
  block: Block,
  matchers: readonly Matcher[],
  range: Interval,
): Promise<void> {
  const tombstones = new Map(block.tombstones);
  const refs = block.index.postings(matchers);
  await block.index.prefetchSeries(refs);
  const entry = new SeriesEntry();
  for (const ref of refs) {
    block.index.readSeries(ref, entry);
    const mint = Math.max(range.mint, entry.mint[0]);
    const maxt = Math.min(range.maxt, entry.maxt[entry.chunkCount - 1]);
    if (mint <= maxt) tombstones.set(ref, addInterval(tombstones.get(ref) ?? [], { mint, maxt }));
  }
  await writeTombstones(disk, block.dir, tombstones);
  block.replaceTombstones(tombstones);
}

/** Removes what interrupted writes and removals left in a folder and, `depth` levels down, in those in it. */
async function removeUnfinished(disk: Disk, dir: string, depth: number): Promise<void> {
  for (const { name, isDirectory } of await disk.list(dir)) {
    const path = `${dir}/${name}`;
    if (UNFINISHED_SUFFIXES.some((suffix) => name.endsWith(suffix))) await disk.remove(path);
    else if (isDirectory && depth > 0) await removeUnfinished(disk, path, depth - 1);
  }
}

/** Bytes of the files in a folder and the folders in it. */
export async function folderBytes(disk: Disk, dir: string): Promise<number> {
  let bytes = 0;
  for (const { name, isDirectory } of await disk.list(dir)) {
    const path = `${dir}/${name}`;
    bytes += isDirectory ? await folderBytes(disk, path) : ((await disk.stat(path))?.sizeBytes ?? 0);
  }
  return bytes;
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

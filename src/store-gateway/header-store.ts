import { type BlockRef, INDEX_FILE } from '../blocks/layout.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { CACHE_PAGE_BYTES, PageCache } from '../tsdb/chunks/page-cache.ts';
import { ByteGate } from './byte-gate.ts';
import { fetchHeader } from './fetch-header.ts';
import { HeaderFile } from './header-file.ts';
import { decodePlaces, encodePlaces, type HeaderPlaces, placesOf } from './header-places.ts';
import { IndexHeader } from './index-header.ts';

export interface HeaderStoreDeps {
  readonly bucket: Bucket;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface HeaderStoreOptions {
  /** A cache: it may be emptied at any time, and several processes or threads may share it. */
  readonly dir: string;
  /** What open headers may take, and pages of them. */
  readonly memoryBytesMax: number;
  readonly pageBytesMax: number;
  /** Memory that headers which are being made take together, about. */
  readonly makingBytesMax: number;
  /** One that nobody has asked for so long is closed. */
  readonly idleMs: number;
}

/** A header in use: `release` when done with it. */
export interface HeldHeader {
  readonly header: IndexHeader;
  release(): void;
}

interface Open {
  readonly id: string;
  readonly header: IndexHeader;
  readonly file: HeaderFile | undefined;
  readonly sizeBytes: number;
  users: number;
  usedMs: number;
}

const HEADER_FILE = 'index-header';
const PLACES_FILE = 'index-header.places';
/** Headers opened from the disk at once. */
const OPENED_AT_ONCE = 32;
/** Memory that a header takes which is being made, about, in parts of its postings table. */
const MAKING_BYTES_MIN = 1024 * 1024;
const MAKING_TABLES = 4;
/** Files open at once; one more closes the one that was used longest ago. */
const OPEN_MAX = 4096;
/** The part of an index that its postings table is taken for until one was seen: as much as may be read. And room for a larger one. */
const TAIL_SHARE_FIRST = 1 / 2;
const TAIL_SHARE_ROOM = 1.25;

/**
 * Index-headers of blocks, on the local disk, else made from the bucket. Opened when asked for, and closed when idle or when
 * there are too many; only `HeaderPlaces` and a bounded number of pages of them are in memory.
 */
export class HeaderStore {
  readonly #options: HeaderStoreOptions;
  readonly #deps: HeaderStoreDeps;
  readonly #pages: PageCache;
  /** In the order of their last use. */
  readonly #open = new Map<string, Open>();
  readonly #loading = new Map<string, Promise<Open>>();
  readonly #opening = new Gate(OPENED_AT_ONCE);
  readonly #making: ByteGate;
  #sizeBytes = 0;
  #tailShare = TAIL_SHARE_FIRST;
  #cancelTimer: (() => void) | undefined;

  constructor(options: HeaderStoreOptions, deps: HeaderStoreDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#pages = new PageCache(options.pageBytesMax);
    this.#making = new ByteGate(options.makingBytesMax);
  }

  /** Headers that are open. */
  get openCount(): number {
    return this.#open.size;
  }

  /** The header of a block, with its index' size when that is known. Callers at once share one load. */
  async load(ctx: BucketContext, block: BlockRef, indexSizeBytes?: number): Promise<HeldHeader> {
    const id = `${block.tenant}/${block.ulid}`;
    const known = this.#open.get(id);
    if (known) return this.#hold(known);
    const loading = this.#loading.get(id);
    // A load that another caller cancelled is no answer to this one.
    if (loading)
      return loading.then(
        (open) => this.#hold(open),
        () => this.load(ctx, block, indexSizeBytes),
      );
    const started = this.#read(ctx, block, id, indexSizeBytes);
    this.#loading.set(id, started);
    try {
      return this.#hold(await started);
    } finally {
      this.#loading.delete(id);
    }
  }

  #hold(open: Open): HeldHeader {
    const { id } = open;
    open.users++;
    open.usedMs = this.#deps.clock.monotonic();
    if (this.#open.delete(id)) this.#sizeBytes -= open.sizeBytes;
    this.#open.set(id, open);
    this.#sizeBytes += open.sizeBytes;
    this.#shrink();
    this.#watchIdle();
    let isHeld = true;
    const release = () => {
      if (!isHeld) return;
      isHeld = false;
      open.users--;
      open.usedMs = this.#deps.clock.monotonic();
      if (this.#open.get(id) !== open) this.#closeUnused(open);
    };
    return { header: open.header, release };
  }

  #shrink(): void {
    for (const open of this.#open.values()) {
      if (this.#sizeBytes <= this.#options.memoryBytesMax && this.#open.size <= OPEN_MAX) break;
      this.#drop(open);
    }
  }

  /** Whoever holds it goes on, and closes it. */
  #drop(open: Open): void {
    if (this.#open.get(open.id) !== open) return;
    this.#open.delete(open.id);
    this.#sizeBytes -= open.sizeBytes;
    this.#closeUnused(open);
  }

  #closeUnused({ users, file, id }: Open): void {
    if (users > 0) return;
    file
      ?.close()
      .catch((error: unknown) =>
        this.#deps.log.warn('an index-header was not closed', { id, error: String(error) }),
      );
  }

  #watchIdle(): void {
    const { clock } = this.#deps;
    const { idleMs } = this.#options;
    this.#cancelTimer ??= clock.after(idleMs / 2, () => {
      this.#cancelTimer = undefined;
      for (const open of this.#open.values())
        if (open.users === 0 && clock.monotonic() - open.usedMs >= idleMs) this.#drop(open);
      if (this.#open.size > 0) this.#watchIdle();
    });
  }

  async #read(ctx: BucketContext, block: BlockRef, id: string, size: number | undefined): Promise<Open> {
    const dir = `${this.#options.dir}/${block.tenant}/${block.ulid}`;
    const onDisk = await this.#opening.run(ctx.signal, `open the index-header of ${id}`, () =>
      this.#fromDisk(id, dir),
    );
    if (onDisk) return onDisk;
    const { bucket } = this.#deps;
    const indexBytes = size ?? (await bucket.attributes(ctx, `${block.folder}/${INDEX_FILE}`)).sizeBytes;
    // Those of 32 large blocks at once took 1 GB.
    const takes = Math.max(MAKING_BYTES_MIN, MAKING_TABLES * this.#tailShare * indexBytes);
    return this.#making.run(ctx.signal, `make the index-header of ${id}`, takes, () =>
      this.#fromBucket(ctx, block, id, dir, indexBytes),
    );
  }

  async #fromDisk(id: string, dir: string): Promise<Open | undefined> {
    const { disk, log } = this.#deps;
    try {
      const places = (await this.#writtenPlaces(dir)) ?? (await this.#foundPlaces(dir));
      return places && (await this.#opened(id, dir, places));
    } catch (error) {
      if (await disk.stat(`${dir}/${HEADER_FILE}`))
        log.warn('a cached index-header is broken and is made again', {
          id,
          error: (error as Error).message,
        });
      return undefined;
    }
  }

  /** Undefined when there are none that are any good. Whether they are those of the header its pages tell. */
  async #writtenPlaces(dir: string): Promise<HeaderPlaces | undefined> {
    try {
      return decodePlaces(await this.#deps.disk.readFile(`${dir}/${PLACES_FILE}`));
    } catch {
      return undefined;
    }
  }

  /** Those of a header that has none are found by reading it once as a whole; undefined when there is no header. */
  async #foundPlaces(dir: string): Promise<HeaderPlaces | undefined> {
    const { disk } = this.#deps;
    if (!(await disk.stat(`${dir}/${HEADER_FILE}`))) return undefined;
    const places = placesOf(await disk.readFile(`${dir}/${HEADER_FILE}`));
    await disk.writeFileAtomic(`${dir}/${PLACES_FILE}`, encodePlaces(places));
    return places;
  }

  async #opened(id: string, dir: string, places: HeaderPlaces): Promise<Open> {
    const { disk } = this.#deps;
    const damaged = () => {
      const open = this.#open.get(id);
      if (open?.file === file) this.#drop(open);
      for (const name of [PLACES_FILE, HEADER_FILE]) disk.remove(`${dir}/${name}`).catch(() => {});
    };
    const file = await HeaderFile.open(disk, `${dir}/${HEADER_FILE}`, this.#pages, places, damaged);
    const header = new IndexHeader(places, file);
    // With the page that an open file keeps.
    const sizeBytes = header.sizeBytes + CACHE_PAGE_BYTES;
    return { id, header, file, sizeBytes, users: 0, usedMs: 0 };
  }

  async #fromBucket(
    ctx: BucketContext,
    { folder }: BlockRef,
    id: string,
    dir: string,
    indexSize: number,
  ): Promise<Open> {
    const { bucket, disk, log } = this.#deps;
    const key = `${folder}/${INDEX_FILE}`;
    const { bytes, places, tailShare } = await fetchHeader(bucket, ctx, key, indexSize, this.#tailShare);
    // Blocks of one bucket look alike; a smaller one counts only bit by bit.
    const share = tailShare * TAIL_SHARE_ROOM;
    this.#tailShare = Math.max(share, this.#tailShare - (this.#tailShare - share) / 8);
    try {
      await disk.makeDir(dir);
      await disk.writeFileAtomic(`${dir}/${HEADER_FILE}`, bytes);
      await disk.writeFileAtomic(`${dir}/${PLACES_FILE}`, encodePlaces(places));
      return await this.#opened(id, dir, places);
    } catch (error) {
      log.warn('an index-header was not cached', { dir, error: (error as Error).message });
    }
    const header = new IndexHeader(places, {
      path: key,
      read: (start, length) => bytes.subarray(start, start + length),
    });
    return { id, header, file: undefined, sizeBytes: bytes.length + header.sizeBytes, users: 0, usedMs: 0 };
  }
}

/** Removes a tenant's cached headers of other blocks than `ulids`; a query that still has one open goes on. */
export async function retainHeaders(
  disk: Disk,
  dir: string,
  tenant: string,
  ulids: ReadonlySet<string>,
): Promise<void> {
  for (const { name } of await disk.list(`${dir}/${tenant}`))
    if (!ulids.has(name)) await disk.remove(`${dir}/${tenant}/${name}`);
}

/** Removes what interrupted writes left in a cache of index-headers. Before anybody uses it: they look like writes under way. */
export async function removeUnfinishedHeaders(disk: Disk, dir: string): Promise<void> {
  for (const tenant of await foldersIn(disk, dir))
    for (const block of await foldersIn(disk, tenant))
      for (const { name } of await disk.list(block))
        if (name.endsWith('.tmp')) await disk.remove(`${block}/${name}`);
}

async function foldersIn(disk: Disk, dir: string): Promise<string[]> {
  return (await disk.list(dir)).filter((entry) => entry.isDirectory).map(({ name }) => `${dir}/${name}`);
}

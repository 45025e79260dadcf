import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext, ListEntry } from '../objstore/bucket.ts';
import { settled } from '../platform/settled.ts';
import { isUlid } from '../tsdb/block/ulid.ts';
import { type BlockLayout, blockFile, globalMarkFile, MARKERS_FOLDER, META_FILE } from './layout.ts';
import { MARK_FILES, type MarkKind, markKindOf } from './marks.ts';
import { TENANT_DELETION_FILE } from './tenant-deletion.ts';

export type ObjectEntry = Extract<ListEntry, { kind: 'object' }>;

/** Objects of one block by their path in its folder. */
export type BlockObjects = ReadonlyMap<string, ObjectEntry>;

/** New blocks that are always listed one by one. */
const FRESH_AT_ONCE = 8;
/** Index, chunks, `meta.json` and what else there may be; and how many objects a store lists in one answer. */
const OBJECTS_A_BLOCK = 4;
const OBJECTS_A_PAGE = 1000;

/** What listings tell about the blocks below a prefix. */
export interface BlockScan {
  readonly blocks: ReadonlyMap<string, BlockObjects>;
  /** Copies of marks in `markers/`, by kind and block. */
  readonly globalMarks: ReadonlyMap<MarkKind, ReadonlyMap<string, ObjectEntry>>;
  /** Whether the tenant's own folder has the mark that all of it is to be deleted. */
  readonly isTenantDeleted: boolean;
}

/** Looks for blocks below one prefix of a bucket: `<tenant>/`, or the root for Thanos' layout. */
export class BlockScanner {
  readonly #bucket: Bucket;
  readonly #prefix: string;
  readonly #layout: BlockLayout;
  readonly #blocksMax: number;

  constructor(bucket: Bucket, tenant: string, layout: BlockLayout, blocksMax: number) {
    this.#bucket = bucket;
    this.#prefix = layout === 'tenant' ? `${tenant}/` : '';
    this.#layout = layout;
    this.#blocksMax = blocksMax;
  }

  /** Every object of every block: a request per thousand objects. */
  async full(ctx: BucketContext): Promise<BlockScan> {
    return this.#layout === 'tenant' ? this.#fullTenant(ctx) : this.#fullRoot(ctx);
  }

  /**
   * Which blocks there are, and the objects of those that `known` does not have whole: a request per thousand blocks,
   * and one per block that is new, all of these at once. Marks beside blocks that are known are not seen, those in
   * `markers/` are. Undefined when so many are new that `full` is fewer requests.
   */
  async quick(
    ctx: BucketContext,
    known: BlockScan,
    isWhole: (ulid: string) => boolean,
  ): Promise<BlockScan | undefined> {
    const folders = await this.#folders(ctx);
    const isKept = (ulid: string) => known.blocks.get(ulid)?.has(META_FILE) && isWhole(ulid);
    const fresh = folders.filter((ulid) => !isKept(ulid));
    if (fresh.length > Math.max(FRESH_AT_ONCE, (folders.length * OBJECTS_A_BLOCK) / OBJECTS_A_PAGE))
      return undefined;
    const listed = new Map(
      await settled(fresh.map(async (ulid) => [ulid, await this.#listBlock(ctx, ulid)] as const)),
    );
    const found = new Found(this.#prefix, this.#blocksMax);
    for (const ulid of folders) {
      const objects = known.blocks.get(ulid);
      const entries = listed.get(ulid);
      if (entries) for (const entry of entries) found.add(entry);
      else if (objects) found.keep(ulid, objects);
    }
    if (this.#layout === 'tenant')
      for await (const entry of this.#bucket.list(ctx, `${this.#prefix}${MARKERS_FOLDER}/`)) found.add(entry);
    return found;
  }

  async #fullTenant(ctx: BucketContext): Promise<BlockScan> {
    const found = new Found(this.#prefix, this.#blocksMax);
    for await (const entry of this.#bucket.list(ctx, this.#prefix, { recursive: true })) found.add(entry);
    return found;
  }

  /** Tenants' folders lie between the blocks: a listing that runs into one begins anew at the next block. */
  async #fullRoot(ctx: BucketContext): Promise<BlockScan> {
    const found = new Found('', this.#blocksMax);
    const folders = await this.#folders(ctx);
    for (let i = 0; i < folders.length; ) {
      const startAfter = folders[i];
      let last = folders[i];
      for await (const entry of this.#bucket.list(ctx, '', { recursive: true, startAfter })) {
        if (!found.add(entry)) break;
        last = entry.key.slice(0, 26);
      }
      while (i < folders.length && folders[i] <= last) i++;
    }
    return found;
  }

  async #folders(ctx: BucketContext): Promise<string[]> {
    const ulids: string[] = [];
    for await (const { kind, key } of this.#bucket.list(ctx, this.#prefix)) {
      const name = key.slice(this.#prefix.length, -1);
      if (kind === 'folder' && isUlid(name)) ulids.push(name);
    }
    return ulids;
  }

  async #listBlock(ctx: BucketContext, ulid: string): Promise<ListEntry[]> {
    const entries: ListEntry[] = [];
    for await (const entry of this.#bucket.list(ctx, `${this.#prefix}${ulid}/`, { recursive: true }))
      entries.push(entry);
    return entries;
  }
}

class Found implements BlockScan {
  readonly blocks = new Map<string, Map<string, ObjectEntry>>();
  readonly globalMarks = new Map<MarkKind, Map<string, ObjectEntry>>();
  isTenantDeleted = false;
  readonly #prefix: string;
  readonly #blocksMax: number;

  constructor(prefix: string, blocksMax: number) {
    this.#prefix = prefix;
    this.#blocksMax = blocksMax;
  }

  keep(ulid: string, objects: BlockObjects): void {
    this.blocks.set(ulid, new Map(objects));
    this.#checkCount();
  }

  /** Whether the entry is an object of a block, or a mark of one. */
  add(entry: ListEntry): boolean {
    if (entry.kind !== 'object') return false;
    const path = entry.key.slice(this.#prefix.length);
    const own = blockFile(path);
    if (own) {
      this.#addFile(own.ulid, own.file, entry);
      return true;
    }
    const name = path.startsWith(`${MARKERS_FOLDER}/`) ? path.slice(MARKERS_FOLDER.length + 1) : '';
    if (name === TENANT_DELETION_FILE) this.isTenantDeleted = true;
    const global = globalMarkFile(name);
    const kind = global && markKindOf(global.file);
    if (!kind) return false;
    const marks = this.globalMarks.get(kind) ?? new Map<string, ObjectEntry>();
    this.globalMarks.set(kind, marks.set(global.ulid, entry));
    return true;
  }

  #addFile(ulid: string, file: string, entry: ObjectEntry): void {
    const files = this.blocks.get(ulid) ?? new Map<string, ObjectEntry>();
    this.blocks.set(ulid, files.set(file, entry));
    this.#checkCount();
  }

  #checkCount(): void {
    if (this.blocks.size <= this.#blocksMax) return;
    throw new VeronaError(
      'limit',
      `list blocks in ${this.#prefix || 'the root'}: more than ${this.#blocksMax}`,
    );
  }
}

/** The object that holds a mark of a block: the one beside it, else the copy in `markers/`. */
export function markObject(scan: BlockScan, ulid: string, kind: MarkKind): ObjectEntry | undefined {
  return scan.blocks.get(ulid)?.get(MARK_FILES[kind]) ?? scan.globalMarks.get(kind)?.get(ulid);
}

import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { ListedObjects } from '../objstore/cache/listed-objects.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge, Metrics } from '../platform/metrics.ts';
import { settled } from '../platform/settled.ts';
import { type BlockScan, BlockScanner, markObject, type ObjectEntry } from './block-scan.ts';
import { readBucketIndex } from './bucket-index.ts';
import {
  type BlockLayout,
  type BlockRef,
  blockRef,
  INDEX_FILE,
  isTenantFolder,
  META_FILE,
} from './layout.ts';
import {
  type BlockMark,
  type BlockMarks,
  MARK_FILES,
  MARK_KINDS,
  MARK_SIZE_BYTES_MAX,
  type MarkKind,
  parseMark,
} from './marks.ts';
import { type BlockMeta, META_SIZE_BYTES_MAX, parseMeta } from './meta.ts';
import { type RootTenancy, rootTenantOf } from './root-tenancy.ts';
import { SHARD_LABEL } from './shard-label.ts';
import { SmallFiles } from './small-files.ts';

export interface BlockCatalogOptions {
  /** A block marked for deletion is still read this long, ms. */
  readonly ignoreDeletionMarksDelayMs: number;
  /** A block is not shown before its `meta.json` is this old, ms: for stores whose listings lag behind. */
  readonly consistencyDelayMs?: number;
  /** A quick look finds new blocks and marks in `markers/`; every object is listed only this often, ms. */
  readonly fullListingIntervalMs?: number;
  /** Blocks of one tenant beyond this are an error: their metas are all in memory. */
  readonly blocksMax?: number;
  /** Whose the blocks in Thanos' layout are; without it they are left alone. */
  readonly rootTenancy?: RootTenancy;
}

export interface BlockCatalogDeps {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** Where `meta.json` of blocks may be kept for the next start; marks are read from the bucket. */
  readonly metas?: ListedObjects | undefined;
}

/** A whole block in the bucket. */
export interface BucketBlock {
  readonly ref: BlockRef;
  readonly meta: BlockMeta;
  /** Object sizes by path within the block, as the last listing had them. */
  readonly sizes: ReadonlyMap<string, number>;
  /** When its `meta.json` was stored, ms. */
  readonly uploadedMs: number;
  readonly marks: BlockMarks;
  /** Labels that its series have besides their own: external labels of a block in Thanos' layout. */
  readonly seriesLabels?: Readonly<Record<string, string>>;
}

/** A block without a `meta.json` that can be read: an upload under way, one that broke off, or a deletion that did. */
export interface UnfinishedBlock {
  readonly ref: BlockRef;
  /** `corrupted`: there is a `meta.json`, but it does not decode. */
  readonly kind: 'partial' | 'corrupted';
  readonly sizes: ReadonlyMap<string, number>;
  /** When its newest object was stored, ms. */
  readonly newestMs: number;
  readonly marks: BlockMarks;
}

/** A tenant's blocks in both layouts, as of one refresh. */
export interface TenantBlocks {
  /** Every block with a good `meta.json`, whatever its marks, oldest first. */
  readonly whole: readonly BucketBlock[];
  /** Those that queries read: not marked for deletion for too long, not hidden, not younger than the delay. */
  readonly readable: readonly BucketBlock[];
  readonly unfinished: readonly UnfinishedBlock[];
  /** Marks in `markers/` whose blocks are gone. */
  readonly orphanMarks: readonly {
    readonly ref: BlockRef;
    readonly kind: MarkKind;
    readonly modifiedMs: number;
  }[];
  /** Marks beside blocks that lack their copy in `markers/`, where Cortex looks; certain after a full listing only. */
  readonly halfMarks: readonly { readonly ref: BlockRef; readonly kind: MarkKind }[];
  /** Whether a mark in the tenant's folder says that all of it is to be deleted. */
  readonly isTenantDeleted: boolean;
}

export const NO_BLOCKS: TenantBlocks = {
  whole: [],
  readable: [],
  unfinished: [],
  orphanMarks: [],
  halfMarks: [],
  isTenantDeleted: false,
};

const BLOCKS_MAX = 100_000;
const FULL_LISTING_INTERVAL_MS = 15 * 60_000;
const STATES = ['loaded', 'partial', 'corrupted', 'marked-for-deletion', 'hidden', 'too-fresh'] as const;

/** What is remembered of one prefix between refreshes. */
interface Place {
  readonly scan: BlockScan;
  /** When every object was listed last, by the monotonic clock. */
  readonly listedMs: number;
  readonly files: SmallFiles;
  readonly found: FoundBlocks;
}

type FoundBlocks = Omit<TenantBlocks, 'readable'>;

/**
 * Which blocks the bucket has, whose they are, and how they are marked. A refresh costs listings only: a few small
 * requests per tenant, and every `fullListingIntervalMs` one per thousand objects; small files are read once each.
 * A broken file is a warning and a number, not an error.
 */
export class BlockCatalog {
  readonly #deps: BlockCatalogDeps;
  readonly #options: BlockCatalogOptions;
  readonly #gauge: Gauge<'tenant' | 'state'>;
  readonly #unowned: Gauge;
  readonly #places = new Map<string, Place>();
  readonly #tenants = new Map<string, TenantBlocks>();

  constructor(options: BlockCatalogOptions, deps: BlockCatalogDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#gauge = deps.metrics.gauge(
      'verona_blocks_meta_synced',
      'Blocks in the bucket by what they are good for.',
      ['tenant', 'state'],
    );
    this.#unowned = deps.metrics.gauge(
      'verona_blocks_unowned',
      'Blocks below the root of the bucket that are no tenant’s by the settings, and are left alone.',
    );
  }

  /** Who has a folder or blocks below the root, sorted. Looks at the root's blocks again when they are anybody's. */
  async tenants(ctx: BucketContext): Promise<readonly string[]> {
    const names = new Set<string>();
    for await (const { kind, key } of this.#deps.bucket.list(ctx, ''))
      if (kind === 'folder' && isTenantFolder(key.slice(0, -1))) names.add(key.slice(0, -1));
    if (this.#options.rootTenancy) {
      const { whole, unfinished } = await this.#refreshPlace(ctx, ROOT, false);
      // What is left over of the last block is somebody's to remove.
      for (const { ref } of [...whole, ...unfinished]) names.add(ref.tenant);
    }
    return [...names].sort();
  }

  /** The tenant's blocks as of the last refresh; none before the first. */
  view(tenant: string): TenantBlocks {
    return this.#tenants.get(tenant) ?? NO_BLOCKS;
  }

  /** Tenants that had readable blocks at their last refresh. */
  get knownTenants(): readonly string[] {
    return [...this.#tenants.keys()];
  }

  /** The readable blocks of the last refresh, oldest first. */
  blocks(tenant: string): readonly BucketBlock[] {
    return this.view(tenant).readable;
  }

  /**
   * Whether the last refresh found a block, or one that was made of it. What is served from the bucket is what a
   * refresh found, so only then may the local copy go.
   */
  holds(tenant: string, ulid: string): boolean {
    return this.blocks(tenant).some(({ meta }) => meta.ulid === ulid || meta.sources.includes(ulid));
  }

  /**
   * Looks again. `full` sees every mark at once, which whoever changes blocks needs; without it marks beside known
   * blocks are seen within `fullListingIntervalMs`. When the bucket fails the last view stays and the error is thrown.
   */
  async refresh(ctx: BucketContext, tenant: string, { full = false } = {}): Promise<TenantBlocks> {
    const own = await this.#refreshPlace(ctx, tenant, full);
    if (full && this.#options.rootTenancy) await this.#refreshPlace(ctx, ROOT, true);
    const all = joined(own, this.#ofRoot(tenant));
    const readable = this.#readable(tenant, all);
    const before = this.view(tenant).readable;
    // The same list stays the same array: what others made of it is still good.
    const view = { ...all, readable: isSameList(before, readable) ? before : readable };
    if (view.whole.length + view.unfinished.length + view.orphanMarks.length > 0 || view.isTenantDeleted)
      this.#tenants.set(tenant, view);
    else this.#tenants.delete(tenant);
    return view;
  }

  async #refreshPlace(ctx: BucketContext, place: string, full: boolean): Promise<FoundBlocks> {
    const before = this.#places.get(place);
    const layout: BlockLayout = place === ROOT ? 'root' : 'tenant';
    const scanner = new BlockScanner(this.#deps.bucket, place, layout, this.#options.blocksMax ?? BLOCKS_MAX);
    const nowMs = this.#deps.clock.monotonic();
    const interval = this.#options.fullListingIntervalMs ?? FULL_LISTING_INTERVAL_MS;
    const whole = new Map(before?.found.whole.map((block) => [block.ref.ulid, block]));
    const quick =
      !full && before && nowMs - before.listedMs < interval
        ? await scanner.quick(ctx, before.scan, (ulid) => hasAllFiles(whole.get(ulid)))
        : undefined;
    const scan = quick ?? (await scanner.full(ctx));
    const files = before?.files ?? (await this.#newFiles(ctx, place));
    const found = await this.#load(ctx, place, scan, files);
    files.endRound();
    if (scan.blocks.size === 0 && scan.globalMarks.size === 0 && !scan.isTenantDeleted)
      this.#places.delete(place);
    else
      this.#places.set(place, { scan, listedMs: quick ? (before?.listedMs ?? nowMs) : nowMs, files, found });
    return found;
  }

  /** The first look begins with what the tenant's bucket index knows: one request instead of one per block. */
  async #newFiles(ctx: BucketContext, place: string): Promise<SmallFiles> {
    const { bucket, log } = this.#deps;
    const files = new SmallFiles(bucket, log);
    if (place === ROOT) return files;
    try {
      const index = await readBucketIndex(ctx, bucket, place);
      for (const [ulid, { meta, sizeBytes, modifiedMs }] of index?.metas ?? [])
        files.prime(`${blockRef(place, ulid).folder}/${META_FILE}`, sizeBytes, modifiedMs, meta);
    } catch (error) {
      // It only saves requests: whatever is wrong with it, the blocks themselves are looked at.
      if (!ctx.signal.aborted)
        log.warn('a bucket index is not used', { tenant: place, error: String(error) });
    }
    return files;
  }

  async #load(ctx: BucketContext, place: string, scan: BlockScan, files: SmallFiles): Promise<FoundBlocks> {
    const loaded = await settled(
      [...scan.blocks.keys()].map((ulid) => this.#loadBlock(ctx, place, scan, ulid, files)),
    );
    const owned = loaded.filter((block) => block !== undefined);
    if (place === ROOT) this.#unowned.set(loaded.length - owned.length);
    return {
      whole: owned.filter((block) => 'meta' in block).sort(byAge),
      unfinished: owned.filter((block) => 'kind' in block),
      orphanMarks: place === ROOT ? [] : orphanMarks(place, scan),
      halfMarks: place === ROOT ? [] : halfMarks(place, scan),
      isTenantDeleted: scan.isTenantDeleted,
    };
  }

  /** Undefined when the block is nobody's. */
  async #loadBlock(
    ctx: BucketContext,
    place: string,
    scan: BlockScan,
    ulid: string,
    files: SmallFiles,
  ): Promise<BucketBlock | UnfinishedBlock | undefined> {
    const objects = scan.blocks.get(ulid) ?? new Map<string, ObjectEntry>();
    const metaObject = objects.get(META_FILE);
    const meta =
      metaObject &&
      (await files.read(
        ctx,
        metaObject,
        META_SIZE_BYTES_MAX,
        (data) => parseMeta(data, metaObject.key, ulid),
        this.#deps.metas,
      ));
    const ref = this.#refOf(place, ulid, meta);
    if (!ref) return undefined;
    const marks = await this.#loadMarks(ctx, scan, ulid, files);
    const sizes = new Map([...objects].map(([path, { sizeBytes }]) => [path, sizeBytes]));
    if (meta) {
      const seriesLabels = place === ROOT ? this.#seriesLabels(meta) : undefined;
      return {
        ref,
        meta,
        sizes,
        uploadedMs: metaObject?.modifiedMs ?? 0,
        marks,
        ...(seriesLabels && { seriesLabels }),
      };
    }
    const newestMs = Math.max(0, ...[...objects.values()].map(({ modifiedMs }) => modifiedMs));
    return { ref, kind: metaObject ? 'corrupted' : 'partial', sizes, newestMs, marks };
  }

  /** Whose an unfinished block below the root is nobody knows; it is shown to the owner of the rest, if there is one. */
  #refOf(place: string, ulid: string, meta: BlockMeta | undefined): BlockRef | undefined {
    if (place !== ROOT) return blockRef(place, ulid);
    const { rootTenancy } = this.#options;
    const tenant = rootTenancy && rootTenantOf(meta?.labels ?? {}, rootTenancy);
    return tenant === undefined ? undefined : blockRef(tenant, ulid, 'root');
  }

  /** The label that says whose a block is says nothing about its series. */
  #seriesLabels({ labels }: BlockMeta): Readonly<Record<string, string>> {
    const tenantLabel = this.#options.rootTenancy?.tenantLabel;
    return Object.fromEntries(
      Object.entries(labels).filter(([name]) => name !== tenantLabel && name !== SHARD_LABEL),
    );
  }

  async #loadMarks(
    ctx: BucketContext,
    scan: BlockScan,
    ulid: string,
    files: SmallFiles,
  ): Promise<BlockMarks> {
    const marks: { [K in MarkKind]?: BlockMark } = {};
    for (const kind of MARK_KINDS) {
      const object = markObject(scan, ulid, kind);
      if (!object) continue;
      const parse = (data: Uint8Array) => parseMark(data, object.key, kind, ulid);
      const mark = await files.read(ctx, object, MARK_SIZE_BYTES_MAX, parse);
      if (mark) marks[kind] = mark;
      // A block too many is better than one too few; but what may not be touched stays untouched.
      else if (kind !== 'deletion') marks[kind] = unreadableMark(object);
    }
    return marks;
  }

  #ofRoot(tenant: string): FoundBlocks {
    const { whole, unfinished } = this.#places.get(ROOT)?.found ?? NO_BLOCKS;
    const own = ({ ref }: { ref: BlockRef }) => ref.tenant === tenant;
    return {
      whole: whole.filter(own),
      unfinished: unfinished.filter(own),
      orphanMarks: [],
      halfMarks: [],
      isTenantDeleted: false,
    };
  }

  #readable(tenant: string, { whole, unfinished }: FoundBlocks): BucketBlock[] {
    const counts = new Map(STATES.map((state) => [state, 0]));
    const count = (state: (typeof STATES)[number]) => counts.set(state, (counts.get(state) ?? 0) + 1);
    for (const { kind } of unfinished) count(kind);
    const own = new Set(whole.filter(({ ref }) => ref.layout === 'tenant').map(({ ref }) => ref.ulid));
    const readable = whole.filter((block) => {
      // Copied from one layout to the other: read once.
      if (block.ref.layout === 'root' && own.has(block.ref.ulid)) return false;
      const state = this.#stateOf(block);
      count(state);
      return state === 'loaded';
    });
    for (const [state, number] of counts) this.#gauge.set({ tenant, state }, number);
    return readable;
  }

  #stateOf({ marks, uploadedMs }: BucketBlock): (typeof STATES)[number] {
    const nowMs = this.#deps.clock.now();
    const { ignoreDeletionMarksDelayMs, consistencyDelayMs = 0 } = this.#options;
    if (marks.deletion && nowMs - marks.deletion.timeMs >= ignoreDeletionMarksDelayMs)
      return 'marked-for-deletion';
    if (marks.quarantine?.hidden) return 'hidden';
    // Without a delay a block counts at once, also for a clock that is behind that of the store.
    return consistencyDelayMs > 0 && nowMs - uploadedMs < consistencyDelayMs ? 'too-fresh' : 'loaded';
  }
}

/** No tenant has this name. */
const ROOT = '';

function joined(a: FoundBlocks, b: FoundBlocks): FoundBlocks {
  return {
    whole: b.whole.length === 0 ? a.whole : [...a.whole, ...b.whole].sort(byAge),
    unfinished: [...a.unfinished, ...b.unfinished],
    orphanMarks: a.orphanMarks,
    halfMarks: a.halfMarks,
    isTenantDeleted: a.isTenantDeleted,
  };
}

function byAge(a: BucketBlock, b: BucketBlock): number {
  return a.meta.mint - b.meta.mint || (a.meta.ulid < b.meta.ulid ? -1 : 1);
}

/** Whether nothing that readers see has changed. Metas are read once, so equal ones are the same. */
function isSameList(a: readonly BucketBlock[], b: readonly BucketBlock[]): boolean {
  return a.length === b.length && a.every((block, i) => isSameBlock(block, b[i]));
}

function isSameBlock(a: BucketBlock, b: BucketBlock): boolean {
  return (
    a.meta === b.meta &&
    a.ref.folder === b.ref.folder &&
    a.sizes.size === b.sizes.size &&
    [...a.sizes].every(([path, sizeBytes]) => b.sizes.get(path) === sizeBytes) &&
    JSON.stringify(a.marks) === JSON.stringify(b.marks)
  );
}

/** A listing that lagged behind is not built upon. */
function hasAllFiles(block: BucketBlock | undefined): boolean {
  if (!block?.sizes.has(INDEX_FILE)) return false;
  return block.meta.files.every(({ relPath }) => block.sizes.has(relPath));
}

function orphanMarks(tenant: string, scan: BlockScan): TenantBlocks['orphanMarks'] {
  return [...scan.globalMarks].flatMap(([kind, marks]) =>
    [...marks]
      .filter(([ulid]) => !scan.blocks.has(ulid))
      .map(([ulid, { modifiedMs }]) => ({ ref: blockRef(tenant, ulid), kind, modifiedMs })),
  );
}

function halfMarks(tenant: string, scan: BlockScan): TenantBlocks['halfMarks'] {
  const found: { ref: BlockRef; kind: MarkKind }[] = [];
  for (const [ulid, objects] of scan.blocks)
    for (const kind of MARK_KINDS)
      if (objects.has(MARK_FILES[kind]) && !scan.globalMarks.get(kind)?.has(ulid))
        found.push({ ref: blockRef(tenant, ulid), kind });
  return found;
}

function unreadableMark({ modifiedMs, key }: ObjectEntry): BlockMark {
  return { timeMs: modifiedMs, reason: 'unreadable', details: `${key} does not decode`, hidden: false };
}

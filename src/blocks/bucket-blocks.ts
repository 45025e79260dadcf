import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext, ListEntry } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { Gauge, Metrics } from '../platform/metrics.ts';
import { isUlid } from '../tsdb/block/ulid.ts';
import { blockKey, DELETION_MARK_FILE, globalDeletionMarkKey, META_FILE, markedBlock } from './layout.ts';
import { type BlockMeta, META_SIZE_BYTES_MAX, parseDeletionMark, parseMeta } from './meta.ts';

export interface BucketBlocksOptions {
  /** A block marked for deletion is still read this long, ms. */
  readonly ignoreDeletionMarksDelayMs: number;
  /** Blocks of one tenant beyond this are an error: their metas are all in memory. */
  readonly blocksMax?: number;
}

export interface BucketBlocksDeps {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
}

/** A whole block in the bucket. */
export interface BucketBlock {
  readonly meta: BlockMeta;
  /** Object sizes by path within the block, as the last listing had them. */
  readonly sizes: ReadonlyMap<string, number>;
  /** When it was marked for deletion, ms. */
  readonly deletedMs: number | undefined;
}

const BLOCKS_MAX = 100_000;
const FETCHES_AT_ONCE = 16;
const MARK_SIZE_BYTES_MAX = 1024 * 1024;
const STATES = ['loaded', 'partial', 'corrupted', 'marked-for-deletion'] as const;

type BlockState = (typeof STATES)[number];
type Objects = ReadonlyMap<string, Extract<ListEntry, { kind: 'object' }>>;

/** A file that was read, valid as long as the listing shows the same object. */
interface Cached<T> {
  readonly version: string;
  readonly value: T;
}

/** What is remembered of a tenant between refreshes: small files that were read, by their block. */
interface TenantCache {
  readonly metas: ReadonlyMap<string, Cached<BlockMeta | undefined>>;
  readonly marks: ReadonlyMap<string, Cached<number | undefined>>;
  readonly blocks: readonly BucketBlock[];
}

const EMPTY: TenantCache = { metas: new Map(), marks: new Map(), blocks: [] };

/**
 * Which blocks the bucket has. One listing per refresh tells everything but the contents of `meta.json` and deletion
 * marks, which are read once each. Partial uploads are skipped; a broken file is a warning and a number, not an error.
 */
export class BucketBlocks {
  readonly #deps: BucketBlocksDeps;
  readonly #options: BucketBlocksOptions;
  readonly #gate = new Gate(FETCHES_AT_ONCE);
  readonly #gauge: Gauge<'tenant' | 'state'>;
  readonly #tenants = new Map<string, TenantCache>();

  constructor(options: BucketBlocksOptions, deps: BucketBlocksDeps) {
    this.#options = options;
    this.#deps = deps;
    this.#gauge = deps.metrics.gauge(
      'verona_blocks_meta_synced',
      'Blocks in the bucket by what they are good for.',
      ['tenant', 'state'],
    );
  }

  /** Names of the folders that may be tenants, sorted. */
  async tenants(ctx: BucketContext): Promise<readonly string[]> {
    const names: string[] = [];
    for await (const { kind, key } of this.#deps.bucket.list(ctx, ''))
      if (kind === 'folder' && !key.startsWith('__')) names.push(key.slice(0, -1));
    return names;
  }

  /** The readable blocks of the last refresh, oldest first; none before the first. */
  blocks(tenant: string): readonly BucketBlock[] {
    return this.#tenants.get(tenant)?.blocks ?? [];
  }

  /**
   * Whether the last refresh found a block, or one that was made of it. What is served from the bucket is what a
   * refresh found, so only then may the local copy go.
   */
  holds(tenant: string, ulid: string): boolean {
    return this.blocks(tenant).some(({ meta }) => meta.ulid === ulid || meta.sources.includes(ulid));
  }

  /** Looks again. When the bucket fails the last view stays and the error is thrown. */
  async refresh(ctx: BucketContext, tenant: string): Promise<readonly BucketBlock[]> {
    const found = await this.#list(ctx, tenant);
    const before = this.#tenants.get(tenant) ?? EMPTY;
    const after = await this.#load(ctx, tenant, found, before);
    if (after.blocks.length === 0 && found.blocks.size === 0) this.#tenants.delete(tenant);
    else this.#tenants.set(tenant, after);
    return after.blocks;
  }

  async #list(ctx: BucketContext, tenant: string): Promise<FoundObjects> {
    const blocks = new Map<string, Map<string, Extract<ListEntry, { kind: 'object' }>>>();
    const marks = new Map<string, Extract<ListEntry, { kind: 'object' }>>();
    const prefix = `${tenant}/`;
    const blocksMax = this.#options.blocksMax ?? BLOCKS_MAX;
    for await (const entry of this.#deps.bucket.list(ctx, prefix, { recursive: true })) {
      if (entry.kind !== 'object') continue;
      const path = entry.key.slice(prefix.length);
      const marked = markedBlock(path);
      if (marked) marks.set(marked, entry);
      const ulid = path.slice(0, 26);
      if (!isUlid(ulid) || path[26] !== '/') continue;
      const files = blocks.get(ulid) ?? new Map();
      blocks.set(ulid, files.set(path.slice(27), entry));
      if (blocks.size > blocksMax)
        throw new VeronaError('limit', `list blocks of ${tenant}: more than ${blocksMax} blocks`);
    }
    return { blocks, marks };
  }

  async #load(
    ctx: BucketContext,
    tenant: string,
    found: FoundObjects,
    before: TenantCache,
  ): Promise<TenantCache> {
    const metas = new Map<string, Cached<BlockMeta | undefined>>();
    const marks = new Map<string, Cached<number | undefined>>();
    const work: Promise<void>[] = [];
    for (const [ulid, files] of found.blocks) {
      const meta = files.get(META_FILE);
      if (meta)
        work.push(this.#keep(metas, before.metas, ulid, meta, () => this.#readMeta(ctx, tenant, ulid)));
      const mark = found.marks.get(ulid);
      if (mark)
        work.push(
          this.#keep(marks, before.marks, ulid, mark, () => this.#readMark(ctx, tenant, ulid, mark.key)),
        );
    }
    await settled(work);
    return { metas, marks, blocks: this.#view(tenant, found, metas, marks) };
  }

  async #keep<T>(
    into: Map<string, Cached<T>>,
    before: ReadonlyMap<string, Cached<T>>,
    ulid: string,
    { key, sizeBytes, modifiedMs }: { key: string; sizeBytes: number; modifiedMs: number },
    read: () => Promise<T>,
  ): Promise<void> {
    const version = `${key} ${sizeBytes} ${modifiedMs}`;
    const known = before.get(ulid);
    into.set(ulid, known?.version === version ? known : { version, value: await read() });
  }

  /** Undefined when it does not decode, or is gone since the listing. */
  async #readMeta(ctx: BucketContext, tenant: string, ulid: string): Promise<BlockMeta | undefined> {
    const key = blockKey(tenant, ulid, META_FILE);
    return this.#read(ctx, key, META_SIZE_BYTES_MAX, (data) => parseMeta(data, key, ulid));
  }

  /** When a block was marked. A mark that cannot be read counts as none: a block too many is better than one too few. */
  async #readMark(
    ctx: BucketContext,
    tenant: string,
    ulid: string,
    key: string,
  ): Promise<number | undefined> {
    const own = [blockKey(tenant, ulid, DELETION_MARK_FILE), globalDeletionMarkKey(tenant, ulid)].includes(
      key,
    );
    if (!own) return undefined;
    const mark = await this.#read(ctx, key, MARK_SIZE_BYTES_MAX, (data) => parseDeletionMark(data, key));
    return mark?.ulid === ulid ? mark.deletedMs : undefined;
  }

  async #read<T>(
    ctx: BucketContext,
    key: string,
    sizeBytesMax: number,
    parse: (data: Uint8Array) => T,
  ): Promise<T | undefined> {
    try {
      return parse(
        await this.#gate.run(ctx.signal, `read ${key}`, () => this.#deps.bucket.get(ctx, key, sizeBytesMax)),
      );
    } catch (error) {
      const { code, message } = error as VeronaError;
      if (code === 'not_found') return undefined;
      if (code !== 'corrupt' && code !== 'too_large') throw error;
      this.#deps.log.warn('a file in the bucket is broken', { key, error: message });
      return undefined;
    }
  }

  #view(
    tenant: string,
    found: FoundObjects,
    metas: ReadonlyMap<string, Cached<BlockMeta | undefined>>,
    marks: ReadonlyMap<string, Cached<number | undefined>>,
  ): readonly BucketBlock[] {
    const counts = new Map<BlockState, number>(STATES.map((state) => [state, 0]));
    const blocks: BucketBlock[] = [];
    for (const [ulid, files] of found.blocks) {
      const meta = metas.get(ulid)?.value;
      const deletedMs = marks.get(ulid)?.value;
      const state = this.#stateOf(metas.has(ulid), meta, deletedMs);
      counts.set(state, (counts.get(state) ?? 0) + 1);
      if (meta && state === 'loaded') blocks.push({ meta, deletedMs, sizes: sizesOf(files) });
    }
    for (const [state, count] of counts) this.#gauge.set({ tenant, state }, count);
    return blocks.sort((a, b) => a.meta.mint - b.meta.mint || (a.meta.ulid < b.meta.ulid ? -1 : 1));
  }

  #stateOf(hasMeta: boolean, meta: BlockMeta | undefined, deletedMs: number | undefined): BlockState {
    if (
      deletedMs !== undefined &&
      this.#deps.clock.now() - deletedMs >= this.#options.ignoreDeletionMarksDelayMs
    )
      return 'marked-for-deletion';
    if (!hasMeta) return 'partial';
    return meta ? 'loaded' : 'corrupted';
  }
}

interface FoundObjects {
  readonly blocks: ReadonlyMap<string, Objects>;
  readonly marks: Objects;
}

function sizesOf(files: Objects): ReadonlyMap<string, number> {
  return new Map([...files].map(([path, { sizeBytes }]) => [path, sizeBytes]));
}

/** Waits for all, then throws the first error: nothing is left running behind the caller's back. */
async function settled(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason;
}

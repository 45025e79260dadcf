import type { BucketBlock } from '../blocks/block-catalog.ts';
import type { DeletionRequest } from '../blocks/deletion-request.ts';
import { INDEX_FILE } from '../blocks/layout.ts';
import { wrapError } from '../model/errors.ts';
import type { Bucket } from '../objstore/bucket.ts';
import { Gate } from '../objstore/gate.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Logger } from '../platform/log.ts';
import { mergeQueriers } from '../storage/merge.ts';
import { namedQuerier } from '../storage/named-querier.ts';
import type { Querier, Queryable, ReadContext } from '../storage/querier.ts';
import { withAddedWindows } from '../tsdb/downsample/add-windows.ts';
import { agreedBlocks } from './agreed-blocks.ts';
import { BlockChunks } from './block-chunks.ts';
import { BlockDeletions } from './block-deletions.ts';
import { BlockIndex, type PostingsCache } from './block-index.ts';
import { BlockQuerier, type OpenBlock } from './block-querier.ts';
import type { TimeWindow } from './block-selection.ts';
import { BlockSymbols } from './block-symbols.ts';
import { KnownLists } from './blocks-by-time.ts';
import { byRequest, tellingShortRanges } from './by-request.ts';
import { ByteCache } from './byte-cache.ts';
import {
  type ChosenBlock,
  chooseBlocks,
  haveWindowsToAdd,
  type LocalTime,
  type ResolutionWish,
} from './choose-blocks.ts';
import { ExternalLabels } from './external-labels.ts';
import { HeaderStore, type HeldHeader } from './header-store.ts';
import { withJoinedLabels } from './joined-labels.ts';
import { DEFAULT_REQUEST_LIMITS, RequestBudget, type RequestLimits } from './limits.ts';
import { ReadRoom } from './read-ahead.ts';
import { ReadShares } from './read-shares.ts';
import { TimeShare, type TimeShareOptions } from './time-share.ts';
import { within } from './within.ts';

/** Plain data: it can be sent to another thread, where a gateway of its own is made from it. */
export interface StoreGatewayOptions {
  /** Folder for index-headers; a cache, shared by all threads. */
  readonly cacheDir: string;
  /** What it may hold of all blocks and queries together, about; the sizes below are its ninths where they are not given. */
  readonly memoryBytes?: number;
  /** What open index-headers may take, and pages of them beside. */
  readonly headerMemoryBytesMax?: number;
  readonly headerPagesBytesMax?: number;
  /** An index-header that nobody has asked for so long is closed. */
  readonly headerIdleMs?: number;
  readonly postingsMemoryBytesMax?: number;
  /** Bytes that all queries together may have read before they need them; beyond it each reads piece by piece. */
  readonly readAheadBytesMax?: number;
  /** Reads from the bucket at once. */
  readonly readsMax?: number;
  readonly limits?: RequestLimits;
}

export interface StoreGatewayDeps {
  readonly bucket: Bucket;
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
}

/** What of a tenant is to be served from the bucket, asked anew for every query. */
export interface TenantView {
  readonly blocks: readonly BucketBlock[];
  /** Blocks that the same query reads from the local disk, and those they were compacted from (`compaction.sources`). */
  readonly localUlids: ReadonlySet<string>;
  /** When those are, so that no coarser block is read beside them. */
  readonly localBlocks?: readonly LocalTime[];
  /** Samples to leave out. */
  readonly deletions?: readonly DeletionRequest[];
  /** No sample outside is shown. */
  readonly window?: TimeWindow;
  /** The part of time that this gateway answers for, when others answer for the rest. */
  readonly share?: TimeShareOptions | undefined;
  /** Of one querier; those of the gateway when absent. */
  readonly limits?: RequestLimits;
}

const MIB = 1024 * 1024;
const MEMORY_BYTES = 576 * MIB;
const HEADER_IDLE_MS = 5 * 60_000;
const READS_MAX = 32;

/** Series out of blocks that are only in the bucket. One per thread; the tenants share its caches and its limit on reads. */
export class StoreGateway {
  readonly #deps: StoreGatewayDeps;
  readonly #limits: RequestLimits;
  readonly #headers: HeaderStore;
  readonly #postings: PostingsCache;
  readonly #gate: Gate;
  readonly #room: ReadRoom;
  readonly #shares: ReadShares;
  readonly #lists = new KnownLists();

  constructor(options: StoreGatewayOptions, deps: StoreGatewayDeps) {
    this.#deps = deps;
    this.#limits = options.limits ?? DEFAULT_REQUEST_LIMITS;
    const memory = options.memoryBytes ?? MEMORY_BYTES;
    const ninths = (count: number) => Math.floor((memory / 9) * count);
    this.#headers = new HeaderStore(
      {
        dir: options.cacheDir,
        memoryBytesMax: options.headerMemoryBytesMax ?? ninths(2),
        pageBytesMax: options.headerPagesBytesMax ?? ninths(1),
        makingBytesMax: ninths(2),
        idleMs: options.headerIdleMs ?? HEADER_IDLE_MS,
      },
      deps,
    );
    this.#postings = new ByteCache(options.postingsMemoryBytesMax ?? ninths(2));
    this.#gate = new Gate(options.readsMax ?? READS_MAX);
    this.#shares = new ReadShares(memory / MEMORY_BYTES);
    this.#room = new ReadRoom(options.readAheadBytesMax ?? ninths(2));
  }

  /** Index-headers that are open. */
  get openHeaders(): number {
    return this.#headers.openCount;
  }

  /** The tenant's blocks in the bucket as a source of series; `view` is asked when a querier is made. */
  queryable(view: () => TenantView): Queryable {
    return { querier: async (mint, maxt) => this.querier(view(), mint, maxt) };
  }

  /**
   * A querier over the blocks of `view` that touch mint … maxt (ms, inclusive). Its limits hold for all it is asked together.
   * With a wish for more than raw data it may give aggregate chunks; functions that these cannot answer get raw ones first, and
   * ranges samples that are near enough to each other.
   */
  querier(view: TenantView, mint: number, maxt: number, wish: ResolutionWish = { maxMs: 0 }): Querier {
    const budget = new RequestBudget(view.limits ?? this.#limits);
    const blocks = this.#blocksOf(view, mint, maxt);
    const share = view.share && new TimeShare(view.share);
    const over = (one: ResolutionWish) => {
      const all = chooseBlocks(blocks, mint, maxt, view.localUlids, one, view.localBlocks);
      const chosen = inWindow(all, view.window);
      const parts = share?.partsOf(chosen) ?? chosen;
      return tellingShortRanges(this.#over(parts, budget, view.deletions ?? []), parts, one);
    };
    if (wish.maxMs === 0 || wish.preferRaw) return over(wish);
    return byRequest(wish, new Set(blocks.map(({ meta }) => meta.resolutionMs)), over);
  }

  /** How far apart samples lie that a querier of `view` would give, ms; 0 when all are raw. */
  spacing(view: TenantView, mint: number, maxt: number, wish: ResolutionWish): number {
    const blocks = this.#blocksOf(view, mint, maxt);
    if (blocks.every(({ meta }) => meta.resolutionMs === 0)) return 0;
    const chosen = chooseBlocks(blocks, mint, maxt, view.localUlids, wish, view.localBlocks);
    return Math.max(0, ...inWindow(chosen, view.window).map(({ block }) => block.meta.resolutionMs));
  }

  /** All that have a say in what is chosen for mint … maxt. */
  #blocksOf({ blocks, share }: TenantView, mint: number, maxt: number): readonly BucketBlock[] {
    const all = this.#lists.byTime(blocks).around(mint, maxt);
    if (share === undefined || share.replicationFactor === 1) return all;
    return agreedBlocks(all, this.#deps.clock.now() - share.unknownMs);
  }

  #over(
    chosen: readonly ChosenBlock[],
    budget: RequestBudget,
    deletions: readonly DeletionRequest[],
  ): Querier {
    const { bucket } = this.#deps;
    const shared = { gate: this.#gate, room: this.#room, shares: this.#shares };
    const reads = { bucket, ...shared, budget, blockCount: chosen.length };
    const parts = chosen.map(({ block, mint, maxt }) =>
      namedQuerier(
        `bucket block ${block.meta.ulid}`,
        within(new BlockQuerier((ctx) => this.#open(ctx, block, deletions), reads), {
          block,
          mint,
          maxt,
        }),
      ),
    );
    const merged = withJoinedLabels(mergeQueriers(parts), parts);
    return haveWindowsToAdd(chosen) ? withAddedWindows(merged) : merged;
  }

  async #open(
    ctx: ReadContext,
    block: BucketBlock,
    requests: readonly DeletionRequest[],
  ): Promise<OpenBlock> {
    const { ref, meta, sizes } = block;
    let held: HeldHeader | undefined;
    try {
      held = await this.#headers.load(ctx, ref, sizes.get(INDEX_FILE));
      const { header, release } = held;
      const symbols = new BlockSymbols(header, SYMBOLS_KEPT);
      return {
        index: new BlockIndex(ref, meta, header, this.#postings),
        chunks: new BlockChunks(ref, sizes, meta.indexStats?.chunkMaxBytes),
        deletions: BlockDeletions.of(requests, block, header, symbols),
        external: ExternalLabels.of(block),
        symbols,
        release,
      };
    } catch (error) {
      held?.release();
      throw wrapError(`open block ${meta.ulid} in the bucket`, error);
    }
  }
}

function inWindow(chosen: readonly ChosenBlock[], window: TimeWindow | undefined): readonly ChosenBlock[] {
  if (window === undefined) return chosen;
  return chosen
    .map((part) => ({
      ...part,
      mint: Math.max(part.mint, window.mint),
      maxt: Math.min(part.maxt, window.maxt),
    }))
    .filter(({ mint, maxt }) => mint <= maxt);
}

/** Of one block: names, and values that many series have. */
const SYMBOLS_KEPT = 512;

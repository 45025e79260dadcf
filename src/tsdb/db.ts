import type { ByteParts } from '../encoding/byte-parts.ts';
import { VeronaError, wrapError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import type { DiskLock } from '../platform/disk.ts';
import type { Appender } from '../storage/appender.ts';
import type { Querier, Queryable } from '../storage/querier.ts';
import type { SeriesTarget } from '../storage/series-writer.ts';
import type { Block } from './block/block.ts';
import type { BlockMeta } from './block/meta.ts';
import { newUlid } from './block/ulid.ts';
import { type BlockMaker, LocalBlockMaker, verifyNewBlock } from './compact/block-maker.ts';
import { type BlockTarget, writeHeadBlock } from './compact/head-block.ts';
import { rangesOf, writeLateBlock } from './compact/late-blocks.ts';
import { blocksToDrop } from './compact/retention.ts';
import { DbBlocks, folderBytes, type LocalBlock } from './db-blocks.ts';
import { type DbMetrics, dbMetrics } from './db-metrics.ts';
import { DB_LIMITS_DEFAULT, type DbLimits, type DbOptions, MAINTENANCE_INTERVAL_MS } from './db-options.ts';
import { type DbView, DbViews, viewQuerier } from './db-view.ts';
import { Head } from './head/head.ts';
import type { LateChunks } from './head/late-samples.ts';
import type { SeriesPolicy } from './head/series-table.ts';
import type { WriteVersion } from './head/write-request.ts';
import type { WriteResult } from './head/write-result.ts';

/** Queries that began before a block was made may use the head as it was for so long. */
const READERS_WAIT_MS = 300_000;

/**
 * The storage of one tenant on this machine: a Prometheus data directory. Writes go to the head and its log, the head
 * becomes a block every block range, blocks leave when they are old and allowed to. One process at a time.
 */
export class Db implements Queryable {
  #limits: DbLimits;
  readonly head: Head;
  readonly #options: DbOptions;
  readonly #lock: DiskLock;
  readonly #blocks: DbBlocks;
  readonly #views = new DbViews();
  readonly #maker: BlockMaker;
  readonly #metrics: DbMetrics;
  /** Blocks being made, on disk already or not, that nobody may see yet. */
  readonly #unfinished = new Map<string, Block | undefined>();
  /** Since when there are late samples in the head that no block has; undefined while there are none. */
  #lateSince: number | undefined;
  /** Samples in order before this are in blocks. */
  #inOrderMint: number;
  /** Compaction, deletion and retention come one after the other. */
  #exclusive: Promise<unknown> = Promise.resolve();
  #cancelMaintenance: () => void = () => {};
  #closed = false;

  private constructor(options: DbOptions, limits: DbLimits, lock: DiskLock, blocks: DbBlocks, head: Head) {
    this.#options = options;
    this.#limits = limits;
    this.#lock = lock;
    this.#blocks = blocks;
    this.head = head;
    this.#maker = options.blockMaker ?? new LocalBlockMaker(options.disk, options.pageCache);
    this.#inOrderMint = blocks.inOrderMaxTime;
    this.#metrics = dbMetrics(options.metrics);
  }

  /**
   * Opens a data directory and reads its log back. Rejects with `unavailable` when another process has it or the disk
   * cannot be written, naming the path.
   */
  static async open(options: DbOptions): Promise<Db> {
    const limits = { ...DB_LIMITS_DEFAULT, ...options.limits };
    const { disk, dir } = options;
    const lock = await takeLock(options);
    let blocks: DbBlocks | undefined;
    try {
      blocks = await DbBlocks.open(disk, dir, options.pageCache, options.log);
      const head = await Head.open({
        ...options,
        limits: { ...limits, chunkRangeMs: limits.blockRangeMs },
        minValidTime: blocks.inOrderMaxTime,
      });
      const db = new Db(options, limits, lock, blocks, head);
      db.#scheduleMaintenance();
      return db;
    } catch (error) {
      await blocks?.close();
      await lock.release();
      throw wrapError(`open ${dir}`, error, error instanceof VeronaError ? error.code : 'unavailable');
    }
  }

  get limits(): DbLimits {
    return this.#limits;
  }

  get blocks(): readonly LocalBlock[] {
    return this.#blocks.all;
  }

  /** Blocks in the directory that could not be opened: answers lack their data. */
  get unreadableBlocks(): number {
    return this.#blocks.unreadable;
  }

  /** Applies a snappy-compressed remote write request; see `Head.write`. */
  write(
    body: ByteParts,
    version: WriteVersion,
    policy: SeriesPolicy,
    decodedMax = this.limits.requestBytesMax,
  ): Promise<WriteResult> {
    this.#checkOpen();
    return this.head.write(body, version, decodedMax, policy);
  }

  /** Puts other limits in force; the length of blocks stays as it was at the start. */
  setLimits(changed: Partial<DbLimits>): Promise<void> {
    return this.#alone(async () => {
      const limits = { ...this.#limits, ...changed, blockRangeMs: this.#limits.blockRangeMs };
      await this.head.setLimits({ ...limits, chunkRangeMs: limits.blockRangeMs });
      this.#limits = limits;
    });
  }

  /** Lets `apply` append by slot; see `SeriesWriter`. */
  writeSeries<T>(policy: SeriesPolicy, apply: (target: SeriesTarget) => T): Promise<T> {
    this.#checkOpen();
    return this.head.writeSeries(policy, apply);
  }

  appender(policy: SeriesPolicy): Appender {
    this.#checkOpen();
    return this.head.appender(policy);
  }

  querier(mint: number, maxt: number): Promise<Querier> {
    return viewQuerier(this.view(mint, maxt), mint, maxt);
  }

  /** A consistent view of mint … maxt (ms, inclusive), for whoever reads blocks and head by itself. To be released. */
  view(mint: number, maxt: number): DbView {
    this.#checkOpen();
    return this.#views.take(this.head, this.#blocks.all, this.#inOrderMint, mint, maxt);
  }

  /** Hides samples of the series that match between mint and maxt (ms, inclusive), durably when it resolves. */
  deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): Promise<void> {
    return this.#alone(async () => {
      await this.head.deleteSeries(matchers, mint, maxt);
      await this.#blocks.deleteSeries(matchers, mint, maxt);
    });
  }

  /** Turns what is due of the head into blocks, and removes blocks that are due to go. */
  maintain(): Promise<void> {
    return this.#alone(async () => {
      await this.#compacting(() => this.#compact());
      await this.#applyRetention();
    });
  }

  /** Turns all of the head into blocks; samples that are not newer than all it had are refused from then on. */
  flush(): Promise<void> {
    return this.#alone(() => this.#compacting(() => this.#compactAll()));
  }

  /** Ends maintenance and closes everything; what was written is in the log. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelMaintenance();
    await this.#exclusive.catch(() => undefined);
    try {
      await this.head.close();
      await this.#blocks.close();
    } finally {
      await this.#lock.release();
    }
  }

  /**
   * A block that a failed compaction left behind would be shipped, and read at the next start, although the head still
   * has its samples: it goes at once, or before the next compaction if the disk does not let it.
   */
  async #compacting(task: () => Promise<void>): Promise<void> {
    await this.#discardUnfinished();
    await this.head.finishLateCut();
    try {
      await task();
    } catch (error) {
      await this.#discardUnfinished().catch(() => undefined);
      throw error;
    }
  }

  async #discardUnfinished(): Promise<void> {
    for (const [ulid, block] of this.#unfinished) {
      await block?.close();
      await this.#blocks.discard(ulid);
      this.#unfinished.delete(ulid);
    }
  }

  async #compact(): Promise<void> {
    let isLateDue = this.#isLateDue();
    for (;;) {
      const { mint, maxt } = this.#headRange();
      if (!(maxt - mint > 1.5 * this.limits.blockRangeMs)) break;
      await this.#compactRange(mint, this.#rangeEnd(mint));
      isLateDue = true;
    }
    if (isLateDue) await this.#compactLate();
  }

  async #compactAll(): Promise<void> {
    const { mint, maxt } = this.#headRange();
    if (mint <= maxt) this.head.store.raiseMinValidTime(maxt + 1);
    // From one range that has samples to the next: there may be years between them.
    for (let from = mint; from <= maxt; from = this.#headRange().mint)
      await this.#compactRange(from, Math.min(this.#rangeEnd(from), maxt + 1));
    await this.#compactLate();
  }

  /**
   * Times of what is in order and in no block yet; mint > maxt when there is nothing. Chunks of a time with longer blocks, or
   * of a Prometheus with such, reach back to before the end of the newest block.
   */
  #headRange(): { mint: number; maxt: number } {
    const { mint, maxt } = this.head.store.timeRange();
    return { mint: Math.max(mint, this.#inOrderMint), maxt };
  }

  /** Late samples follow those in order, or have waited for a block range: a block of them every minute is too many. */
  #isLateDue(): boolean {
    const now = this.#options.clock.now();
    this.#lateSince = this.head.store.late.isEmpty ? undefined : (this.#lateSince ?? now);
    return this.#lateSince !== undefined && now - this.#lateSince >= this.limits.blockRangeMs;
  }

  /** Block first, verified; then visible, in one turn with the head's end of validity; then the head and its log are cut. */
  async #compactRange(from: number, maxt: number): Promise<void> {
    const startedAt = this.#options.clock.monotonic();
    const target = this.#target(Math.floor(from / this.limits.blockRangeMs) * this.limits.blockRangeMs, maxt);
    const { disk: _, ...place } = target;
    const block = await this.#makeBlock(target, () => writeHeadBlock(this.head, this.#maker, place));
    if (block !== undefined) this.#show(block);
    this.#inOrderMint = Math.max(this.#inOrderMint, maxt);
    this.head.store.raiseMinValidTime(maxt);
    this.head.handOver();
    await this.#waitForReaders();
    await this.head.truncate(maxt, this.#blocks.inOrderMaxTime);
    this.#metrics.compactions.inc();
    this.#metrics.compactionSeconds.inc((this.#options.clock.monotonic() - startedAt) / 1000);
    if (block !== undefined) await this.#announce(block.block.meta);
  }

  /** As `#compactRange` for late samples, into as many blocks as ranges they fall into. */
  async #compactLate(): Promise<void> {
    const { late } = this.head.store;
    if (late.isEmpty) return;
    const segment = await this.head.cutLate();
    const chunks = late.closeAll();
    const made: LocalBlock[] = [];
    for (const mint of rangesOf(chunks, this.limits.blockRangeMs)) {
      const target = this.#target(mint, mint + this.limits.blockRangeMs);
      const block = await this.#makeBlock(target, () => this.#writeLate(chunks, target));
      if (block !== undefined) made.push(block);
    }
    for (const block of made) this.#show(block);
    this.head.handOver();
    this.#lateSince = undefined;
    await this.#waitForReaders();
    await this.head.dropLate(chunks, segment);
    for (const { block } of made) await this.#announce(block.meta);
  }

  async #writeLate(chunks: LateChunks, target: BlockTarget): Promise<BlockMeta | undefined> {
    const meta = await writeLateBlock(this.head, chunks, target);
    const { disk, pageCache } = this.#options;
    if (meta !== undefined) await verifyNewBlock(disk, pageCache, `${target.dir}/${target.ulid}`);
    return meta;
  }

  /** `write` writes and verifies. */
  async #makeBlock(
    { ulid, mint, maxt }: BlockTarget,
    write: () => Promise<BlockMeta | undefined>,
  ): Promise<LocalBlock | undefined> {
    this.#unfinished.set(ulid, undefined);
    const meta = await write();
    if (meta === undefined) {
      this.#unfinished.delete(ulid);
      return undefined;
    }
    const block = await this.#blocks.openBlock(ulid);
    this.#unfinished.set(ulid, block);
    this.#metrics.blocks.inc();
    this.#options.log.info('the head became a block', { ulid, mint, maxt, ...meta.stats });
    return this.#blocks.sized(block);
  }

  #show(local: LocalBlock): void {
    this.#blocks.add(local);
    this.#unfinished.delete(local.block.meta.ulid);
  }

  #target(mint: number, maxt: number): BlockTarget {
    const { disk, dir, clock, random } = this.#options;
    return { disk, dir, ulid: newUlid(clock, random), mint, maxt };
  }

  #rangeEnd(t: number): number {
    return (Math.floor(t / this.limits.blockRangeMs) + 1) * this.limits.blockRangeMs;
  }

  async #waitForReaders(): Promise<void> {
    if (await this.#views.drained(this.#options.clock, READERS_WAIT_MS)) return;
    this.#options.log.warn('queries hold the head for too long; those that still read it fail', {
      waitedMs: READERS_WAIT_MS,
    });
  }

  async #announce(meta: BlockMeta): Promise<void> {
    try {
      await this.#options.hooks?.onBlock?.(meta);
    } catch (error) {
      this.#options.log.error('a new block was not taken notice of', {
        ulid: meta.ulid,
        error: String(error),
      });
    }
  }

  async #applyRetention(): Promise<void> {
    const { disk, dir, clock, hooks, log } = this.#options;
    const { retentionMs, retentionBytes } = this.limits;
    if (retentionMs === 0 && retentionBytes === 0) return;
    const others = ['wal', 'wbl', 'chunks_head'].map((name) => folderBytes(disk, `${dir}/${name}`));
    const otherBytes = (await Promise.all(others)).reduce((sum, bytes) => sum + bytes, 0);
    const sized = this.#blocks.all.map((local) => ({ ...local, meta: local.block.meta }));
    for (const doomed of blocksToDrop(sized, this.limits, clock.now(), otherBytes)) {
      const { ulid, maxTime } = doomed.meta;
      // The newest one tells the next start which samples of the log are in blocks.
      if (doomed.block === this.#blocks.newestInOrder?.block) continue;
      if (hooks?.canDelete && !(await hooks.canDelete(ulid))) continue;
      this.#blocks.hide(doomed);
      await this.#waitForReaders();
      await this.#blocks.remove(doomed);
      this.#metrics.blocksRemoved.inc();
      log.info('a block left the local disk', { ulid, maxt: maxTime });
    }
  }

  #scheduleMaintenance(): void {
    const { clock, log, maintenanceIntervalMs = MAINTENANCE_INTERVAL_MS } = this.#options;
    if (maintenanceIntervalMs === 0) return;
    this.#cancelMaintenance = clock.after(maintenanceIntervalMs, () => {
      this.maintain()
        .catch((error) => {
          this.#metrics.failures.inc();
          log.error('maintenance failed and is tried again', { error: String(error) });
        })
        .finally(() => {
          if (!this.#closed) this.#scheduleMaintenance();
        });
    });
  }

  #alone<T>(task: () => Promise<T>): Promise<T> {
    const run = this.#exclusive.then(() => {
      this.#checkOpen();
      return task();
    });
    this.#exclusive = run.catch(() => undefined);
    return run;
  }

  #checkOpen(): void {
    if (this.#closed) throw new VeronaError('unavailable', `${this.#options.dir}: closed`);
  }
}

async function takeLock({ disk, dir }: DbOptions): Promise<DiskLock> {
  try {
    await disk.makeDir(dir);
    return await disk.lock(`${dir}/lock`);
  } catch (error) {
    throw wrapError(`open ${dir}`, error, 'unavailable');
  }
}

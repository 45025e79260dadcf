import { messageOf, VeronaError } from '../../model/errors.ts';
import { assert } from '../../platform/assert.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { releaseBytes } from '../../platform/release-bytes.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { syncFile } from '../format/sync-file.ts';
import { compressRecord, type WalCompression } from './compression.ts';
import { type FramedRecord, fitsSegment, frameRecord, PAGE_BYTES } from './framing.ts';
import { type OpenSegment, SegmentSyncs } from './segment-syncs.ts';
import { findLastCheckpoint, listSegments, SEGMENT_BYTES_DEFAULT, segmentPath } from './segments.ts';
import type { WalMetrics } from './wal-metrics.ts';

export type WalFsync = 'never' | 'interval' | 'always';

export interface WalOptions {
  readonly disk: Disk;
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics?: WalMetrics;
  /** A multiple of 32 KiB. A record larger than a segment gets a segment of its own size. */
  readonly segmentBytes?: number;
  readonly compression?: WalCompression;
  /** `never`: the system writes when it likes. `interval`: every `fsyncIntervalMs`. `always`: before `log` resolves. */
  readonly fsync?: WalFsync;
  readonly fsyncIntervalMs?: number;
  /** When this many bytes wait to be written, `checkWritable` refuses more. */
  readonly pendingBytesMax?: number;
}

export const PENDING_BYTES_MAX_DEFAULT = 64 * 1024 * 1024;
/** A failed log tries again by itself at most this often, when somebody asks for it. */
const RETRY_INTERVAL_MS = 250;
/** One write holds at most about this much. */
const WRITE_BYTES_MAX = 4 * 1024 * 1024;
const WRITTEN = Promise.resolve();

interface Batch {
  readonly records: readonly FramedRecord[];
  /** How many of `records` are written. */
  written: number;
  /** Where the segment is to end; such a batch has no records. */
  readonly isCut: boolean;
  readonly settle: { resolve: () => void; reject: (error: Error) => void };
}

/**
 * Writes a write-ahead log: records in the order of `log` calls, calls made while a write runs share the next one.
 *
 * A failed write (disk full, I/O error) loses nothing: the records stay here in order, `state` becomes `failed`, callers
 * are told `unavailable`. Before the next attempt the torn tail is cut off, so no record appears twice. Records handed
 * to `log` are therefore written once and in order even if its promise was rejected, for as long as the process lives.
 */
export class Wal {
  readonly #options: Required<Omit<WalOptions, 'metrics'>>;
  readonly #metrics: WalMetrics | undefined;
  readonly #queue: Batch[] = [];
  readonly #out = new ByteWriter(PAGE_BYTES);
  #pendingBytes = 0;
  #state: 'open' | 'failed' | 'closed' = 'open';
  #reason: VeronaError | undefined;
  #index: number;
  #segment: OpenSegment | undefined;
  /** End of the last record known to be written. */
  #offset = 0;
  /** Whether the name of `#segment` is durable. */
  #isNamed = false;
  readonly #syncs = new SegmentSyncs((file) => this.#timedSync(file));
  #running: Promise<void> | undefined;
  #failures = 0;
  #retriedAt = Number.NEGATIVE_INFINITY;
  #cancelSync: (() => void) | undefined;

  private constructor(options: WalOptions, firstIndex: number) {
    this.#options = {
      segmentBytes: SEGMENT_BYTES_DEFAULT,
      compression: 'snappy',
      fsync: 'interval',
      fsyncIntervalMs: 100,
      pendingBytesMax: PENDING_BYTES_MAX_DEFAULT,
      ...options,
    };
    this.#metrics = options.metrics;
    this.#index = firstIndex;
    assert(this.#options.segmentBytes % PAGE_BYTES === 0, `segment size is a multiple of ${PAGE_BYTES}`);
  }

  /**
   * Opens a log for writing, after the last segment present, and after those that the last checkpoint stands for: they are
   * not read again. What is there is on stable storage then; damage in it is a matter for `repairWal` before.
   */
  static async open(options: WalOptions): Promise<Wal> {
    const { disk, dir } = options;
    await disk.makeDir(dir);
    const segments = await listSegments(disk, dir);
    // A process that was killed may have left some of them unsynced.
    for (const { path } of segments) await syncFile(disk, path);
    const last = segments.at(-1)?.index ?? -1;
    const checkpoint = (await findLastCheckpoint(disk, dir))?.index ?? -1;
    const wal = new Wal(options, Math.max(last, checkpoint) + 1);
    await wal.#openSegment();
    wal.#scheduleSync();
    return wal;
  }

  get state(): 'open' | 'failed' | 'closed' {
    return this.#state;
  }

  /** Why writing failed; undefined while it works. */
  get reason(): VeronaError | undefined {
    return this.#reason;
  }

  /** Bytes of records waiting to be written. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** The segment being written and the end of the last record in it. */
  get position(): { segment: number; offset: number } {
    return { segment: this.#index, offset: this.#offset };
  }

  /**
   * Throws `unavailable` when the log cannot be written now; to be asked before changing what the log protects.
   * A failed log is tried again in the background.
   */
  checkWritable(): void {
    if (this.#state === 'failed') this.#retrySoon();
    if (this.#state !== 'open') throw this.#unavailable();
    if (this.#pendingBytes >= this.#options.pendingBytesMax)
      throw new VeronaError('unavailable', `write-ahead log: ${this.#pendingBytes} bytes wait to be written`);
  }

  /**
   * Resolves when the records, and all that were logged before, are written; without records it is just that. They are
   * copied before this returns, so views are fine. Rejects with `unavailable` when writing fails or has failed; the records
   * are kept all the same and written before any later ones. How many may wait is for `checkWritable` to say, before
   * memory is changed: memory must not know what the log never will.
   */
  log(records: readonly Uint8Array[]): Promise<void> {
    if (this.#state === 'closed') return Promise.reject(this.#unavailable());
    if (this.#state === 'open' && records.length === 0 && this.#queue.length === 0) return WRITTEN;
    const framed = records.map((record) => compressRecord(record, this.#options.compression));
    for (const { data } of framed) this.#addPending(data.length);
    return new Promise((resolve, reject) => {
      this.#queue.push({ records: framed, written: 0, isCut: false, settle: { resolve, reject } });
      if (this.#state === 'open') this.#run();
      else {
        reject(this.#unavailable());
        this.#retrySoon();
      }
    });
  }

  /** Tries a failed log again; resolves when everything pending is written, rejects with `unavailable` when it fails again. */
  async retry(): Promise<void> {
    await this.#running;
    if (this.#state === 'failed') {
      this.#retriedAt = this.#options.clock.monotonic();
      await this.#run();
    }
    if (this.#state !== 'open') throw this.#unavailable();
  }

  /**
   * Ends the segment being written after what is pending now; resolves with the index of the next one, which has what is
   * logged from now on. Rejects with `unavailable` when writing fails.
   */
  async nextSegment(): Promise<number> {
    this.checkWritable();
    return new Promise((resolve, reject) => {
      const settle = { resolve: () => resolve(this.#index), reject };
      this.#queue.push({ records: [], written: 0, isCut: true, settle });
      this.#run();
    });
  }

  /** Removes segments before `index`. */
  async truncate(index: number): Promise<void> {
    const { disk, dir } = this.#options;
    for (const segment of await listSegments(disk, dir))
      if (segment.index < Math.min(index, this.#index)) await disk.remove(segment.path);
    await disk.syncDir(dir);
  }

  /** Resolves when everything logged before is on stable storage. */
  async sync(): Promise<void> {
    if (this.#state === 'closed') return;
    await this.log([]);
    await this.#syncs.sync(this.#segment);
  }

  /** Writes what is pending, makes it durable and closes. Rejects with `unavailable` when that fails; it is closed then, too. */
  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#cancelSync?.();
    try {
      if (this.#state === 'failed') await this.retry();
      await this.sync();
    } finally {
      this.#state = 'closed';
      await this.#syncs.close();
      await this.#segment?.file.close();
      this.#segment = undefined;
    }
  }

  #run(): Promise<void> {
    this.#running ??= this.#drain().finally(() => {
      this.#running = undefined;
      // What was logged between the last look at the queue and now.
      if (this.#state === 'open' && this.#queue.length > 0) this.#run();
    });
    return this.#running;
  }

  /** Writes until nothing is pending or a write fails. Never rejects. */
  async #drain(): Promise<void> {
    // Calls of one turn of the event loop go into one write.
    await undefined;
    const failures = this.#state === 'failed' ? this.#failures : undefined;
    try {
      if (failures !== undefined) await this.#mend();
      while (this.#queue.length > 0) await this.#step();
      if (failures === this.#failures) this.#recovered();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Cuts off what a failed write left, and syncs what a failed sync did not. */
  async #mend(): Promise<void> {
    await this.#segment?.file.truncate(this.#offset);
    await this.#syncs.sync(this.#segment);
  }

  async #step(): Promise<void> {
    this.#consume(0);
    const next = this.#queue.at(0);
    if (next === undefined) return;
    if (!this.#segment || !this.#isNamed) await this.#openSegment();
    const segment = this.#segment as OpenSegment;
    if (next.isCut) return this.#cutFor(next, segment);
    const count = this.#frameNext();
    if (count > 0) await this.#writeFramed(segment, count);
    else await this.#cutSegment(segment);
    this.#consume(count);
  }

  async #cutFor(batch: Batch, segment: OpenSegment): Promise<void> {
    await this.#cutSegment(segment);
    // A failure meanwhile has refused it and taken it away.
    if (this.#queue[0] !== batch) return;
    this.#queue.shift();
    batch.settle.resolve();
  }

  async #writeFramed(segment: OpenSegment, count: number): Promise<void> {
    const bytes = this.#out.view();
    await segment.file.writeAt([bytes], this.#offset);
    if (this.#options.fsync === 'always') await this.#timedSync(segment.file);
    else segment.unsynced = true;
    this.#offset += bytes.length;
    this.#metrics?.bytes.inc(bytes.length);
    this.#metrics?.records.inc(count);
  }

  /** Frames pending records that fit into the segment, up to where it is to end; 0 when it is full. */
  #frameNext(): number {
    this.#out.clear();
    let count = 0;
    for (const batch of this.#queue) {
      if (batch.isCut) return count;
      for (let i = batch.written; i < batch.records.length; i++) {
        if (this.#out.length >= WRITE_BYTES_MAX) return count;
        const at = this.#offset + this.#out.length;
        if (at > 0 && !fitsSegment(batch.records[i].data.length, at, this.#options.segmentBytes))
          return count;
        frameRecord(this.#out, this.#offset, batch.records[i]);
        count++;
      }
    }
    return count;
  }

  /** Counts `count` records as written and resolves the batches that have none left. */
  #consume(count: number): void {
    while (this.#queue.length > 0) {
      const batch = this.#queue[0];
      if (batch.isCut) return;
      while (count > 0 && batch.written < batch.records.length) {
        const { data } = batch.records[batch.written++];
        this.#addPending(-data.length);
        releaseBytes(data);
        count--;
      }
      if (batch.written < batch.records.length) return;
      this.#queue.shift();
      batch.settle.resolve();
    }
  }

  /** Makes the next segment, as far as an attempt before has not. */
  async #openSegment(): Promise<void> {
    const { disk, dir } = this.#options;
    if (!this.#segment) {
      const file = await disk.open(segmentPath(dir, this.#index), 'create');
      this.#segment = { file, unsynced: false };
      this.#offset = 0;
      this.#isNamed = false;
    }
    await disk.syncDir(dir);
    this.#isNamed = true;
  }

  /** Fills the last page with zeros, as Prometheus does, and leaves syncing the old segment to the background. */
  async #cutSegment(segment: OpenSegment): Promise<void> {
    const missing = (PAGE_BYTES - (this.#offset % PAGE_BYTES)) % PAGE_BYTES;
    if (missing > 0) await segment.file.writeAt([new Uint8Array(missing)], this.#offset);
    this.#offset += missing;
    if (this.#offset === 0) return;
    this.#segment = undefined;
    this.#index++;
    this.#metrics?.segments.inc();
    // Whatever the policy, as in Prometheus: a whole segment is on stable storage.
    this.#syncs.end(segment).catch((error) => this.#fail(error));
    await this.#openSegment();
  }

  async #timedSync(file: DiskFile): Promise<void> {
    const start = this.#options.clock.monotonic();
    await file.sync();
    this.#metrics?.syncSeconds.observe((this.#options.clock.monotonic() - start) / 1000);
  }

  #scheduleSync(): void {
    if (this.#options.fsync !== 'interval') return;
    this.#cancelSync = this.#options.clock.after(this.#options.fsyncIntervalMs, () => {
      const running = this.#state === 'open' ? this.#syncs.sync(this.#segment) : Promise.resolve();
      running
        .catch((error) => this.#fail(error))
        .finally(() => {
          if (this.#state !== 'closed') this.#scheduleSync();
        });
    });
  }

  #fail(error: unknown): void {
    const { dir, log } = this.#options;
    const what = messageOf(error);
    this.#reason = new VeronaError('unavailable', `write-ahead log ${dir}: ${what}`, { cause: error });
    if (this.#state === 'open') {
      this.#state = 'failed';
      log.error('the write-ahead log cannot be written; writes are refused until it can', {
        dir,
        error: what,
      });
    }
    this.#failures++;
    this.#metrics?.failures.inc();
    for (const batch of this.#queue) batch.settle.reject(this.#reason);
    const kept = this.#queue.filter((batch) => !batch.isCut);
    this.#queue.splice(0, this.#queue.length, ...kept);
  }

  #recovered(): void {
    this.#state = 'open';
    this.#reason = undefined;
    this.#options.log.info('the write-ahead log is written again', { dir: this.#options.dir });
  }

  #retrySoon(): void {
    const now = this.#options.clock.monotonic();
    if (this.#state !== 'failed' || now - this.#retriedAt < RETRY_INTERVAL_MS) return;
    this.#retriedAt = now;
    this.#run();
  }

  #unavailable(): VeronaError {
    return this.#reason ?? new VeronaError('unavailable', `write-ahead log ${this.#options.dir}: closed`);
  }

  #addPending(bytes: number): void {
    this.#pendingBytes += bytes;
    this.#metrics?.pendingBytes.inc(bytes);
  }
}

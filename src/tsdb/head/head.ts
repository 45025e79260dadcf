import type { ByteParts } from '../../encoding/byte-parts.ts';
import type { HeadMemory, HeadMemoryOptions } from '../../kernel/head-memory.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { Metadata } from '../../model/metadata.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { Metrics } from '../../platform/metrics.ts';
import { settled } from '../../platform/settled.ts';
import type { Appender } from '../../storage/appender.ts';
import type { ExemplarSeries, LabelRequest } from '../../storage/querier.ts';
import type { SeriesTarget } from '../../storage/series-writer.ts';
import { ChunkReader } from '../chunks/chunk-reader.ts';
import { HeadChunkWriter } from '../chunks/head-chunks.ts';
import type { PageCache } from '../chunks/page-cache.ts';
import { nextTurn } from '../next-turn.ts';
import { encodeTombstonesRecord, type TombstoneRecord } from '../wal/records/other-records.ts';
import { listSegments } from '../wal/segments.ts';
import { Wal, type WalOptions } from '../wal/wal.ts';
import { walMetrics } from '../wal/wal-metrics.ts';
import { BatchAppender } from './batch-appender.ts';
import { decodeSamples } from './clip-chunk.ts';
import { ClosedChunks } from './closed-chunks.ts';
import { type CutOptions, collectSeries, cutHead } from './cut-head.ts';
import { Deletions } from './deletions.ts';
import { FoundChunks } from './found-chunks.ts';
import { Gatherer, type GatherRequest } from './gather.ts';
import { selectExemplars, selectLabelNames, selectLabelsAtOnce, selectLabelValues } from './head-labels.ts';
import { type HeadMetrics, headMetrics } from './head-metrics.ts';
import type { HeadSlice } from './head-slice.ts';
import { type HeadLimits, HeadStore } from './head-store.ts';
import { HeadTarget } from './head-target.ts';
import type { LateChunks } from './late-samples.ts';
import { MetadataFile } from './metadata-file.ts';
import { encodeRecords, encodeSamples } from './records.ts';
import { Replay, type ReplayCounts } from './replay.ts';
import type { SeriesPolicy } from './series-table.ts';
import { runYielding } from './slices.ts';
import { toLogged } from './unlogged.ts';
import { applyWriteRequest, type WriteVersion } from './write-request.ts';
import type { WriteResult } from './write-result.ts';

export interface HeadOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly metrics: Metrics;
  /** The tenant's data directory; `wal/`, `wbl/` and `chunks_head/` in it are the head's. */
  readonly dir: string;
  readonly limits: HeadLimits;
  readonly newMemory: (options: HeadMemoryOptions) => HeadMemory;
  readonly pageCache: PageCache;
  /** Samples in order before this time are in blocks already. */
  readonly minValidTime: number;
  readonly wal?: Pick<
    WalOptions,
    'compression' | 'fsync' | 'fsyncIntervalMs' | 'segmentBytes' | 'pendingBytesMax'
  >;
}

/** The log of samples, and the one of late samples when they are taken. */
export interface HeadLogs {
  readonly wal: Wal;
  late: Wal | undefined;
}

/**
 * What a tenant wrote in the last hours: in memory for queries, in the write-ahead log for the next start. A write is
 * answered after it was logged. Reading is by slices (`gather`), so that the thread is never held long.
 */
export class Head {
  readonly store: HeadStore;
  readonly deletions: Deletions;
  readonly replayed: ReplayCounts;
  readonly #options: HeadOptions;
  readonly #logs: HeadLogs;
  readonly #closed: ClosedChunks;
  readonly #gatherer: Gatherer;
  readonly #metrics: HeadMetrics;
  readonly #metadataFile: MetadataFile;
  #oldestChunkFile = 0;
  /** How often blocks took over what the head had, and the last time of those that it has forgotten. */
  #handovers = 0;
  #forgotten = 0;
  /** Segments of the log of late samples before this one are to go. */
  #lateCut: number | undefined;
  /** For reading here; other threads have their own. */
  readonly chunkReader: ChunkReader;
  /** Collected series that samples in the log may still name, and the segment after which none does. */
  readonly #collectedRefs = new Map<number, number>();
  /** Other numbers than their own under which the log has samples of series, from lives before; by slot. */
  readonly #aliases: Map<number, ReadonlySet<number>>;

  private constructor(
    options: HeadOptions,
    logs: HeadLogs,
    store: HeadStore,
    closed: ClosedChunks,
    deletions: Deletions,
    replay: Replay,
    metadataFile: MetadataFile,
  ) {
    this.#metadataFile = metadataFile;
    this.#options = options;
    this.#logs = logs;
    this.store = store;
    this.#closed = closed;
    this.deletions = deletions;
    this.replayed = replay.counts;
    this.#aliases = replay.aliases;
    this.#gatherer = new Gatherer(store, closed, deletions);
    this.#metrics = headMetrics(options.metrics);
    this.chunkReader = new ChunkReader(options.disk, `${options.dir}/chunks_head`, 'head', options.pageCache);
  }

  /** Reads back what the directory has, repairs what is damaged, and opens the logs for writing. */
  static async open(options: HeadOptions): Promise<Head> {
    const { disk, dir, log, clock, limits } = options;
    const memory = options.newMemory({ chunkRangeMs: limits.chunkRangeMs });
    const found = await FoundChunks.scan(disk, `${dir}/chunks_head`, log);
    const writer = await HeadChunkWriter.open(disk, `${dir}/chunks_head`);
    const closed = new ClosedChunks(memory, writer, log);
    const store = new HeadStore(memory, closed, limits);
    store.raiseMinValidTime(options.minValidTime);
    // A number in these files must not mean another series later.
    store.table.reserveRefs(found.seriesRefMax);
    const deletions = new Deletions();
    const startedAt = clock.monotonic();
    const replay = new Replay(store, found, closed, deletions, log);
    const metadataFile = new MetadataFile(disk, dir, log, store.metadata);
    replay.usesMetadata = !(await metadataFile.load());
    const counts = await replay.run(disk, `${dir}/wal`, `${dir}/wbl`);
    log.info('the write-ahead log was read back', {
      ...counts,
      chunks: found.count,
      tookMs: Math.round(clock.monotonic() - startedAt),
    });
    const logs = await openLogs(options);
    const head = new Head(options, logs, store, closed, deletions, replay, metadataFile);
    head.#metrics.series.inc(memory.seriesCount);
    await head.#collectEmpty();
    if (replay.sawLateMarkers) await head.#rewriteLateLog();
    head.#metrics.noteReplay(counts, clock.monotonic() - startedAt);
    return head;
  }

  /** Files of `chunks_head/` before this sequence are gone. */
  get oldestChunkFile(): number {
    return this.#oldestChunkFile;
  }

  get seriesCount(): number {
    return this.store.memory.seriesCount;
  }

  /** To be noted by who begins to read; see `hasSince`. */
  get handovers(): number {
    return this.#handovers;
  }

  /** Whether all is still here that no block had after so many handovers. */
  hasSince(handovers: number): boolean {
    return handovers >= this.#forgotten;
  }

  /** To be called in the turn in which blocks become visible: what is forgotten next is in them. */
  handOver(): void {
    this.#handovers++;
  }

  /**
   * Applies a snappy-compressed remote write request and logs it. Rejects with `bad_data` or `too_large` when it does
   * not parse (what came before the fault is stored), with `unavailable` when the log cannot be written.
   */
  async write(
    body: ByteParts,
    version: WriteVersion,
    decodedMax: number,
    policy: SeriesPolicy,
  ): Promise<WriteResult> {
    this.prepareAppends();
    try {
      const { result, malformed } = applyWriteRequest(this.store, body, version, decodedMax, policy);
      if (malformed !== undefined) throw malformed;
      return result;
    } finally {
      // What was appended before a fault is in memory: the log gets it too.
      await this.logAppended();
    }
  }

  /** Puts other limits in force; a log of late samples is begun when they are taken for the first time. */
  async setLimits(limits: HeadLimits): Promise<void> {
    if (limits.outOfOrderWindowMs > 0) this.#logs.late ??= await openLog(this.#options, 'wbl');
    this.store.setLimits(limits);
  }

  /** Lets `apply` append by slot; see `SeriesWriter`. */
  async writeSeries<T>(policy: SeriesPolicy, apply: (target: SeriesTarget) => T): Promise<T> {
    this.prepareAppends();
    try {
      return apply(new HeadTarget(this.store, policy));
    } finally {
      await this.logAppended();
    }
  }

  appender(policy: SeriesPolicy): Appender {
    return new BatchAppender(this, policy);
  }

  /** Throws `unavailable` when nothing can be logged now; else sets what is too old and too new by the clock. */
  prepareAppends(): void {
    this.#logs.wal.checkWritable();
    this.#logs.late?.checkWritable();
    this.#closed.checkWritable();
    this.store.prepareAppends(this.#options.clock.now());
  }

  /**
   * Logs what was appended to the store since the last call. Resolves when it is written, and all that it may rest on: the
   * record that makes a series of a late sample, or the sample that one sent again was found equal to.
   */
  logAppended(): Promise<unknown> {
    const { store } = this;
    const series = store.table.takeUnlogged();
    const unlogged = store.unlogged.take();
    const records = encodeRecords(series.record, store.memory.takeSamplesRecord(), unlogged);
    this.#metrics.series.inc(series.count);
    this.#metrics.lateSamples.inc(unlogged.late.length);
    this.#closed.collect();
    const { wal, late } = this.#logs;
    const written = wal.log(records);
    const lateWritten = late?.log(encodeSamples(unlogged.late));
    const metadataSaved = this.#metadataFile.save();
    if (lateWritten === undefined && metadataSaved === undefined) return written;
    return Promise.all([written, lateWritten, metadataSaved]);
  }

  /** Slices of the series that match; `undefined` is a point where the event loop may turn. To be ended by `return`. */
  gather(request: GatherRequest): Generator<HeadSlice | undefined, void> {
    return this.#gatherer.gather(request);
  }

  labelNames(request: LabelRequest): Promise<readonly string[]> {
    return runYielding(selectLabelNames(this.store, request), nextTurn);
  }

  labelValues(name: string, request: LabelRequest): Promise<readonly string[]> {
    return runYielding(selectLabelValues(this.store, name, request), nextTurn);
  }

  /** Names, or the values of a label, when one short step is enough for them. */
  labelsAtOnce(name: string | undefined, request: LabelRequest): readonly string[] | undefined {
    return selectLabelsAtOnce(this.store, name, request);
  }

  exemplars(
    sets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    return runYielding(selectExemplars(this.store, sets, mint, maxt), nextTurn);
  }

  /** What is known of metric families, newest first per family. */
  metadata(): IterableIterator<[string, readonly Metadata[]]> {
    return this.store.metadata.entries();
  }

  /** Hides samples of the series that match between mint and maxt (ms, inclusive). Resolves when the log has it. */
  async deleteSeries(matchers: readonly Matcher[], mint: number, maxt: number): Promise<void> {
    this.#logs.wal.checkWritable();
    const slots = await runYielding(this.store.table.select(matchers), nextTurn);
    const newest = Math.max(this.store.timeRange().maxt, this.store.late.range().maxt);
    // Samples that come later are not deleted by this.
    const interval = { mint, maxt: Math.min(maxt, newest) };
    if (interval.mint > interval.maxt || slots.length === 0) return;
    const records: TombstoneRecord[] = [];
    for (const slot of slots) {
      this.deletions.add(slot, interval);
      records.push({ ref: this.store.memory.walRefOf(slot), ...interval });
    }
    await this.#logs.wal.log([encodeTombstonesRecord(records)]);
  }

  /**
   * Forgets samples in order before `mint`, which a block has, with the series left without any, and cuts the log and
   * `chunks_head/` accordingly. Sliced; writes and queries go on meanwhile. `blocksEnd` is where the newest block ends, before
   * `mint` when nothing was left to make one of.
   */
  async truncate(mint: number, blocksEnd = mint): Promise<void> {
    this.store.raiseMinValidTime(mint);
    this.#forgotten = this.#handovers;
    const { oldestChunkFile } = await cutHead({ ...this.#cutOptions(mint), blocksEnd });
    this.#oldestChunkFile = oldestChunkFile;
    await this.chunkReader.forgetBefore(oldestChunkFile);
  }

  #cutOptions(mint: number): CutOptions {
    return {
      disk: this.#options.disk,
      dir: this.#options.dir,
      log: this.#options.log,
      wal: this.#logs.wal,
      compression: this.#options.wal?.compression,
      store: this.store,
      closed: this.#closed,
      deletions: this.deletions,
      collectedRefs: this.#collectedRefs,
      aliases: this.#aliases,
      mint,
      noteCollected: (slot) => this.#gatherer.noteCollected(slot),
      metrics: this.#metrics,
    };
  }

  /**
   * Writes the log of late samples anew, from what is in memory: chunk files go when their samples in order are in blocks,
   * and a log that leaves samples to them would lose those to a Prometheus that opens the directory later.
   */
  async #rewriteLateLog(): Promise<void> {
    const { late } = this.#logs;
    if (late === undefined) return;
    const { segment } = late.position;
    for (const [slot, chunks] of this.store.late.closeAll()) {
      const ref = this.store.memory.walRefOf(slot);
      const samples = chunks
        .flatMap(decodeSamples)
        .map(({ t, value, startT = 0 }) => toLogged(ref, t, value, startT));
      await late.log(encodeSamples(samples));
    }
    await late.sync();
    await late.truncate(segment);
  }

  /** Forgets series that the log names but that have no sample after the newest block. */
  #collectEmpty(): Promise<void> {
    return collectSeries(this.#cutOptions(this.#options.minValidTime));
  }

  /** Forgets late samples that blocks have, and what their log had before `segment`. */
  async dropLate(chunks: LateChunks, segment: number | undefined): Promise<void> {
    this.#forgotten = this.#handovers;
    this.store.late.drop(chunks);
    this.#lateCut = segment;
    await this.finishLateCut();
  }

  /** Does what `dropLate` could not. Until then nothing that was deleted may be forgotten: the log still has it. */
  async finishLateCut(): Promise<void> {
    if (this.#lateCut === undefined) return;
    await this.#logs.late?.truncate(this.#lateCut);
    this.#lateCut = undefined;
  }

  /** Ends the current segment of the log of late samples; undefined when there is none. */
  async cutLate(): Promise<number | undefined> {
    return this.#logs.late?.nextSegment();
  }

  /** Resolves when everything written before is on stable storage. */
  async sync(): Promise<void> {
    await this.#logs.wal.sync();
    await this.#logs.late?.sync();
  }

  async close(): Promise<void> {
    this.#metrics.series.dec(this.seriesCount);
    await this.#metadataFile.save();
    await settled([
      this.#closed.close(),
      this.#logs.wal.close(),
      this.#logs.late?.close(),
      this.chunkReader.close(),
    ]);
  }
}

async function openLogs(options: HeadOptions): Promise<HeadLogs> {
  const { disk, dir, limits } = options;
  const wal = await openLog(options, 'wal');
  // With no window any more, late samples of before still wait there to become a block.
  const usesLate = limits.outOfOrderWindowMs > 0 || (await listSegments(disk, `${dir}/wbl`)).length > 0;
  return { wal, late: usesLate ? await openLog(options, 'wbl') : undefined };
}

function openLog(options: HeadOptions, name: 'wal' | 'wbl'): Promise<Wal> {
  const { disk, clock, log, dir, metrics } = options;
  return Wal.open({ ...options.wal, disk, clock, log, metrics: walMetrics(metrics), dir: `${dir}/${name}` });
}

import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { decodeHistogramRecord } from '../wal/records/histogram-record.ts';
import {
  decodeExemplarsRecord,
  decodeMetadataRecord,
  decodeTombstonesRecord,
} from '../wal/records/other-records.ts';
import { HISTOGRAM_RECORDS, RecordType, recordType } from '../wal/records/record-type.ts';
import { decodeSamplesRecord, encodeSamplesRecord } from '../wal/records/samples-record.ts';
import { visitSeriesRecord } from '../wal/records/series-record.ts';
import { decodeStartedSamplesRecord } from '../wal/records/started-samples-record.ts';
import { repairWal } from '../wal/repair.ts';
import { findLastCheckpoint } from '../wal/segments.ts';
import { type WalDamage, WalReader } from '../wal/wal-reader.ts';
import type { ClosedChunks } from './closed-chunks.ts';
import type { Deletions } from './deletions.ts';
import type { FoundChunks } from './found-chunks.ts';
import type { HeadStore } from './head-store.ts';
import type { RareValue } from './rare-series.ts';
import { RefSlots } from './ref-slots.ts';

/** What reading the log back came to. */
export interface ReplayCounts {
  series: number;
  samples: number;
  /** Known from closed chunks already, or older than the newest block. */
  skipped: number;
  lateSamples: number;
  histograms: number;
  /** Samples and the like of series that the log does not name. */
  unknownRefs: number;
  /** Records that do not decode or that no version here knows. */
  badRecords: number;
  /** Stretches of the log that could not be read. */
  damages: number;
}

/**
 * Reads checkpoint, log and log of late samples back into memory. Damage is repaired on disk, told in the log and
 * counted; what can be read is used, before and after it.
 */
export class Replay {
  readonly counts: ReplayCounts = {
    series: 0,
    samples: 0,
    skipped: 0,
    lateSamples: 0,
    histograms: 0,
    unknownRefs: 0,
    badRecords: 0,
    damages: 0,
  };
  /** Second and further numbers that series have in the log, by slot. */
  readonly aliases = new Map<number, Set<number>>();
  /** The log of late samples relies on chunks in `chunks_head/`, as Prometheus writes it. */
  sawLateMarkers = false;
  /** Whether metadata in the log are wanted: not when a file has them all, by family. */
  usesMetadata = true;
  readonly #store: HeadStore;
  readonly #found: FoundChunks;
  readonly #closed: ClosedChunks;
  readonly #deletions: Deletions;
  readonly #log: Logger;
  readonly #slots = new RefSlots();

  constructor(store: HeadStore, found: FoundChunks, closed: ClosedChunks, deletions: Deletions, log: Logger) {
    this.#store = store;
    this.#found = found;
    this.#closed = closed;
    this.#deletions = deletions;
    this.#log = log;
  }

  async run(disk: Disk, walDir: string, lateDir: string): Promise<ReplayCounts> {
    const checkpoint = await findLastCheckpoint(disk, walDir);
    if (checkpoint) await this.#readLog(disk, checkpoint.path, undefined, (record) => this.#apply(record));
    const from = checkpoint ? checkpoint.index + 1 : undefined;
    await this.#readLog(disk, walDir, from, (record) => this.#apply(record));
    await this.#readLog(disk, lateDir, undefined, (record) => this.#applyLate(record));
    this.#store.memory.endReplay();
    this.#store.unlogged.take();
    return this.counts;
  }

  async #readLog(
    disk: Disk,
    dir: string,
    from: number | undefined,
    apply: (record: Uint8Array) => void,
  ): Promise<void> {
    const reader = new WalReader(disk, dir, { from });
    await reader.visit(
      (record, segment, offset) => this.#tryApply({ dir, segment, offset }, record, apply),
      () => this.#closed.collect(),
    );
    await this.#closed.flush();
    await this.#repair(disk, dir, reader.damages);
  }

  #tryApply(place: object, record: Uint8Array, apply: (record: Uint8Array) => void): void {
    try {
      // Samples go straight on into the head's memory; what is decoded here may keep views and use the kernel meanwhile.
      apply(recordType(record) === RecordType.samples ? record : record.slice());
    } catch (error) {
      if (!(error instanceof VeronaError) || error.code !== 'corrupt') throw error;
      this.counts.badRecords++;
      const { message } = error;
      this.#log.warn('a record of the log does not decode and is left out', { ...place, error: message });
    }
  }

  async #repair(disk: Disk, dir: string, damages: readonly WalDamage[]): Promise<void> {
    this.counts.damages += damages.length;
    if (damages.length > 0) await repairWal(disk, dir, damages, this.#log);
  }

  #apply(record: Uint8Array): void {
    switch (recordType(record)) {
      case RecordType.series:
        visitSeriesRecord(record, (ref, labelBytes) => this.#applySeries(ref, labelBytes));
        return;
      case RecordType.samples:
        this.#applySamples(record);
        return;
      case RecordType.samplesST:
        this.#applyStartedSamples(record);
        return;
      case RecordType.histogramsST:
      case RecordType.floatHistogramsST:
      case RecordType.histograms:
      case RecordType.floatHistograms:
      case RecordType.customHistograms:
      case RecordType.customFloatHistograms:
        this.#applyHistograms(record);
        return;
      case RecordType.exemplars:
        for (const { ref, exemplar } of decodeExemplarsRecord(record))
          this.#withSlot(ref, (slot) => this.#store.exemplars.add(slot, exemplar));
        return;
      case RecordType.metadata:
        for (const { ref, metadata } of decodeMetadataRecord(record))
          this.#withSlot(ref, (slot) => {
            if (this.usesMetadata) this.#store.setMetadata(slot, metadata);
          });
        return;
      case RecordType.tombstones:
        for (const { ref, mint, maxt } of decodeTombstonesRecord(record))
          this.#withSlot(ref, (slot) => this.#deletions.add(slot, { mint, maxt }));
        return;
      default:
        this.counts.badRecords++;
    }
  }

  #applySeries(ref: number, labelBytes: Uint8Array): void {
    const { table, memory } = this.#store;
    const slot = table.restore(ref, labelBytes);
    memory.mapWalRef(ref, slot);
    this.#slots.set(ref, slot);
    if (memory.walRefOf(slot) !== ref)
      this.aliases.set(slot, (this.aliases.get(slot) ?? new Set<number>()).add(ref));
    this.counts.series++;
    this.#found.take(ref, (chunkRef, mint, maxt, isFloat) =>
      this.#store.restoreChunk(slot, chunkRef, mint, maxt, isFloat),
    );
  }

  #applySamples(record: Uint8Array): void {
    const counts = this.#store.memory.replaySamples(record);
    this.counts.samples += counts.samples;
    this.counts.unknownRefs += counts.unknownRefs;
    this.counts.skipped += counts.skipped;
    if (counts.rare === 0 && counts.unknownRefs === 0) return;
    const { count, refs, times, values } = decodeSamplesRecord(record);
    for (let i = 0; i < count; i++) {
      const slot = this.#slots.get(refs[i]);
      if (slot === 0) this.#store.table.reserveRefs(refs[i]);
      else if (this.#store.memory.isRare(slot)) this.#restoreRare(slot, times[i], values[i]);
    }
  }

  #applyHistograms(record: Uint8Array): void {
    for (const { ref, t, histogram, startT } of decodeHistogramRecord(record))
      this.#withSlot(ref, (slot) => {
        if (this.#store.restoreRare(slot, t, histogram, startT)) this.counts.histograms++;
        else this.counts.skipped++;
      });
  }

  /** Samples without a start timestamp, as most of a scrape are, go the way of all others. */
  #applyStartedSamples(record: Uint8Array): void {
    const { count, refs, times, values, startTimes } = decodeStartedSamplesRecord(record);
    for (let from = 0; from < count; ) {
      let to = from;
      while (to < count && startTimes[to] === 0) to++;
      if (to > from) {
        const run = (column: Float64Array) => column.slice(from, to);
        const plain = { count: to - from, refs: run(refs), times: run(times), values: run(values) };
        this.#applySamples(encodeSamplesRecord(plain));
      }
      for (; to < count && startTimes[to] !== 0; to++)
        this.#withSlot(refs[to], (slot) => this.#restoreRare(slot, times[to], values[to], startTimes[to]));
      from = to;
    }
  }

  #restoreRare(slot: number, t: number, value: number, startT = 0): void {
    if (this.#store.restoreRare(slot, t, value, startT)) this.counts.samples++;
    else this.counts.skipped++;
  }

  /** Prometheus marks which late samples are in chunks; these are not needed here, since the log has every sample. */
  #applyLate(record: Uint8Array): void {
    const type = recordType(record);
    if (type === RecordType.mmapMarkers) {
      this.sawLateMarkers = true;
      return;
    }
    if (type === RecordType.samples) {
      const { count, refs, times, values } = decodeSamplesRecord(record);
      for (let i = 0; i < count; i++) this.#restoreLate(refs[i], times[i], values[i], 0);
    } else if (type === RecordType.samplesST) {
      const { count, refs, times, values, startTimes } = decodeStartedSamplesRecord(record);
      for (let i = 0; i < count; i++) this.#restoreLate(refs[i], times[i], values[i], startTimes[i]);
    } else if (type !== undefined && HISTOGRAM_RECORDS.has(type))
      for (const { ref, t, histogram, startT } of decodeHistogramRecord(record))
        this.#restoreLate(ref, t, histogram, startT);
    else this.counts.badRecords++;
  }

  #restoreLate(ref: number, t: number, value: RareValue, startT?: number): void {
    this.#withSlot(ref, (slot) => {
      if (this.#store.restoreLate(slot, t, value, startT)) this.counts.lateSamples++;
    });
  }

  /** A number that no series has is not given to a new one either: what the log has under it would become that one's. */
  #withSlot(ref: number, apply: (slot: number) => void): void {
    const slot = this.#slots.get(ref);
    if (slot !== 0) {
      apply(slot);
      return;
    }
    this.counts.unknownRefs++;
    this.#store.table.reserveRefs(ref);
  }
}

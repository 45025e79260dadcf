import { VeronaError } from '../../model/errors.ts';
import { assert } from '../../platform/assert.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { compressRecord, type WalCompression } from './compression.ts';
import { fitsSegment, frameRecord, PAGE_BYTES } from './framing.ts';
import { decodeHistogramRecord, encodeHistogramRecords } from './records/histogram-record.ts';
import {
  decodeExemplarsRecord,
  decodeMetadataRecord,
  decodeTombstonesRecord,
  encodeExemplarsRecord,
  encodeMetadataRecord,
  encodeTombstonesRecord,
  type MetadataRecord,
} from './records/other-records.ts';
import { RecordType, recordType } from './records/record-type.ts';
import { decodeSamplesRecord, encodeSamplesRecord, filterSamples } from './records/samples-record.ts';
import { SeriesRecordWriter, visitSeriesRecord } from './records/series-record.ts';
import {
  decodeStartedSamplesRecord,
  encodeStartedSamplesRecord,
  filterStartedSamples,
} from './records/started-samples-record.ts';
import { findLastCheckpoint, listCheckpoints, SEGMENT_BYTES_DEFAULT, segmentPath } from './segments.ts';
import { type WalDamage, WalReader } from './wal-reader.ts';

export interface CheckpointOptions {
  readonly disk: Disk;
  /** The log's folder. */
  readonly dir: string;
  /** Segments to stand for, inclusive; the last checkpoint before `from` is read first. */
  readonly from: number;
  readonly to: number;
  /** Whether a series is still in use. Asked for series and metadata. */
  readonly keep: (ref: number) => boolean;
  /** Samples, exemplars and tombstones that end before this time (ms) are dropped. */
  readonly mint: number;
  readonly compression?: WalCompression;
}

export interface CheckpointResult {
  readonly path: string;
  readonly seriesKept: number;
  readonly seriesDropped: number;
  /** Records that do not decode or that this version does not know; dropped, as they are left out when the log is read back. */
  readonly unknownRecords: number;
  readonly damages: readonly WalDamage[];
}

/** Series, metadata: one record per so many bytes. */
const RECORD_BYTES = 64 * 1024;

/**
 * Writes `checkpoint.<to>`: what segments `from … to` and the checkpoint before them say about series that are kept and
 * samples since `mint`. It is complete once it has its name. Deleting what it replaces is the caller's next step.
 */
export async function writeCheckpoint(options: CheckpointOptions): Promise<CheckpointResult> {
  const { disk, dir, to } = options;
  const before = await findLastCheckpoint(disk, dir);
  assert(before === undefined || before.index < to, 'a checkpoint never takes the place of the one it reads');
  const path = `${dir}/checkpoint.${String(to).padStart(8, '0')}`;
  const draft = `${path}.tmp`;
  await disk.remove(draft);
  await disk.makeDir(draft);
  const writer = await SegmentWriter.create(disk, draft, options.compression ?? 'snappy');
  const filter = new CheckpointFilter(options, writer);
  const damages: WalDamage[] = [];
  try {
    const sources = [new WalReader(disk, dir, { from: options.from, to })];
    if (before) sources.unshift(new WalReader(disk, before.path));
    for (const source of sources) {
      for await (const { records } of source.batches()) {
        for (const record of records) filter.tryAdd(record);
        await writer.flush();
      }
      damages.push(...source.damages);
    }
    filter.finish();
  } finally {
    await writer.close();
  }
  await disk.syncDir(draft);
  await disk.rename(draft, path);
  await disk.syncDir(dir);
  return { path, damages, ...filter.counts };
}

/** Removes checkpoints that stand for segments before `index` only. */
export async function deleteCheckpoints(disk: Disk, dir: string, index: number): Promise<void> {
  for (const checkpoint of await listCheckpoints(disk, dir))
    if (checkpoint.index < index) await disk.remove(checkpoint.path);
  await disk.syncDir(dir);
}

/** Decides record by record what goes into a checkpoint. */
class CheckpointFilter {
  readonly counts = { seriesKept: 0, seriesDropped: 0, unknownRecords: 0 };
  readonly #options: CheckpointOptions;
  readonly #writer: SegmentWriter;
  readonly #series = new SeriesRecordWriter();
  /** The newest of each series; as many as series kept, at most. */
  readonly #metadata = new Map<number, MetadataRecord>();

  constructor(options: CheckpointOptions, writer: SegmentWriter) {
    this.#options = options;
    this.#writer = writer;
  }

  tryAdd(record: Uint8Array): void {
    try {
      this.#add(record);
    } catch (error) {
      if (!(error instanceof VeronaError) || error.code !== 'corrupt') throw error;
      this.counts.unknownRecords++;
    }
  }

  #add(record: Uint8Array): void {
    const { mint, keep } = this.#options;
    switch (recordType(record)) {
      case RecordType.series:
        this.#addSeries(record);
        return;
      case RecordType.samples: {
        // Series records come before the samples that need them.
        this.#flushSeries();
        const samples = filterSamples(decodeSamplesRecord(record), (_, t) => t >= mint);
        if (samples.count > 0) this.#writer.add(encodeSamplesRecord(samples));
        return;
      }
      case RecordType.samplesST: {
        this.#flushSeries();
        const samples = filterStartedSamples(decodeStartedSamplesRecord(record), (t) => t >= mint);
        if (samples.count > 0) this.#writer.add(encodeStartedSamplesRecord(samples));
        return;
      }
      case RecordType.tombstones: {
        const list = decodeTombstonesRecord(record).filter(({ maxt }) => maxt >= mint);
        this.#write(list, encodeTombstonesRecord);
        return;
      }
      case RecordType.exemplars: {
        const list = decodeExemplarsRecord(record).filter(({ exemplar }) => exemplar.t >= mint);
        this.#write(list, encodeExemplarsRecord);
        return;
      }
      case RecordType.metadata:
        for (const entry of decodeMetadataRecord(record))
          if (keep(entry.ref)) this.#metadata.set(entry.ref, entry);
        return;
      case RecordType.histograms:
      case RecordType.floatHistograms:
      case RecordType.customHistograms:
      case RecordType.customFloatHistograms:
      case RecordType.histogramsST:
      case RecordType.floatHistogramsST: {
        this.#flushSeries();
        const list = decodeHistogramRecord(record).filter(({ t }) => t >= mint);
        for (const kept of encodeHistogramRecords(list)) this.#writer.add(kept);
        return;
      }
      default:
        this.counts.unknownRecords++;
    }
  }

  finish(): void {
    this.#flushSeries();
    const all = [...this.#metadata.values()];
    for (let i = 0; i < all.length; i += 512) this.#writer.add(encodeMetadataRecord(all.slice(i, i + 512)));
  }

  #addSeries(record: Uint8Array): void {
    visitSeriesRecord(record, (ref, labelBytes) => {
      if (!this.#options.keep(ref)) {
        this.counts.seriesDropped++;
        return;
      }
      this.counts.seriesKept++;
      this.#series.add(ref, labelBytes);
      if (this.#series.length >= RECORD_BYTES) this.#flushSeries();
    });
  }

  #flushSeries(): void {
    if (this.#series.length > 1) this.#writer.add(this.#series.take());
  }

  #write<T>(list: readonly T[], encode: (list: readonly T[]) => Uint8Array): void {
    this.#flushSeries();
    if (list.length > 0) this.#writer.add(encode(list));
  }
}

/** Writes segments one after another without group commit or recovery: a failed checkpoint is thrown away. */
class SegmentWriter {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #compression: WalCompression;
  readonly #out = new ByteWriter(1024 * 1024);
  #index = 0;
  #file: DiskFile;
  #written = 0;
  readonly #full: { file: DiskFile; bytes: Uint8Array; at: number }[] = [];

  private constructor(disk: Disk, dir: string, compression: WalCompression, file: DiskFile) {
    this.#disk = disk;
    this.#dir = dir;
    this.#compression = compression;
    this.#file = file;
  }

  static async create(disk: Disk, dir: string, compression: WalCompression): Promise<SegmentWriter> {
    return new SegmentWriter(disk, dir, compression, await disk.open(segmentPath(dir, 0), 'create'));
  }

  /** Keeps the record in memory until the next `flush`. */
  add(record: Uint8Array): void {
    const framed = compressRecord(record, this.#compression);
    const at = this.#written + this.#out.length;
    if (at > 0 && !fitsSegment(framed.data.length, at, SEGMENT_BYTES_DEFAULT)) this.#cut();
    frameRecord(this.#out, this.#written, framed);
  }

  async flush(): Promise<void> {
    for (const { file, bytes, at } of this.#full.splice(0)) {
      await file.writeAt([bytes], at);
      await file.sync();
      await file.close();
    }
    await this.#file.writeAt([this.#out.view()], this.#written);
    this.#written += this.#out.length;
    this.#out.clear();
  }

  async close(): Promise<void> {
    try {
      await this.flush();
      await this.#file.sync();
    } finally {
      await this.#file.close();
    }
  }

  #cut(): void {
    this.#out.pad(PAGE_BYTES, this.#written);
    this.#full.push({ file: this.#file, bytes: this.#out.copy(), at: this.#written });
    this.#index++;
    this.#file = this.#disk.openSync(segmentPath(this.#dir, this.#index), 'create');
    this.#written = 0;
    this.#out.clear();
    assert(this.#full.length < 1000, 'a batch of records spans few segments');
  }
}

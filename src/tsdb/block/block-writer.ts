import { storedSampleCount } from '../../chunkenc/chunk.ts';
import { isHistogramEncoding } from '../../chunkenc/encoding.ts';
import { assert } from '../../platform/assert.ts';
import type { Disk } from '../../platform/disk.ts';
import { ChunkFiles } from '../chunks/chunk-files.ts';
import { IndexWriter, type RankedSymbols } from '../index/index-writer.ts';
import { type BlockCompaction, type BlockMeta, writeMeta } from './meta.ts';
import { type Tombstones, writeTombstones } from './tombstones.ts';

/** One chunk for a block: payload after the encoding byte; mint and maxt (ms, inclusive) of its samples. */
export interface BlockChunk {
  readonly mint: number;
  readonly maxt: number;
  readonly encoding: number;
  readonly data: Uint8Array;
}

export interface BlockWriterOptions {
  readonly disk: Disk;
  /** The folder that will hold `<ulid>/`. */
  readonly dir: string;
  readonly ulid: string;
  readonly chunkFileBytesMax?: number;
  /** Symbols known beforehand: then series come by `addRanked`. */
  readonly symbols?: RankedSymbols;
}

/** What `finish` cannot know by itself. */
export interface BlockDescription {
  /** ms, the end exclusive. */
  readonly minTime: number;
  readonly maxTime: number;
  readonly compaction: BlockCompaction;
  readonly thanos?: unknown;
}

/**
 * Writes one block series by series into `<ulid>.tmp-for-creation`, which gets its name when all of it is durable: a block
 * is there as a whole or not at all. Whoever opens it ends it with `finish` or `abort`.
 */
export class BlockWriter {
  readonly #options: BlockWriterOptions;
  readonly #draft: string;
  readonly #index: IndexWriter;
  /** For chunks that are copied as they are; the place in the index is up to `addRanked`. */
  readonly chunks: ChunkFiles;
  #floatSamples = 0;
  #histogramSamples = 0;
  #seriesCount = 0;
  #chunkCount = 0;

  private constructor(options: BlockWriterOptions, draft: string, index: IndexWriter) {
    this.#options = options;
    this.#draft = draft;
    this.#index = index;
    this.chunks = new ChunkFiles(options.disk, `${draft}/chunks`, options.chunkFileBytesMax);
  }

  static async create(options: BlockWriterOptions): Promise<BlockWriter> {
    const { disk, dir, ulid, symbols } = options;
    const draft = `${dir}/${ulid}.tmp-for-creation`;
    await disk.remove(draft);
    await disk.makeDir(`${draft}/chunks`);
    return new BlockWriter(options, draft, await IndexWriter.create(disk, `${draft}/index`, symbols));
  }

  get seriesCount(): number {
    return this.#seriesCount;
  }

  get sampleCount(): number {
    return this.#floatSamples + this.#histogramSamples;
  }

  /**
   * Adds the next series: canonical label bytes sorting after the last ones, and at least one chunk, ordered by time
   * without overlap. The memory may be reused once this resolves. Throws `corrupt` when the order is wrong.
   */
  async addSeries(labelBytes: Uint8Array, chunks: readonly BlockChunk[]): Promise<void> {
    assert(chunks.length > 0, 'a series in a block has chunks');
    const refs: number[] = [];
    for (const chunk of chunks) {
      if (!this.chunks.hasRoom(chunk.data.length)) await this.chunks.nextFile();
      refs.push(this.chunks.append(chunk));
      this.countSamples(chunk.encoding, storedSampleCount(chunk.encoding, chunk.data, 0));
      if (this.chunks.isFull) await this.chunks.drain();
    }
    this.#index.add(
      labelBytes,
      chunks.length,
      chunks.map((chunk) => chunk.mint),
      chunks.map((chunk) => chunk.maxt),
      refs,
    );
    this.#seriesCount++;
    this.#chunkCount += chunks.length;
    await this.#index.drain();
  }

  /**
   * Adds the next series by ranks of the `symbols` given: pairs name, value. Its chunks are in `chunks` already, at the refs
   * given, and their samples told to `countSamples`. Afterwards `drain` when `isFull`.
   */
  addRanked(
    labels: Uint32Array,
    labelCount: number,
    count: number,
    mint: ArrayLike<number>,
    maxt: ArrayLike<number>,
    ref: ArrayLike<number>,
  ): void {
    assert(count > 0, 'a series in a block has chunks');
    this.#index.addRanked(labels, labelCount, count, mint, maxt, ref);
    this.#seriesCount++;
    this.#chunkCount += count;
  }

  /** Counts samples of a chunk for `meta.json`. */
  countSamples(encoding: number, samples: number): void {
    if (isHistogramEncoding(encoding)) this.#histogramSamples += samples;
    else this.#floatSamples += samples;
  }

  get isFull(): boolean {
    return this.#index.isFull || this.chunks.isFull;
  }

  async drain(): Promise<void> {
    await this.#index.drain();
    await this.chunks.drain();
  }

  /** Completes the block, durable under its name; resolves with its meta. */
  async finish(description: BlockDescription, tombstones: Tombstones = new Map()): Promise<BlockMeta> {
    const { disk, dir, ulid } = this.#options;
    const { minTime, maxTime, compaction, thanos } = description;
    await this.#index.finish();
    await this.chunks.finish();
    const meta: BlockMeta = {
      ulid,
      minTime,
      maxTime,
      stats: { ...this.#stats(), ...(tombstones.size > 0 && { numTombstones: countIntervals(tombstones) }) },
      compaction,
      version: 1,
      ...(thanos !== undefined && { thanos }),
    };
    await writeTombstones(disk, this.#draft, tombstones);
    await writeMeta(disk, this.#draft, meta);
    await disk.syncDir(`${this.#draft}/chunks`);
    await disk.syncDir(this.#draft);
    await disk.rename(this.#draft, `${dir}/${ulid}`);
    await disk.syncDir(dir);
    return meta;
  }

  /** Leaves nothing behind. */
  async abort(): Promise<void> {
    await this.#index.abort();
    await this.chunks.abort();
    await this.#options.disk.remove(this.#draft);
  }

  #stats() {
    return {
      numSamples: this.sampleCount,
      numFloatSamples: this.#floatSamples,
      ...(this.#histogramSamples > 0 && { numHistogramSamples: this.#histogramSamples }),
      numSeries: this.#seriesCount,
      numChunks: this.#chunkCount,
    };
  }
}

function countIntervals(tombstones: Tombstones): number {
  let count = 0;
  for (const intervals of tombstones.values()) count += intervals.length;
  return count;
}

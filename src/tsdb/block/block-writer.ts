import { chunkSampleCount } from '../../chunkenc/chunk.ts';
import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { assert } from '../../platform/assert.ts';
import type { Disk } from '../../platform/disk.ts';
import { BLOCK_CHUNKS_MAGIC, chunkRef, encodeBlockChunk, encodeFileHeader } from '../chunks/chunk-format.ts';
import { chunkFileName } from '../chunks/chunk-reader.ts';
import { FileWriter } from '../format/file-writer.ts';
import { IndexWriter } from '../index/index-writer.ts';
import { type BlockCompaction, type BlockMeta, writeMeta } from './meta.ts';
import { type Tombstones, writeTombstones } from './tombstones.ts';

/** A file of a block's chunks grows to this size at most. */
export const BLOCK_CHUNK_FILE_BYTES_MAX = 512 * 1024 * 1024;

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
  #chunks: FileWriter | undefined;
  #fileCount = 0;
  #floatSamples = 0;
  #histogramSamples = 0;
  #seriesCount = 0;
  #chunkCount = 0;

  private constructor(options: BlockWriterOptions, draft: string, index: IndexWriter) {
    this.#options = options;
    this.#draft = draft;
    this.#index = index;
  }

  static async create(options: BlockWriterOptions): Promise<BlockWriter> {
    const { disk, dir, ulid } = options;
    const draft = `${dir}/${ulid}.tmp-for-creation`;
    await disk.remove(draft);
    await disk.makeDir(`${draft}/chunks`);
    return new BlockWriter(options, draft, await IndexWriter.create(disk, `${draft}/index`));
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
    for (const chunk of chunks) refs.push(await this.#addChunk(chunk));
    this.#index.add(
      labelBytes,
      chunks.length,
      chunks.map((chunk) => chunk.mint),
      chunks.map((chunk) => chunk.maxt),
      refs,
    );
    this.#seriesCount++;
    await this.#index.drain();
  }

  /** Completes the block, durable under its name; resolves with its meta. */
  async finish(description: BlockDescription, tombstones: Tombstones = new Map()): Promise<BlockMeta> {
    const { disk, dir, ulid } = this.#options;
    const { minTime, maxTime, compaction, thanos } = description;
    await this.#index.finish();
    await this.#chunks?.finish();
    this.#chunks = undefined;
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
    await this.#chunks?.file.close();
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

  async #addChunk(chunk: BlockChunk): Promise<number> {
    const writer = await this.#fileFor(chunk.data.length + 10);
    const ref = chunkRef(this.#fileCount - 1, writer.position);
    encodeBlockChunk(writer.out, chunk);
    const samples = chunkSampleCount(chunk.data, 0);
    if (chunk.encoding === ChunkEncoding.xor) this.#floatSamples += samples;
    else this.#histogramSamples += samples;
    this.#chunkCount++;
    if (writer.isFull) await writer.flush();
    return ref;
  }

  async #fileFor(size: number): Promise<FileWriter> {
    const { disk, chunkFileBytesMax = BLOCK_CHUNK_FILE_BYTES_MAX } = this.#options;
    if (this.#chunks && this.#chunks.position + size <= chunkFileBytesMax) return this.#chunks;
    await this.#chunks?.finish();
    const path = `${this.#draft}/chunks/${chunkFileName('block', this.#fileCount)}`;
    this.#chunks = new FileWriter(await disk.open(path, 'create'));
    this.#chunks.out.bytes(encodeFileHeader(BLOCK_CHUNKS_MAGIC));
    this.#fileCount++;
    return this.#chunks;
  }
}

function countIntervals(tombstones: Tombstones): number {
  let count = 0;
  for (const intervals of tombstones.values()) count += intervals.length;
  return count;
}

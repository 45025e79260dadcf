import { storedSampleCount } from '../../chunkenc/chunk.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockChunk, BlockWriter } from '../block/block-writer.ts';
import type { BlockCompaction, BlockMeta } from '../block/meta.ts';
import { faultOf, MergeSource } from '../compact/merge-source.ts';
import { MergedSymbols } from '../index/merged-symbols.ts';
import { SeriesCursor } from '../index/series-cursor.ts';
import { nextTurn } from '../next-turn.ts';
import { AggregateSeries } from './aggregate-series.ts';
import { downsampleSeries } from './downsample-series.ts';
import { RawSeries } from './raw-series.ts';

export interface DownsampleRequest {
  readonly disk: Disk;
  /** The block's folder. Its chunks do not overlap: a compaction sees to that. */
  readonly source: string;
  readonly ulid: string;
  /** The source's resolution, 0 for raw, and that of the result, ms. */
  readonly inMs: number;
  readonly outMs: number;
  /** Where the result goes, and its name. */
  readonly dir: string;
  readonly output: string;
  /** Instead of the source's `compaction`. */
  readonly compaction?: BlockCompaction;
  /** Whether a result without samples is a block all the same. */
  readonly keepsEmpty?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number) => void;
}

export interface DownsampleReport {
  /** Undefined when the source has no sample that is a number, and an empty block is not kept. */
  readonly output: BlockMeta | undefined;
  readonly samplesRead: number;
}

const CHUNKS_PER_TURN = 2048;

/** Makes a block of a coarser resolution beside its source, series by series. Throws `BlockFault` for a damaged source. */
export async function downsampleBlock(request: DownsampleRequest): Promise<DownsampleReport> {
  const { disk, source: dir, ulid } = request;
  let source: MergeSource | undefined;
  try {
    source = await MergeSource.open(disk, dir, { order: 0, count: 1, replica: 0 });
    return await new Downsampling(request, source).run();
  } catch (error) {
    throw faultOf(ulid, error);
  } finally {
    await source?.close();
  }
}

class Downsampling {
  readonly #request: DownsampleRequest;
  readonly #source: MergeSource;
  readonly #raw: RawSeries;
  readonly #aggregates: AggregateSeries;
  #samplesRead = 0;

  constructor(request: DownsampleRequest, source: MergeSource) {
    this.#request = request;
    this.#source = source;
    this.#raw = new RawSeries(request.outMs);
    this.#aggregates = new AggregateSeries(request.inMs, request.outMs);
  }

  async run(): Promise<DownsampleReport> {
    const { disk, dir, output, keepsEmpty } = this.#request;
    const { index, toc, meta } = this.#source;
    const symbols = new MergedSymbols([index], [toc.symbols]);
    this.#source.cursor = new SeriesCursor(index, toc, symbols.ranks[0]);
    const writer = await BlockWriter.create({ disk, dir, ulid: output, symbols });
    try {
      await this.#writeSeries(writer);
      if (writer.seriesCount === 0 && !keepsEmpty) {
        await writer.abort();
        return { output: undefined, samplesRead: this.#samplesRead };
      }
      const { minTime, maxTime } = meta;
      const { compaction = meta.compaction } = this.#request;
      const made = await writer.finish({ minTime, maxTime, compaction });
      return { output: made, samplesRead: this.#samplesRead };
    } catch (error) {
      await writer.abort();
      await disk.remove(`${dir}/${output}`);
      throw error;
    }
  }

  async #writeSeries(writer: BlockWriter): Promise<void> {
    const { inMs } = this.#request;
    let chunks = 0;
    while (this.#source.next()) {
      const { cursor } = this.#source;
      chunks += cursor.chunkCount;
      const series = inMs === 0 ? await this.#downsampleRaw() : await this.#downsampleAggregates();
      await this.#writeOne(writer, series);
      if (chunks < CHUNKS_PER_TURN) continue;
      chunks = 0;
      await this.#turn();
    }
  }

  async #writeOne(writer: BlockWriter, chunks: readonly BlockChunk[]): Promise<void> {
    if (chunks.length === 0) return;
    const refs: number[] = [];
    for (const chunk of chunks) {
      if (!writer.chunks.hasRoom(chunk.data.length)) await writer.chunks.nextFile();
      refs.push(writer.chunks.append(chunk));
      writer.countSamples(chunk.encoding, storedSampleCount(chunk.encoding, chunk.data, 0));
    }
    const { labels, labelCount } = this.#source.cursor;
    writer.addRanked(
      labels,
      labelCount,
      chunks.length,
      chunks.map(({ mint }) => mint),
      chunks.map(({ maxt }) => maxt),
      refs,
    );
    if (writer.isFull) await writer.drain();
  }

  async #downsampleRaw(): Promise<BlockChunk[]> {
    const { cursor, chunks } = this.#source;
    for (let i = 0; i < cursor.chunkCount; i++) {
      await this.#open(cursor.chunkRef[i]);
      this.#samplesRead += chunks.sampleCount;
      this.#raw.add(chunks.encoding, chunks.data);
    }
    return this.#raw.take();
  }

  async #downsampleAggregates(): Promise<BlockChunk[]> {
    const { inMs, outMs } = this.#request;
    return (await this.#joinAggregates()) ?? downsampleSeries(await this.#readChunks(), inMs, outMs);
  }

  /** Undefined when the series is not all floats in order, of which most are. */
  async #joinAggregates(): Promise<BlockChunk[] | undefined> {
    const { cursor, chunks } = this.#source;
    const series = this.#aggregates;
    series.clear();
    for (let i = 0; i < cursor.chunkCount; i++) {
      await this.#open(cursor.chunkRef[i]);
      if (!series.add(cursor.mint[i], cursor.maxt[i], chunks.data)) return undefined;
    }
    const joined = cursor.chunkCount === 0 ? [] : series.take();
    if (joined !== undefined) this.#samplesRead += series.windowCount;
    return joined;
  }

  async #readChunks(): Promise<BlockChunk[]> {
    const { cursor, chunks } = this.#source;
    const read: BlockChunk[] = [];
    for (let i = 0; i < cursor.chunkCount; i++) {
      await this.#open(cursor.chunkRef[i]);
      this.#samplesRead += chunks.sampleCount;
      const { encoding, data } = chunks;
      read.push({ mint: cursor.mint[i], maxt: cursor.maxt[i], encoding, data: data.slice() });
    }
    return read;
  }

  async #open(ref: number): Promise<void> {
    const { chunks } = this.#source;
    if (!chunks.isOpen(ref)) await this.#source.openChunks(ref);
    this.#source.guard(() => chunks.open(ref));
  }

  async #turn(): Promise<void> {
    const { signal, onProgress } = this.#request;
    signal?.throwIfAborted();
    const { cursor, toc } = this.#source;
    const [done, end] = cursor.progress;
    onProgress?.((done - toc.series) / (end - toc.series));
    await nextTurn();
  }
}

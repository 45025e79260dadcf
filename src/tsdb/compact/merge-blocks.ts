import { assert } from '../../platform/assert.ts';
import type { Disk } from '../../platform/disk.ts';
import { type BlockDescription, BlockWriter } from '../block/block-writer.ts';
import type { BlockCompaction, BlockMeta } from '../block/meta.ts';
import type { Interval } from '../block/tombstones.ts';
import type { RankedSymbols } from '../index/index-writer.ts';
import { MergedSymbols } from '../index/merged-symbols.ts';
import { SeriesCursor } from '../index/series-cursor.ts';
import { nextTurn } from '../next-turn.ts';
import { FROM_OUT_OF_ORDER } from './late-blocks.ts';
import { faultOf, MergeSource, type SourcePlace } from './merge-source.ts';
import { SeriesMerger } from './series-merger.ts';
import { SeriesShard } from './series-shard.ts';
import { type LabelChange, SortedSeries, type SortReport } from './sorted-series.ts';
import { SourceHeap } from './source-heap.ts';

/** A block to be merged: its folder, and which replica it is of. */
export interface MergeInput {
  readonly dir: string;
  readonly replica: number;
}

/**
 * How samples of several replicas become one series: all of them by time, or those of one replica at a time. Late samples, in
 * blocks that say so, are all kept.
 */
export type ReplicaDedup = 'one-to-one' | 'penalty';

export interface MergeRequest {
  readonly disk: Disk;
  readonly inputs: readonly MergeInput[];
  /** Where the outputs go, and a name for each: one per shard. */
  readonly dir: string;
  readonly ulids: readonly string[];
  readonly dedup: ReplicaDedup;
  /** Thanos' section for the output of a shard. */
  readonly thanosOf: (shard: number) => unknown;
  /** Instead of the sum of the inputs' `compaction`. */
  readonly compaction?: BlockCompaction;
  /** Whether an output without samples is a block all the same: one shard of several, without which the others do not count. */
  readonly keepsEmpty?: boolean;
  /** Times to leave out of a series, by its labels as text: name, value, name, value … */
  readonly deletions?: SeriesDeletions;
  /**
   * Of one block only: its series may come in any order, with label names in any order and more than once, and get these
   * other labels if any. All labels are in memory meanwhile. Chunks wholly outside of the block's time are left out; the
   * time of the result is longer when others reach beyond it.
   */
  readonly reorder?: { readonly change?: LabelChange };
  readonly signal?: AbortSignal;
  /** Told now and then which part of the inputs' series is done, 0 … 1. */
  readonly onProgress?: (done: number) => void;
}

/** Intervals by the number of the input they are to be left out of; undefined for none. */
export type SeriesDeletions = (labels: readonly string[]) => readonly (readonly Interval[])[] | undefined;

export interface MergeReport {
  /** By shard; undefined when it has no samples and is not kept. */
  readonly outputs: readonly (BlockMeta | undefined)[];
  readonly series: number;
  /** Samples in the inputs' chunks, before anything was left out. */
  readonly samplesRead: number;
  /** Samples in chunks that were copied. */
  readonly samplesCopied: number;
  readonly chunksCopied: number;
  readonly chunksMerged: number;
  /** With `reorder`: what was put in order. */
  readonly sorted: SortReport | undefined;
}

const decoder = new TextDecoder();
/** Chunks read between two turns of the event loop, about. */
const CHUNKS_PER_TURN = 8192;

/**
 * Merges blocks on disk into one, or into one per shard, in one pass: series by series in the order of labels, chunks
 * copied as they are where they do not overlap. Memory: a window of each file, the symbols, and one series. Every checksum
 * is verified. Throws `BlockFault` naming an input that is damaged; no output is left then.
 */
export async function mergeBlocks(request: MergeRequest): Promise<MergeReport> {
  const sources = await openMergeSources(request.disk, request.inputs);
  try {
    const { symbols, sorted } = request.reorder
      ? await putInOrder(sources, request, request.reorder)
      : { symbols: walkInOrder(sources), sorted: undefined };
    return await new BlockMerge(request, sources, symbols, sorted).run();
  } finally {
    await Promise.all(sources.map((source) => source.close()));
  }
}

/** Opens blocks to be read side by side, each of which the caller closes. Throws `BlockFault`. */
export async function openMergeSources(disk: Disk, inputs: readonly MergeInput[]): Promise<MergeSource[]> {
  const sources: MergeSource[] = [];
  try {
    for (const [order, { dir, replica }] of inputs.entries())
      sources.push(await openSource(disk, dir, { order, count: inputs.length, replica }));
    return sources;
  } catch (error) {
    await Promise.all(sources.map((source) => source.close()));
    throw error;
  }
}

async function openSource(disk: Disk, dir: string, place: SourcePlace): Promise<MergeSource> {
  try {
    return await MergeSource.open(disk, dir, place);
  } catch (error) {
    throw faultOf(dir.slice(dir.lastIndexOf('/') + 1), error);
  }
}

class BlockMerge {
  readonly #request: MergeRequest;
  readonly #sources: readonly MergeSource[];
  readonly #symbols: RankedSymbols;
  readonly #sorted: SortReport | undefined;
  readonly #merger: SeriesMerger;
  #series = 0;

  constructor(
    request: MergeRequest,
    sources: readonly MergeSource[],
    symbols: RankedSymbols,
    sorted: SortReport | undefined,
  ) {
    this.#request = request;
    this.#sources = sources;
    this.#symbols = symbols;
    this.#sorted = sorted;
    this.#merger = new SeriesMerger(request.dedup);
  }

  async run(): Promise<MergeReport> {
    const { disk, dir, ulids } = this.#request;
    const writers: BlockWriter[] = [];
    try {
      for (const ulid of ulids)
        writers.push(await BlockWriter.create({ disk, dir, ulid, symbols: this.#symbols }));
      await this.#mergeSeries(writers);
      const outputs: (BlockMeta | undefined)[] = [];
      for (const [shard, writer] of writers.entries()) outputs.push(await this.#finish(writer, shard));
      const { samplesRead, samplesCopied, chunksCopied, chunksMerged } = this.#merger;
      const series = this.#series;
      const sorted = this.#sorted;
      return { outputs, series, samplesRead, samplesCopied, chunksCopied, chunksMerged, sorted };
    } catch (error) {
      for (const [i, writer] of writers.entries()) {
        await writer.abort();
        await disk.remove(`${dir}/${ulids[i]}`);
      }
      throw error;
    }
  }

  async #mergeSeries(writers: readonly BlockWriter[]): Promise<void> {
    const shards = new SeriesShard(this.#symbols, writers.length);
    const heap = new SourceHeap(this.#sources);
    const same: MergeSource[] = [];
    let chunks = 0;
    while (heap.size > 0) {
      heap.popEqual(same);
      const { labels, labelCount } = same[0].cursor;
      const writer = writers[shards.of(labels, labelCount)];
      const pending = this.#merger.merge(same, writer, this.#deleted(labels, labelCount));
      if (pending) await pending;
      this.#series++;
      if (writer.isFull) await writer.drain();
      for (const source of same) {
        chunks += source.cursor.chunkCount;
        if (source.next()) heap.push(source);
      }
      if (chunks >= CHUNKS_PER_TURN) {
        chunks = 0;
        await this.#turn();
      }
    }
  }

  async #turn(): Promise<void> {
    const { signal, onProgress } = this.#request;
    signal?.throwIfAborted();
    onProgress?.(this.#done());
    await nextTurn();
  }

  #done(): number {
    let done = 0;
    let all = 0;
    for (const { cursor, toc } of this.#sources) {
      done += cursor.progress[0] - toc.series;
      all += cursor.progress[1] - toc.series;
    }
    return all === 0 ? 1 : done / all;
  }

  #deleted(labels: Uint32Array, labelCount: number): readonly (readonly Interval[])[] | undefined {
    const { deletions } = this.#request;
    if (deletions === undefined) return undefined;
    const texts: string[] = [];
    for (let i = 0; i < 2 * labelCount; i++) texts.push(decoder.decode(this.#symbols.bytesOf(labels[i])));
    return deletions(texts);
  }

  async #finish(writer: BlockWriter, shard: number): Promise<BlockMeta | undefined> {
    if (writer.seriesCount === 0 && !this.#request.keepsEmpty) {
      await writer.abort();
      return undefined;
    }
    return writer.finish(this.#description(shard));
  }

  /** The block covers the time of all inputs, also where it has no samples: so it stands in for each of them. */
  #description(shard: number): BlockDescription {
    const metas = this.#sources.map(({ meta }) => meta);
    return {
      minTime: Math.min(...metas.map((meta) => meta.minTime)),
      maxTime: Math.max(...metas.map((meta) => meta.maxTime)),
      compaction: this.#request.compaction ?? joinCompactions(metas),
      thanos: this.#request.thanosOf(shard),
    };
  }
}

/** Gives each source a cursor over its index as it stands; returns the symbols of all. */
export function walkInOrder(sources: readonly MergeSource[]): RankedSymbols {
  const symbols = mergeSymbols(sources);
  for (const [i, source] of sources.entries())
    source.cursor = new SeriesCursor(source.index, source.toc, symbols.ranks[i]);
  return symbols;
}

async function putInOrder(
  sources: readonly MergeSource[],
  { signal }: MergeRequest,
  { change }: { readonly change?: LabelChange },
): Promise<{ symbols: RankedSymbols; sorted: SortReport }> {
  assert(sources.length === 1, 'only one block is put in order at a time');
  const [source] = sources;
  const { index, toc, meta, tombstones } = source;
  const { minTime, maxTime } = meta;
  try {
    const options = { minTime, maxTime, tombstones, change, signal };
    const series = await SortedSeries.open(index, toc, options);
    source.cursor = series;
    source.meta = { ...meta, minTime: series.minTime, maxTime: series.maxTime };
    return { symbols: series.symbols, sorted: series.report };
  } catch (error) {
    throw faultOf(meta.ulid, error);
  }
}

function mergeSymbols(sources: readonly MergeSource[]): MergedSymbols {
  try {
    return new MergedSymbols(
      sources.map(({ index }) => index),
      sources.map(({ toc }) => toc.symbols),
    );
  } catch (error) {
    // The path in front names the file, and so the block.
    const source = sources.find(({ index }) => (error as Error).message.startsWith(index.path));
    throw source ? faultOf(source.meta.ulid, error) : error;
  }
}

/** As Prometheus notes what a block was made of. What was made of late samples only is noted as such. */
export function joinCompactions(metas: readonly BlockMeta[]): BlockCompaction {
  const sources = new Set(metas.flatMap(({ ulid, compaction }) => sourcesOf(ulid, compaction)));
  const isLate = metas.every(({ compaction }) => compaction.hints?.includes(FROM_OUT_OF_ORDER));
  return {
    level: Math.max(...metas.map(({ compaction }) => compaction.level)) + 1,
    sources: [...sources].sort(),
    parents: metas
      .map(({ ulid, minTime, maxTime }) => ({ ulid, minTime, maxTime }))
      .sort((a, b) => a.minTime - b.minTime || (a.ulid < b.ulid ? -1 : 1)),
    ...(isLate && { hints: [FROM_OUT_OF_ORDER] }),
  };
}

function sourcesOf(ulid: string, { sources = [] }: BlockCompaction): readonly string[] {
  return sources.length > 0 ? sources : [ulid];
}

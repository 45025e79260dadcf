import { storedSampleCount } from '../../chunkenc/chunk.ts';
import { BatchBuilder } from '../../storage/batch-builder.ts';
import type { ReadTally } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { StoredChunk } from '../chunks/chunk-format.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import type { LabelPairs } from '../index/label-pairs.ts';
import type { Block } from './block.ts';
import type { SeriesRun } from './series-run.ts';
import { trimChunk } from './trim-chunk.ts';

/** A batch takes no further series from here on. */
export interface BatchSizes {
  readonly seriesMax: number;
  readonly chunksMax: number;
}

/** Series of several blocks that become one batch: first where their chunks are, then the chunks. */
export class BlocksBatch {
  readonly #blocks: readonly Block[];
  readonly #sizes: BatchSizes;
  readonly #tally: ReadTally | undefined;
  readonly #builder = new BatchBuilder(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  readonly #labels = new ByteWriter(1024);
  readonly #labelEnds: number[] = [];
  readonly #chunkEnds: number[] = [];
  readonly #chunks = new ChunkPlaces(64);
  #count = 0;
  /** Blocks that have a part in the batch, for the tally. */
  readonly #given = new Set<Block>();

  constructor(blocks: readonly Block[], sizes: BatchSizes, tally: ReadTally | undefined) {
    this.#blocks = blocks;
    this.#sizes = sizes;
    this.#tally = tally;
  }

  get seriesCount(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count >= this.#sizes.seriesMax || this.#chunks.count >= this.#sizes.chunksMax;
  }

  /** Adds the series on which `runs` stand, in the order of their blocks. */
  add(runs: readonly SeriesRun[], pairs: LabelPairs): void {
    const [first] = runs;
    const labelStart = this.#labels.length;
    for (let i = first.pairStart; i < first.pairEnd; i++) pairs.write(first.pairs[i], this.#labels);
    const before = this.#chunks.count;
    for (const run of runs) this.#chunks.addOf(run);
    if (runs.length > 1) this.#chunks.sort(before);
    this.#labelEnds[this.#count] = this.#labels.length;
    this.#chunkEnds[this.#count++] = this.#chunks.count;
    if (this.#tally) this.#tallySeries(runs, this.#labels.length - labelStart, this.#tally);
  }

  /** What was added, with the bytes of the chunks; empty afterwards. Throws `corrupt`. */
  async take(): Promise<SeriesBatch> {
    await this.#prefetch();
    const labels = this.#labels.view();
    let label = 0;
    let chunk = 0;
    for (let series = 0; series < this.#count; series++) {
      this.#builder.addSeries(labels.subarray(label, this.#labelEnds[series]));
      label = this.#labelEnds[series];
      for (; chunk < this.#chunkEnds[series]; chunk++) this.#addChunk(chunk);
    }
    this.#labels.clear();
    this.#chunks.count = 0;
    this.#count = 0;
    this.#given.clear();
    return this.#builder.take();
  }

  async #prefetch(): Promise<void> {
    await Promise.all(
      this.#blocks.map(async (block, number) => {
        const refs = this.#chunks.refsOf(number);
        if (refs.length === 0) return;
        const asked = this.#tally?.now() ?? 0;
        await block.chunks.prefetch(refs);
        if (this.#tally) this.#tally.source(blockSourceName(block)).timeMs += this.#tally.now() - asked;
      }),
    );
  }

  #addChunk(chunk: number): void {
    const { mint, maxt, ref, block: number, series } = this.#chunks;
    const block = this.#blocks[number[chunk]];
    const { encoding, data } = this.#withoutDeleted(
      block,
      chunk,
      series[chunk],
      block.chunks.read(ref[chunk]),
    );
    this.#builder.addChunk(mint[chunk], maxt[chunk], encoding, data);
    if (this.#tally) this.#tallyChunk(block, encoding, data, this.#tally);
  }

  #withoutDeleted(block: Block, chunk: number, series: number, stored: StoredChunk): StoredChunk {
    if (block.tombstones.size === 0) return stored;
    const { mint, maxt } = this.#chunks;
    const deleted = block.tombstones
      .get(series)
      ?.filter((gap) => gap.mint <= maxt[chunk] && gap.maxt >= mint[chunk]);
    return deleted?.length ? trimChunk(stored, deleted) : stored;
  }

  #tallySeries(runs: readonly SeriesRun[], labelBytes: number, tally: ReadTally): void {
    for (const { block } of runs) {
      const source = tally.source(blockSourceName(block));
      source.series++;
      source.bytes += labelBytes;
      if (!this.#given.has(block)) source.batches++;
      this.#given.add(block);
    }
  }

  #tallyChunk(block: Block, encoding: number, data: Uint8Array, tally: ReadTally): void {
    const source = tally.source(blockSourceName(block));
    source.chunks++;
    source.bytes += data.length;
    if (data.length >= 2) source.samples += storedSampleCount(encoding, data, 0);
  }
}

/** What a block is called where it is told which source gave what. */
export function blockSourceName(block: Block): string {
  return `block ${block.meta.ulid}`;
}

/** Where the chunks of a batch are, in columns. */
class ChunkPlaces {
  count = 0;
  /** ms, inclusive. */
  mint: Float64Array;
  maxt: Float64Array;
  /** The chunk's ref in its block, the number of the block, and the ref of the series in the block's index. */
  ref: Float64Array;
  block: Uint32Array;
  series: Uint32Array;

  constructor(size: number) {
    this.mint = new Float64Array(size);
    this.maxt = new Float64Array(size);
    this.ref = new Float64Array(size);
    this.block = new Uint32Array(size);
    this.series = new Uint32Array(size);
  }

  addOf(run: SeriesRun): void {
    const end = this.count + run.chunkEnd - run.chunkStart;
    if (end > this.mint.length) this.#grow(2 * end);
    for (let i = run.chunkStart; i < run.chunkEnd; i++) {
      const chunk = this.count++;
      this.mint[chunk] = run.mint[i];
      this.maxt[chunk] = run.maxt[i];
      this.ref[chunk] = run.chunkRef[i];
      this.block[chunk] = run.number;
      this.series[chunk] = run.ref;
    }
  }

  /** Orders the chunks from `first` on by (mint, maxt); equal ones stay as they are. Mostly they are in order: blocks are, by time. */
  sort(first: number): void {
    const { mint, maxt, count } = this;
    const compare = (a: number, b: number) => mint[a] - mint[b] || maxt[a] - maxt[b];
    let at = first + 1;
    while (at < count && compare(at - 1, at) <= 0) at++;
    if (at >= count) return;
    const order = Array.from({ length: count - first }, (_, i) => first + i).sort(compare);
    for (const column of [this.mint, this.maxt, this.ref, this.block, this.series])
      column.set(
        order.map((chunk) => column[chunk]),
        first,
      );
  }

  /** Refs of the chunks of one block. */
  refsOf(block: number): number[] {
    const refs: number[] = [];
    for (let chunk = 0; chunk < this.count; chunk++)
      if (this.block[chunk] === block) refs.push(this.ref[chunk]);
    return refs;
  }

  #grow(size: number): void {
    const larger = new ChunkPlaces(size);
    for (const key of ['mint', 'maxt', 'ref', 'block', 'series'] as const) larger[key].set(this[key]);
    Object.assign(this, { ...larger, count: this.count });
  }
}

import { mergeQueriers } from '../../storage/merge.ts';
import { namedQuerier } from '../../storage/named-querier.ts';
import type { LabelRequest, Querier, ReadContext, SelectRequest } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { SeriesEntry } from '../index/index-format.ts';
import { LabelPairs } from '../index/label-pairs.ts';
import type { Block } from './block.ts';
import { type BatchSizes, BlocksBatch, blockSourceName } from './blocks-batch.ts';
import { MergedRuns } from './merged-runs.ts';
import { SeriesRun } from './series-run.ts';

/** How much is worked on at a time. */
export interface BlocksSizes {
  /** Series of all blocks together that are decoded and wait for their turn, about. */
  readonly decodedSeriesMax: number;
  /** Series of one block that are decoded in one go, unless that makes too many of all. */
  readonly sliceSeriesMin: number;
  readonly sliceSeriesMax: number;
  readonly batch: BatchSizes;
}

const SIZES: BlocksSizes = {
  decodedSeriesMax: 16_384,
  sliceSeriesMin: 64,
  sliceSeriesMax: 1024,
  // A megabyte or so: enough of them to share out among threads, and little to hold.
  batch: { seriesMax: 2048, chunksMax: 2048 },
};

/** The label pairs that the queries of one thread met in a tenant's blocks; begun anew when they take too much memory. */
export class KnownPairs {
  readonly #bytesMax: number;
  #pairs = new LabelPairs();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get current(): LabelPairs {
    if (this.#pairs.sizeBytes > this.#bytesMax) this.#pairs = new LabelPairs();
    return this.#pairs;
  }
}

/**
 * Several blocks of one tenant as one source: what `mergeQueriers` makes of their queriers, read in columns. Series of
 * different blocks are told to be equal by the numbers of their label pairs, and label bytes are made once for each series
 * of the answer; chunks go from the page cache to where they stay. At equal times later blocks win.
 */
export class BlocksQuerier implements Querier {
  readonly #blocks: readonly Block[];
  readonly #known: KnownPairs;
  readonly #sizes: BlocksSizes;
  /** Answers about labels, and keeps the blocks open. */
  readonly #merged: Querier;

  private constructor(blocks: readonly Block[], known: KnownPairs, merged: Querier, sizes: BlocksSizes) {
    this.#blocks = blocks;
    this.#known = known;
    this.#sizes = sizes;
    this.#merged = merged;
  }

  /** `blocks`, at least one, stay readable until it is closed. */
  static async open(
    blocks: readonly Block[],
    known: KnownPairs,
    mint: number,
    maxt: number,
    sizes = SIZES,
  ): Promise<BlocksQuerier> {
    const queriers = await Promise.all(blocks.map((block) => block.querier(mint, maxt)));
    const named = queriers.map((querier, i) => namedQuerier(blockSourceName(blocks[i]), querier));
    return new BlocksQuerier(blocks, known, mergeQueriers(named), sizes);
  }

  get warnings(): readonly string[] {
    return this.#merged.warnings;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    ctx.signal.throwIfAborted();
    let pairs = this.#known.current;
    const runs = await MergedRuns.open(this.#runs(request, pairs), pairs, ctx.signal);
    const batch = new BlocksBatch(this.#blocks, this.#sizes.batch, ctx.tally);
    let left = request.hints?.limit || Number.POSITIVE_INFINITY;
    while (!runs.isEnded && left > 0) {
      batch.add(runs.current, pairs);
      left--;
      if (!runs.advance()) await runs.load(ctx.signal);
      if (!batch.isFull && left > 0 && !runs.isEnded) continue;
      ctx.signal.throwIfAborted();
      yield await batch.take();
      if (pairs === this.#known.current) continue;
      pairs = this.#known.current;
      runs.renumber(pairs);
    }
  }

  #runs(request: SelectRequest, pairs: LabelPairs): SeriesRun[] {
    const { decodedSeriesMax, sliceSeriesMin, sliceSeriesMax } = this.#sizes;
    const share = Math.floor(decodedSeriesMax / this.#blocks.length);
    const sliceMax = Math.max(sliceSeriesMin, Math.min(sliceSeriesMax, share));
    const entry = new SeriesEntry();
    return this.#blocks.map((block, number) => {
      const refs = block.index.postings(request.matchers);
      return new SeriesRun(block, number, refs, request, pairs, { sliceMax, entry });
    });
  }

  labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return this.#merged.labelNames(ctx, request);
  }

  labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return this.#merged.labelValues(ctx, name, request);
  }

  exemplars: Querier['exemplars'] = (ctx, sets, mint, maxt) => this.#merged.exemplars(ctx, sets, mint, maxt);

  close(): Promise<void> {
    return this.#merged.close();
  }
}

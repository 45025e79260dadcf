import { decodeLabels } from '../../encoding/label-bytes.ts';
import { compareStrings } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectRequest,
} from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { SeriesEntry } from '../index/index-format.ts';
import { BatchBuilder } from './batch-builder.ts';
import type { Block } from './block.ts';
import type { Interval } from './tombstones.ts';
import { trimChunk } from './trim-chunk.ts';

/** One batch holds at most this many series, and about this many chunks. */
export const BATCH_SERIES_MAX = 2048;
export const BATCH_CHUNKS_MAX = 16_384;
/** Label calls with matchers look at this many series between two looks at the signal. */
const LABEL_SLICE = 4096;

interface WantedChunk {
  readonly chunk: number;
  readonly ref: number;
  readonly deleted: readonly Interval[];
}

/** Reads one block. Batches come in the order of labels; deleted samples are gone from what they hold. */
export class BlockQuerier implements Querier {
  readonly warnings: readonly string[] = [];
  readonly #block: Block;
  readonly #release: () => void;

  /** `release` is called once, on close. */
  constructor(block: Block, release: () => void) {
    this.#block = block;
    this.#release = release;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    ctx.signal.throwIfAborted();
    const { index } = this.#block;
    const { limit = 0 } = request.hints ?? {};
    const refs = index.postings(request.matchers);
    let at = 0;
    let found = 0;
    while (at < refs.length && (limit === 0 || found < limit)) {
      ctx.signal.throwIfAborted();
      const slice = refs.subarray(at, at + BATCH_SERIES_MAX);
      await index.prefetchSeries(slice);
      const builder = new BatchBuilder();
      const wanted: WantedChunk[] = [];
      const most = limit === 0 ? Number.POSITIVE_INFINITY : limit - found;
      at += this.#collect(slice, request, builder, wanted, most);
      await this.#readChunks(builder, wanted);
      found += builder.seriesCount;
      if (builder.seriesCount > 0) yield builder.build();
    }
  }

  async labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    const { index } = this.#block;
    if (request.matchers.length === 0) return limited(index.labelNames(), request.limit);
    const names = new Set<number>();
    await this.#eachSeries(ctx, request, (entry) => {
      for (let i = 0; i < entry.labelCount; i++) names.add(entry.labels[2 * i]);
    });
    return limited(this.#texts(names), request.limit);
  }

  async labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    const { index } = this.#block;
    if (request.matchers.length === 0) return limited(index.labelValues(name), request.limit);
    const values = new Set<number>();
    let nameRef = -1;
    await this.#eachSeries(ctx, request, (entry) => {
      for (let i = 0; i < entry.labelCount; i++) {
        const ref = entry.labels[2 * i];
        if (nameRef < 0 && index.symbols.textOf(ref) === name) nameRef = ref;
        if (ref === nameRef) values.add(entry.labels[2 * i + 1]);
      }
    });
    return limited(this.#texts(values), request.limit);
  }

  /** Blocks hold none. */
  async exemplars(
    _ctx: ReadContext,
    _matcherSets: readonly (readonly Matcher[])[],
    _mint: number,
    _maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    return [];
  }

  async close(): Promise<void> {
    this.#release();
  }

  /** Adds series of `refs` with their chunk columns until the batch is full; returns how many refs were looked at. */
  #collect(
    refs: Uint32Array,
    { mint, maxt, hints }: SelectRequest,
    builder: BatchBuilder,
    wanted: WantedChunk[],
    seriesMost: number,
  ): number {
    const entry = new SeriesEntry();
    for (const [i, ref] of refs.entries()) {
      if (builder.seriesCount >= seriesMost || builder.chunkCount >= BATCH_CHUNKS_MAX) return i;
      this.#block.index.readSeries(ref, entry);
      const deleted = this.#block.tombstones.get(ref) ?? [];
      let present = false;
      for (let c = 0; c < entry.chunkCount; c++) {
        const from = entry.mint[c];
        const to = entry.maxt[c];
        if (to < mint || from > maxt || deleted.some((gap) => gap.mint <= from && gap.maxt >= to)) continue;
        present = true;
        if (hints?.labelsOnly) break;
        const cut = deleted.filter((gap) => gap.mint <= to && gap.maxt >= from);
        wanted.push({ chunk: builder.addChunk(from, to), ref: entry.chunkRef[c], deleted: cut });
      }
      if (!present) continue;
      this.#block.index.appendLabelBytes(entry, builder.labels);
      builder.endSeries();
    }
    return refs.length;
  }

  async #readChunks(builder: BatchBuilder, wanted: readonly WantedChunk[]): Promise<void> {
    await this.#block.chunks.readAll(
      wanted.map(({ ref }) => ref),
      (i, stored) => {
        const { chunk, deleted } = wanted[i];
        const { encoding, data } = deleted.length > 0 ? trimChunk(stored, deleted) : stored;
        builder.setChunkData(chunk, encoding, data);
      },
    );
  }

  async #eachSeries(
    ctx: ReadContext,
    request: LabelRequest,
    visit: (entry: SeriesEntry) => void,
  ): Promise<void> {
    const { index } = this.#block;
    const refs = index.postings(request.matchers);
    const entry = new SeriesEntry();
    for (let at = 0; at < refs.length; at += LABEL_SLICE) {
      ctx.signal.throwIfAborted();
      const slice = refs.subarray(at, at + LABEL_SLICE);
      await index.prefetchSeries(slice);
      for (const ref of slice) {
        index.readSeries(ref, entry);
        visit(entry);
      }
    }
  }

  #texts(refs: ReadonlySet<number>): string[] {
    return [...refs].map((ref) => this.#block.index.symbols.textOf(ref)).sort(compareStrings);
  }
}

/** The labels of a series, decoded; for tools and messages. */
export function seriesLabels(block: Block, entry: SeriesEntry) {
  const out = new ByteWriter();
  block.index.appendLabelBytes(entry, out);
  return decodeLabels(out.view());
}

function limited(list: readonly string[], limit: number): readonly string[] {
  return limit > 0 ? list.slice(0, limit) : list;
}

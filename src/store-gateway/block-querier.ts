import { compareStrings } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { assertNotAborted } from '../objstore/bucket.ts';
import { BatchBuilder } from '../storage/batch-builder.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  ReadContext,
  SelectRequest,
} from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { trimChunk } from '../tsdb/block/trim-chunk.ts';
import type { StoredChunk } from '../tsdb/chunks/chunk-format.ts';
import type { BlockChunks } from './block-chunks.ts';
import type { BlockDeletions } from './block-deletions.ts';
import type { BlockIndex } from './block-index.ts';
import type { BlockSymbols } from './block-symbols.ts';
import type { ExternalLabels } from './external-labels.ts';
import { type GoneLabels, goneTexts } from './gone-labels.ts';
import { LazyMatchers } from './lazy-matchers.ts';
import { DEFAULT_REQUEST_LIMITS, RequestBudget } from './limits.ts';
import { type FoundSeries, type NamedSeries, namedSeries, renamedSeries } from './named-series.ts';
import type { RangeSource } from './ranges.ts';
import { type ReadRoom, readAhead } from './read-ahead.ts';
import type { ReadShares, SliceSize } from './read-shares.ts';
import type { ChunkMeta, EntryWish } from './series-entry.ts';

/** Smaller than elsewhere: every block of a query holds a batch while they are merged. */
const BATCH_SERIES_MAX = 1024;
/** Values of a label whose lists may be read to find the series that have it. */
const VALUES_FEW = 64;

const EVER = { matchers: [], mint: Number.NEGATIVE_INFINITY, maxt: Number.POSITIVE_INFINITY, limit: 0 };
const WHOLE: EntryWish = { mint: EVER.mint, maxt: EVER.maxt };
const NOTHING_GONE: ReadonlySet<string> = new Set();

/** What the reading of one block needs, apart from the request. */
export interface OpenBlock {
  readonly index: BlockIndex;
  readonly chunks: BlockChunks;
  /** What is to be left out; undefined for nothing. */
  readonly deletions: BlockDeletions | undefined;
  /** Labels that the series have besides their own; undefined for none. */
  readonly external: ExternalLabels | undefined;
  readonly symbols: BlockSymbols;
  /** Whoever opened the block is done with it. */
  release(): void;
}

/** One that is read. */
type ReadBlock = OpenBlock & { readonly slice: SliceSize };

export type BlockReads = Omit<RangeSource, 'ctx'> & {
  readonly room: ReadRoom;
  readonly shares: ReadShares;
  /** Blocks that the query reads. */
  readonly blockCount: number;
};

/** One block in the bucket as a querier. The block is opened on first use, so that a block nobody selects from costs nothing. */
export class BlockQuerier implements Querier {
  readonly warnings: readonly string[] = [];
  readonly #reads: BlockReads;
  readonly #open: (ctx: ReadContext) => Promise<OpenBlock>;

  constructor(open: (ctx: ReadContext) => Promise<OpenBlock>, reads: BlockReads) {
    this.#open = open;
    this.#reads = reads;
  }

  /** Always sorted: references ascend as labels do; where labels are added all series are looked up and sorted first. */
  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const block = await this.#open(ctx);
    const { shares, blockCount } = this.#reads;
    const slice = shares.enter(request.hints?.labelsOnly ? 1 : blockCount);
    try {
      yield* this.#selectOf(ctx, { ...block, slice }, request);
    } finally {
      shares.leave();
      block.release();
    }
  }

  async *#selectOf(
    ctx: ReadContext,
    block: ReadBlock,
    { matchers, mint, maxt, hints }: SelectRequest,
  ): AsyncGenerator<SeriesBatch> {
    const source = this.#source(ctx);
    const { room, budget } = this.#reads;
    const builder = new BatchBuilder(BATCH_SERIES_MAX, block.slice.batchBytes);
    const limit = hints?.limit && hints.limit > 0 ? hints.limit : Number.POSITIVE_INFINITY;
    const named = this.#named(source, block, matchers, { mint, maxt, labelsOnly: hints?.labelsOnly }, limit);
    const read = async ({ series }: SeriesGroup) => {
      const metas = series.flatMap((entry) => entry.chunks);
      budget.takeChunks(metas.length);
      return block.chunks.fetch(source, metas);
    };
    for await (const series of named) {
      if (hints?.labelsOnly)
        for (const { labelBytes } of series) {
          builder.addSeries(labelBytes);
          if (builder.isFull) yield builder.take();
        }
      else
        for await (const [group, chunkAt] of readAhead(this.#groups(block, series), room, read))
          for (const entry of group.series) {
            builder.addSeries(entry.labelBytes);
            for (const meta of inOrder(entry)) {
              const { encoding, data } = withoutDeleted(chunkAt(meta), meta, entry);
              builder.addChunk(meta.mint, meta.maxt, encoding, data);
            }
            if (builder.isFull) yield builder.take();
          }
    }
    if (!builder.isEmpty) yield builder.take();
  }

  /** Series in order, in groups whose chunks take about what may be read in one go. */
  *#groups({ chunks, slice }: ReadBlock, series: readonly NamedSeries[]): Generator<SeriesGroup> {
    const { room } = this.#reads;
    let group: NamedSeries[] = [];
    let bytes = 0;
    for (const entry of series) {
      group.push(entry);
      for (const meta of entry.chunks) bytes += chunks.bytesOf(meta);
      if (bytes < (room.isTight ? slice.bytesWhenTight : slice.bytes)) continue;
      yield { series: group, bytes };
      group = [];
      bytes = 0;
    }
    if (group.length > 0) yield { series: group, bytes };
  }

  labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return this.#opened(ctx, (block) => this.#namesOf(ctx, block, request));
  }

  labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return this.#opened(ctx, (block) => this.#valuesOf(ctx, block, name, request));
  }

  async #opened<T>(ctx: ReadContext, use: (block: ReadBlock) => Promise<T>): Promise<T> {
    const block = await this.#open(ctx);
    const { shares } = this.#reads;
    const slice = shares.enter(1);
    try {
      return await use({ ...block, slice });
    } finally {
      shares.leave();
      block.release();
    }
  }

  async #namesOf(ctx: ReadContext, block: ReadBlock, request: LabelRequest): Promise<readonly string[]> {
    const { index, external } = block;
    const added = external?.names ?? [];
    if (request.matchers.length === 0) {
      const isLeft = (name: string) => this.#isNameLeft(ctx, block, name);
      const gone = await this.#gone(ctx, block, { pick: (labels, at) => labels[at], isLeft });
      const names = index.header.labelNames().filter((name) => !gone.has(name));
      return limited(union(names, added), request.limit);
    }
    const matchers = external ? external.remaining(request.matchers) : request.matchers;
    if (!matchers) return [];
    const names = new Set<number>();
    let hasSeries = false;
    for await (const { series } of this.#slices(this.#source(ctx), block, matchers, labelsOf(request)))
      for (const { labelSymbols } of series) {
        hasSeries = true;
        for (let i = 0; i < labelSymbols.length; i += 2) names.add(labelSymbols[i]);
      }
    return limited(union(toTexts(block.symbols, names), hasSeries ? added : []), request.limit);
  }

  async #valuesOf(
    ctx: ReadContext,
    block: ReadBlock,
    name: string,
    request: LabelRequest,
  ): Promise<readonly string[]> {
    const { header } = block.index;
    const { external, symbols } = block;
    const added = external?.value(name);
    const asked = external ? external.remaining(request.matchers) : request.matchers;
    if (!asked) return [];
    if (added !== undefined) return (await this.#hasSeries(ctx, block, asked, request)) ? [added] : [];
    if (asked.length === 0) {
      const pick = (labels: readonly number[], at: number) =>
        symbols.textOf(labels[at]) === name ? labels[at + 1] : undefined;
      const isLeft = (value: string) => this.#hasValue(ctx, block, name, value);
      const gone = await this.#gone(ctx, block, { pick, isLeft });
      const left = [...header.labelValues(name)].filter((value) => !gone.has(value));
      return limited(left, request.limit);
    }
    // A label with many values is one that most series have: their lists would only tell which ones have none.
    const hasFew = header.valueCount(name) <= VALUES_FEW;
    const matchers = hasFew ? [...asked, new Matcher('!=', name, '')] : asked;
    const values = new Set<number>();
    for await (const { series } of this.#slices(this.#source(ctx), block, matchers, labelsOf(request)))
      for (const { labelSymbols } of series) {
        const value = symbols.valueNumber(labelSymbols, name);
        if (value >= 0) values.add(value);
      }
    return limited(toTexts(symbols, values), request.limit);
  }

  /** Names or values that only deleted series have: see `goneTexts`. */
  async #gone(ctx: ReadContext, block: ReadBlock, labels: GoneLabels): Promise<ReadonlySet<string>> {
    if (block.deletions === undefined) return NOTHING_GONE;
    // What a request may read is not used up by what it is not shown.
    const source = { ...this.#source(ctx), budget: new RequestBudget(DEFAULT_REQUEST_LIMITS) };
    const whole = { ...block, deletions: undefined };
    return goneTexts(block, labels, (set, max) => this.#slices(source, whole, set, WHOLE, max));
  }

  /** Of a name with many values only some are looked at: it stays when none of these says so. */
  async #isNameLeft(ctx: ReadContext, block: ReadBlock, name: string): Promise<boolean> {
    const { header } = block.index;
    let count = 0;
    for (const value of header.labelValues(name)) {
      if (++count > VALUES_FEW) return true;
      if (await this.#hasValue(ctx, block, name, value)) return true;
    }
    return false;
  }

  #hasValue(ctx: ReadContext, block: ReadBlock, name: string, value: string): Promise<boolean> {
    return this.#hasSeries(ctx, block, [new Matcher('=', name, value)], EVER);
  }

  /** Blocks hold no exemplars. */
  async exemplars(): Promise<readonly ExemplarSeries[]> {
    return [];
  }

  async close(): Promise<void> {}

  /** The selected series under the names they are known by, in their order. */
  async *#named(
    source: RangeSource,
    block: ReadBlock,
    matchers: readonly Matcher[],
    wish: EntryWish,
    limit: number,
  ): AsyncGenerator<NamedSeries[]> {
    const { external, symbols } = block;
    if (!external) {
      for await (const { series } of this.#slices(source, block, matchers, wish, limit))
        yield namedSeries(series, symbols);
      return;
    }
    const remaining = external.remaining(matchers);
    if (!remaining) return;
    const found = this.#slices(source, block, remaining, { ...wish, labelsOnly: true });
    yield* renamedSeries(found, block, external, wish, limit);
  }

  async #hasSeries(
    ctx: ReadContext,
    block: ReadBlock,
    matchers: readonly Matcher[],
    request: LabelRequest,
  ): Promise<boolean> {
    for await (const { series } of this.#slices(this.#source(ctx), block, matchers, labelsOf(request), 1))
      if (series.length > 0) return true;
    return false;
  }

  /** Selected series that have a chunk in range, some at a time, at most `limit` in all. */
  async *#slices(
    source: RangeSource,
    { index, deletions, symbols, slice }: ReadBlock,
    matchers: readonly Matcher[],
    { mint, maxt, labelsOnly }: EntryWish,
    limit = Number.POSITIVE_INFINITY,
  ): AsyncGenerator<FoundSeries> {
    const { refs, lazy, ahead } = await index.select(source, matchers, slice.aheadBytes);
    const rest = lazy.length > 0 ? new LazyMatchers(lazy, symbols) : undefined;
    const accepts = rest && ((labelSymbols: readonly number[]) => rest.matches(labelSymbols));
    // What is deleted of a series is told by its chunks.
    const wish = { mint, maxt, accepts, ...(labelsOnly && !deletions && { labelsOnly }) };
    const { budget } = source;
    const decodedBytes = wish.labelsOnly ? Number.POSITIVE_INFINITY : slice.decodedBytes;
    const stopped = new AbortController();
    // Not AbortSignal.any: the caller's signal may be one of our own making.
    const stop = () => stopped.abort(source.ctx.signal.reason);
    source.ctx.signal.addEventListener('abort', stop, { once: true });
    const ctx = { signal: stopped.signal };
    const read = (at: number) => {
      const part = refs.subarray(at, at + index.countWithin(refs, at, slice.entryBytes));
      const fetched = index.fetchSeries({ ...source, ctx }, part, ahead);
      // Nobody may be waiting for it when it fails.
      fetched.catch(() => {});
      return { part, fetched };
    };
    let left = limit;
    let next = refs.length > 0 ? read(0) : undefined;
    try {
      for (let at = 0; next && left > 0; ) {
        assertNotAborted(source.ctx, 'read blocks in the bucket');
        const { part } = next;
        const fetched = await next.fetched;
        at += part.length;
        // The next entries are on their way while the caller fetches the chunks of these.
        next = at < refs.length ? read(at) : undefined;
        for (let i = 0; i < part.length && left > 0; ) {
          const end = i + Math.min(slice.series, index.countWithin(part, i, decodedBytes));
          const found = index.decodeSeries(fetched, part.subarray(i, end), wish);
          i = end;
          const present = (deletions ? deletions.applyTo(found) : found).slice(0, left);
          budget.takeSeries(present.length);
          left -= present.length;
          yield { series: present, fetched };
        }
      }
    } finally {
      source.ctx.signal.removeEventListener('abort', stop);
      stopped.abort();
    }
  }

  #source(ctx: ReadContext): RangeSource {
    return { ...this.#reads, ctx };
  }
}

function labelsOf({ mint, maxt }: LabelRequest): EntryWish {
  return { mint, maxt, labelsOnly: true };
}

/** Series whose chunks are read together, and what these take, about. */
interface SeriesGroup {
  readonly series: readonly NamedSeries[];
  readonly bytes: number;
}

/** The samples of a chunk that are left. */
function withoutDeleted(chunk: StoredChunk, meta: ChunkMeta, entry: NamedSeries): StoredChunk {
  const { mint, maxt } = meta;
  const deleted = meta.deleted ?? entry.deleted ?? [];
  const gaps = deleted.filter((gap) => gap.mint <= maxt && gap.maxt >= mint);
  return gaps.length > 0 ? trimChunk(chunk, gaps) : chunk;
}

function inOrder({ chunks }: NamedSeries) {
  return [...chunks].sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
}

function toTexts(symbols: BlockSymbols, numbers: ReadonlySet<number>): string[] {
  return symbols.textsOf(numbers).sort(compareStrings);
}

function union(sorted: readonly string[], added: readonly string[]): readonly string[] {
  return added.length === 0 ? sorted : [...new Set([...sorted, ...added])].sort(compareStrings);
}

function limited(texts: readonly string[], limit: number): readonly string[] {
  return limit > 0 ? texts.slice(0, limit) : texts;
}

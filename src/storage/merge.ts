import { VeronaError } from '../model/errors.ts';
import type { Exemplar } from '../model/exemplar.ts';
import { compareLabels, compareStrings, type Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import { settled } from '../platform/settled.ts';
import { BatchBuilder } from './batch-builder.ts';
import { compareLabelBytes } from './compare-label-bytes.ts';
import { LinkedSignal } from './linked-signal.ts';
import type { ExemplarSeries, LabelRequest, Querier, ReadContext, SelectRequest } from './querier.ts';
import type { SeriesBatch } from './series-batch.ts';

/**
 * Several sources as one: each series appears once, with the chunks of all sources ordered by (mint, maxt); where these
 * are equal, chunks of later sources come later and so win. An error of one source fails the whole answer and cancels
 * the others at once; warnings are collected. A single source is handed through as it is.
 */
export function mergeQueriers(queriers: readonly Querier[]): Querier {
  return queriers.length === 1 ? queriers[0] : new MergedQuerier(queriers);
}

/** Why the rest of a select is canceled when one source failed or the reader stopped. */
const ENDED = new VeronaError('canceled', 'the select has ended');

/** Enough batches of a large select to share out among threads, and little to hold. */
const BATCH_SERIES_MAX = 2048;
const BATCH_BYTES_MAX = 1024 * 1024;

class MergedQuerier implements Querier {
  readonly #sources: readonly Querier[];

  constructor(sources: readonly Querier[]) {
    this.#sources = sources;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    // Equal series are found next to each other only in sorted streams.
    const sorted: SelectRequest = { ...request, sorted: true };
    const signal = new LinkedSignal(ctx.signal);
    const cursors = this.#sources.map(
      (source, i) => new SeriesCursor(source.select({ ...ctx, signal }, sorted), i),
    );
    try {
      const heap = new CursorHeap();
      const present = await Promise.all(cursors.map((cursor) => cursor.next()));
      for (const [i, cursor] of cursors.entries()) if (present[i]) heap.push(cursor);
      yield* mergeCursors(heap);
    } finally {
      // A source that waits for a slow peer hears of the end only so; closing alone would wait with it.
      signal.abort(ENDED);
      await Promise.allSettled(cursors.map((cursor) => cursor.close()));
    }
  }

  async labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    const lists = await Promise.all(this.#sources.map((source) => source.labelNames(ctx, request)));
    return mergeStrings(lists, request.limit);
  }

  async labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    const lists = await Promise.all(this.#sources.map((source) => source.labelValues(ctx, name, request)));
    return mergeStrings(lists, request.limit);
  }

  async exemplars(
    ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    const lists = await Promise.all(
      this.#sources.map((source) => source.exemplars(ctx, matcherSets, mint, maxt)),
    );
    return mergeExemplars(lists.flat());
  }

  get warnings(): readonly string[] {
    return [...new Set(this.#sources.flatMap((source) => source.warnings))];
  }

  async close(): Promise<void> {
    await settled(this.#sources.map((source) => source.close()));
  }
}

async function* mergeCursors(heap: CursorHeap): AsyncGenerator<SeriesBatch> {
  const builder = new BatchBuilder(BATCH_SERIES_MAX, BATCH_BYTES_MAX);
  while (heap.size > 0) {
    const last = heap.only;
    if (last?.isAtStart) {
      // What only one source has left goes on as it comes.
      if (!builder.isEmpty) yield builder.take();
      yield last.batch;
      if (!(await last.next())) return;
      continue;
    }
    const same = heap.popEqual();
    addMerged(builder, same);
    if (builder.isFull) yield builder.take();
    for (const cursor of same) if (cursor.advance() || (await cursor.next())) heap.push(cursor);
  }
  if (!builder.isEmpty) yield builder.take();
}

/** One series out of the current ones of all cursors, which have equal labels and come in the order of the sources. */
function addMerged(builder: BatchBuilder, cursors: readonly SeriesCursor[]): void {
  builder.addSeries(cursors[0].labelBytes);
  if (followEachOther(cursors))
    for (const { batch, chunkStart, chunkEnd } of cursors) builder.addChunksOf(batch, chunkStart, chunkEnd);
  else for (const { batch, chunk } of sortedChunks(cursors)) builder.addChunkOf(batch, chunk);
}

/** Whether the chunks of all, one after the other, are in order: sources mostly hold different times. */
function followEachOther(cursors: readonly SeriesCursor[]): boolean {
  let mint = Number.NEGATIVE_INFINITY;
  let maxt = Number.NEGATIVE_INFINITY;
  for (const { batch, chunkStart, chunkEnd } of cursors) {
    if (chunkStart === chunkEnd) continue;
    const first = batch.chunkMint[chunkStart];
    if (first < mint || (first === mint && batch.chunkMaxt[chunkStart] < maxt)) return false;
    mint = batch.chunkMint[chunkEnd - 1];
    maxt = batch.chunkMaxt[chunkEnd - 1];
  }
  return true;
}

interface PlacedChunk {
  readonly batch: SeriesBatch;
  readonly chunk: number;
}

function sortedChunks(cursors: readonly SeriesCursor[]): PlacedChunk[] {
  const chunks: PlacedChunk[] = [];
  for (const { batch, chunkStart, chunkEnd } of cursors)
    for (let chunk = chunkStart; chunk < chunkEnd; chunk++) chunks.push({ batch, chunk });
  // The sort is stable: equal ones stay in the order of the sources.
  return chunks.sort(
    (a, b) =>
      a.batch.chunkMint[a.chunk] - b.batch.chunkMint[b.chunk] ||
      a.batch.chunkMaxt[a.chunk] - b.batch.chunkMaxt[b.chunk],
  );
}

/** Stands on one series of a stream of batches. */
class SeriesCursor {
  readonly order: number;
  readonly #batches: AsyncIterator<SeriesBatch>;
  #batch: SeriesBatch | undefined;
  #series = 0;
  #done = false;
  labelBytes: Uint8Array = new Uint8Array();

  constructor(batches: AsyncIterable<SeriesBatch>, order: number) {
    this.#batches = batches[Symbol.asyncIterator]();
    this.order = order;
  }

  /** The batch it stands in. */
  get batch(): SeriesBatch {
    return this.#batch as SeriesBatch;
  }

  /** Whether it stands on the first series of its batch. */
  get isAtStart(): boolean {
    return this.#series === 0;
  }

  get chunkStart(): number {
    return this.batch.chunkStarts[this.#series];
  }

  get chunkEnd(): number {
    return this.batch.chunkStarts[this.#series + 1];
  }

  /** To the next series of the batch under way; false when it is used up. */
  advance(): boolean {
    if (this.#series + 1 >= this.batch.seriesCount) return false;
    this.#stand(this.batch, this.#series + 1);
    return true;
  }

  /** To the first series of the next batch; false when there is none. */
  async next(): Promise<boolean> {
    this.#batch = undefined;
    const { done, value } = await this.#batches.next();
    this.#done = done === true;
    if (this.#done) return false;
    this.#stand(value, 0);
    return true;
  }

  async close(): Promise<void> {
    if (!this.#done) await this.#batches.return?.();
  }

  #stand(batch: SeriesBatch, series: number): void {
    this.#batch = batch;
    this.#series = series;
    this.labelBytes = batch.labelBytes.subarray(batch.labelOffsets[series], batch.labelOffsets[series + 1]);
  }
}

/** Cursors by the labels they stand on, then by the order of their sources; a binary heap. */
class CursorHeap {
  readonly #cursors: SeriesCursor[] = [];

  get size(): number {
    return this.#cursors.length;
  }

  /** The cursor when there is but one. */
  get only(): SeriesCursor | undefined {
    return this.size === 1 ? this.#cursors[0] : undefined;
  }

  push(cursor: SeriesCursor): void {
    const heap = this.#cursors;
    let i = heap.push(cursor) - 1;
    while (i > 0 && compareCursors(heap[i], heap[(i - 1) >> 1]) < 0) {
      this.#swap(i, (i - 1) >> 1);
      i = (i - 1) >> 1;
    }
  }

  /** All cursors on the smallest labels, in the order of their sources. */
  popEqual(): SeriesCursor[] {
    const same = [this.#pop()];
    while (this.size > 0 && compareLabelBytes(this.#cursors[0].labelBytes, same[0].labelBytes) === 0)
      same.push(this.#pop());
    return same;
  }

  #pop(): SeriesCursor {
    const heap = this.#cursors;
    this.#swap(0, heap.length - 1);
    const least = heap.pop()!;
    for (let i = 0; ; ) {
      let child = 2 * i + 1;
      if (child >= heap.length) return least;
      if (child + 1 < heap.length && compareCursors(heap[child + 1], heap[child]) < 0) child++;
      if (compareCursors(heap[i], heap[child]) <= 0) return least;
      this.#swap(i, child);
      i = child;
    }
  }

  #swap(i: number, j: number): void {
    [this.#cursors[i], this.#cursors[j]] = [this.#cursors[j], this.#cursors[i]];
  }
}

function compareCursors(a: SeriesCursor, b: SeriesCursor): number {
  return compareLabelBytes(a.labelBytes, b.labelBytes) || a.order - b.order;
}

/** Sorted and unique, at most `limit` (0: all). */
function mergeStrings(lists: readonly (readonly string[])[], limit: number): string[] {
  const merged = [...new Set(lists.flat())].sort(compareStrings);
  return limit > 0 ? merged.slice(0, limit) : merged;
}

/** Equal series as one, their exemplars in order of time, equal ones once. */
export function mergeExemplars(series: readonly ExemplarSeries[]): ExemplarSeries[] {
  const byLabels = new Map<string, { labels: Labels; exemplars: Map<string, Exemplar> }>();
  for (const { labels, exemplars } of series) {
    const key = labels.key();
    const merged = byLabels.get(key) ?? { labels, exemplars: new Map<string, Exemplar>() };
    byLabels.set(key, merged);
    for (const exemplar of exemplars)
      merged.exemplars.set(`${exemplar.t} ${exemplar.value} ${exemplar.labels.key()}`, exemplar);
  }
  return [...byLabels.values()]
    .map(({ labels, exemplars }) => ({
      labels,
      exemplars: [...exemplars.values()].sort((a, b) => a.t - b.t),
    }))
    .sort((a, b) => compareLabels(a.labels, b.labels));
}

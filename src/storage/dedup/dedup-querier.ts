import { BatchDecoder, type HistogramSamples } from '../../chunkenc/batch-decoder.ts';
import { QueryKernel } from '../../kernel/query-kernel.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { BatchBuilder } from '../batch-builder.ts';
import { LabelChange } from '../label-change.ts';
import { mergeExemplars } from '../merge.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  Queryable,
  ReadContext,
  SelectRequest,
} from '../querier.ts';
import { type PlacedSeries, regroupSeries } from '../regroup.ts';
import type { SeriesBatch } from '../series-batch.ts';
import { type EncodedChunk, encodeFloats, encodeHistograms } from './encode-samples.ts';
import { fillGaps, MARGIN_MS, mergeSamples, type Samples } from './fill-gaps.ts';
import { accumulated, mergeByPenalty } from './penalty.ts';

/**
 * How replicas become one: `fill` by our own algorithm (`fill-gaps.ts`), `penalty` by Thanos' (`penalty.ts`), `chain` takes
 * every sample of all, for copies that are the same samples.
 */
export type DedupFunction = 'fill' | 'penalty' | 'chain';

/** Functions that ask how far a counter counted: its values must never seem to go down where replicas change. */
const RISE_FUNCTIONS: ReadonlySet<string> = new Set(['rate', 'irate', 'increase']);
/** Read beyond the request on both sides, so that what is chosen does not depend on it: enough for three replicas. */
const MARGINS = 2;

/**
 * A source without its replica labels: series that are equal without them are one. Replicas are taken in the order of
 * their labels. Series with a single replica are handed through as they are, and so are the chunks of a first replica that
 * leaves nothing to fill: with their start timestamps, which samples that fill gaps lose.
 */
export class DedupQuerier implements Querier {
  readonly #source: Querier;
  readonly #change: LabelChange;
  readonly #dedup: DedupFunction;

  constructor(source: Querier, replicaLabels: readonly string[], dedup: DedupFunction) {
    this.#source = source;
    this.#change = new LabelChange(Labels.empty, replicaLabels);
    this.#dedup = dedup;
  }

  get warnings(): readonly string[] {
    return this.#source.warnings;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    const margin = marginOf(this.#dedup);
    // Several series of the source may become one, so the source must not stop at the limit; and which sample is taken
    // depends on those before it.
    const { limit: _, newestOnly: __, ...hints } = request.hints ?? {};
    const wider = {
      ...request,
      mint: request.mint - margin,
      maxt: request.maxt + margin,
      sorted: true,
      hints,
    };
    const merger = new ReplicaMerger(this.#dedup, wider, request.hints?.func ?? '');
    const groups = regroupSeries(this.#source.select(ctx, wider), this.#change);
    for await (const group of groups) {
      ctx.signal.throwIfAborted();
      merger.add(group);
      if (merger.isFull) yield* merger.take();
    }
    yield* merger.take();
  }

  async labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    const { remove } = this.#change;
    const limit = request.limit > 0 ? request.limit + remove.size : 0;
    const names = await this.#source.labelNames(ctx, { ...request, limit });
    const left = names.filter((name) => !remove.has(name));
    return request.limit > 0 ? left.slice(0, request.limit) : left;
  }

  async labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return this.#source.labelValues(ctx, name, request);
  }

  async exemplars(
    ctx: ReadContext,
    matcherSets: readonly (readonly Matcher[])[],
    mint: number,
    maxt: number,
  ): Promise<readonly ExemplarSeries[]> {
    const found = await this.#source.exemplars(ctx, matcherSets, mint, maxt);
    const { remove } = this.#change;
    return mergeExemplars(found.map(({ labels, exemplars }) => ({ labels: labels.drop(remove), exemplars })));
  }

  close(): Promise<void> {
    return this.#source.close();
  }
}

/** A source without its replica labels. Views are opened as much wider as selects read, so that they cover it. */
export function dedupQueryable(
  source: Queryable,
  replicaLabels: readonly string[],
  dedup: DedupFunction,
): Queryable {
  const margin = marginOf(dedup);
  return {
    querier: async (mint, maxt) =>
      new DedupQuerier(await source.querier(mint - margin, maxt + margin), replicaLabels, dedup),
  };
}

function marginOf(dedup: DedupFunction): number {
  return dedup === 'fill' ? MARGINS * MARGIN_MS : 0;
}

/** ms, both inclusive. */
interface Range {
  readonly mint: number;
  readonly maxt: number;
}

const ALWAYS: Range = { mint: Number.MIN_SAFE_INTEGER, maxt: Number.MAX_SAFE_INTEGER };

/** Which samples of several replicas count, by function, where values are only carried along. */
const CHOOSING: Readonly<Record<DedupFunction, (replicas: readonly Samples[]) => Samples>> = {
  fill: (replicas) => fillGaps(replicas, false).whole,
  penalty: (replicas) => mergeByPenalty(replicas, false),
  chain: (replicas) => replicas.reduce(mergeSamples),
};

/** Gathers groups of replicas into one batch, so that the kernel is loaded once for many of them, and merges each. */
class ReplicaMerger {
  readonly #dedup: DedupFunction;
  readonly #range: Range;
  readonly #asksRise: boolean;
  /** Whether values must not seem to go down where replicas change. */
  readonly #counter: boolean;
  readonly #decoder = new BatchDecoder(new QueryKernel());
  readonly #gathered = new BatchBuilder();
  readonly #scratch: Float64Array[] = [];
  /** Replicas of each group gathered. */
  #sizes: number[] = [];

  constructor(dedup: DedupFunction, range: Range, func: string) {
    this.#dedup = dedup;
    this.#range = range;
    this.#asksRise = RISE_FUNCTIONS.has(func);
    this.#counter = this.#asksRise || func === 'resets';
  }

  get isFull(): boolean {
    return this.#gathered.isFull;
  }

  add(group: readonly PlacedSeries[]): void {
    for (const { batch, index, labelBytes } of group) {
      this.#gathered.addSeries(labelBytes);
      for (let c = batch.chunkStarts[index]; c < batch.chunkStarts[index + 1]; c++)
        this.#gathered.addChunkOf(batch, c);
    }
    this.#sizes.push(group.length);
  }

  *take(): Generator<SeriesBatch> {
    if (this.#gathered.isEmpty) return;
    const sizes = this.#sizes;
    this.#sizes = [];
    const batch = this.#gathered.take();
    if (sizes.length === batch.seriesCount) return yield batch;
    this.#decoder.open(batch);
    const out = new BatchBuilder();
    let first = 0;
    for (const size of sizes) {
      this.#merge(batch, first, size, out);
      first += size;
      if (out.isFull) yield out.take();
    }
    if (!out.isEmpty) yield out.take();
  }

  #merge(batch: SeriesBatch, first: number, size: number, out: BatchBuilder): void {
    out.addSeries(batch.labelBytes.subarray(batch.labelOffsets[first], batch.labelOffsets[first + 1]));
    const replicas = Array.from({ length: size }, (_, i) => first + i);
    const withChunks = replicas.filter((s) => batch.chunkStarts[s] < batch.chunkStarts[s + 1]);
    if (withChunks.length < 2) copyChunks(batch, withChunks[0] ?? first, out);
    else if (this.#dedup === 'fill' && withChunks.every((s) => this.#decoder.kind(s) === 'floats'))
      this.#fill(batch, withChunks, out);
    else addAll(out, this.#merged(batch, withChunks));
  }

  /** As `#merged` of floats only: chunks of the first replica go from batch to batch. */
  #fill(batch: SeriesBatch, replicas: readonly number[], out: BatchBuilder): void {
    const samples = replicas.map((s, i) => this.#floats(s, i, this.#range));
    const filling = fillGaps(samples, this.#counter);
    if (filling.dropsMarkers) addAll(out, encodeFloats(filling.whole));
    else mergeChunks(batch, replicas[0], encodeFloats(filling.added), out);
  }

  #merged(batch: SeriesBatch, replicas: readonly number[]): readonly EncodedChunk[] {
    const kinds = replicas.map((s) => this.#decoder.kind(s));
    const chunks: EncodedChunk[] = [];
    if (kinds.some((kind) => kind !== 'histograms'))
      chunks.push(...this.#mergedFloats(batch, replicas, kinds[0] === 'floats'));
    if (kinds.some((kind) => kind !== 'floats'))
      chunks.push(...this.#mergedHistograms(batch, replicas, kinds[0] === 'histograms'));
    return chunks.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
  }

  /** `keepsChunks`: the first replica's chunks hold floats only, and may stay as they are. */
  #mergedFloats(batch: SeriesBatch, replicas: readonly number[], keepsChunks: boolean): EncodedChunk[] {
    if (this.#dedup === 'penalty') return encodeFloats(this.#mergedByPenalty(replicas));
    const samples = replicas.map((s, i) => this.#floats(s, i, this.#range));
    if (this.#dedup === 'chain') return encodeFloats(samples.reduce(mergeSamples));
    const filling = fillGaps(samples, this.#counter);
    if (filling.dropsMarkers || !keepsChunks) return encodeFloats(filling.whole);
    return [...chunksOf(batch, replicas[0]), ...encodeFloats(filling.added)];
  }

  #mergedHistograms(batch: SeriesBatch, replicas: readonly number[], keepsChunks: boolean): EncodedChunk[] {
    const { samples, onlyFirst } = mergeHistograms(
      replicas.map((s) => this.#histograms(s)),
      CHOOSING[this.#dedup],
    );
    return keepsChunks && onlyFirst ? chunksOf(batch, replicas[0]) : encodeHistograms(samples);
  }

  /** What a counter counted is summed up from where its chunks begin, as Thanos does it: only then are they cut to the request. */
  #mergedByPenalty(replicas: readonly number[]): Samples {
    if (!this.#asksRise)
      return mergeByPenalty(
        replicas.map((s, i) => this.#floats(s, i, this.#range)),
        this.#counter,
      );
    const totals = replicas.map((s, i) => within(accumulated(this.#floats(s, i, ALWAYS)), this.#range));
    return mergeByPenalty(totals, true);
  }

  /** Samples of a series, in memory that the next group uses again. */
  #floats(series: number, replica: number, { mint, maxt }: Range): Samples {
    const { count, timestamps, values } = this.#decoder.floats(series, mint, maxt, true);
    let scratch = this.#scratch[replica];
    if (scratch === undefined || scratch.length < 2 * count)
      scratch = this.#scratch[replica] = new Float64Array(4 * count);
    scratch.set(timestamps.subarray(0, count));
    scratch.set(values.subarray(0, count), count);
    return { timestamps: scratch.subarray(0, count), values: scratch.subarray(count, 2 * count) };
  }

  #histograms(series: number): HistogramSamples {
    return this.#decoder.histograms(series, this.#range.mint, this.#range.maxt);
  }
}

function within({ timestamps, values }: Samples, { mint, maxt }: Range): Samples {
  let from = 0;
  let to = timestamps.length;
  while (from < to && timestamps[from] < mint) from++;
  while (from < to && timestamps[to - 1] > maxt) to--;
  return { timestamps: timestamps.subarray(from, to), values: values.subarray(from, to) };
}

/** As they are, with their start timestamps. */
function chunksOf(batch: SeriesBatch, series: number): EncodedChunk[] {
  const chunks: EncodedChunk[] = [];
  const { startTimes } = batch;
  for (let c = batch.chunkStarts[series]; c < batch.chunkStarts[series + 1]; c++) {
    const offset = batch.chunkDataOffset[c];
    chunks.push({
      mint: batch.chunkMint[c],
      maxt: batch.chunkMaxt[c],
      encoding: batch.chunkEncoding[c],
      payload: batch.chunkData.subarray(offset, offset + batch.chunkDataLength[c]),
      startTimes: startTimes?.values.subarray(startTimes.offsets[c], startTimes.offsets[c + 1]),
    });
  }
  return chunks;
}

function addEncoded(out: BatchBuilder, { mint, maxt, encoding, payload, startTimes }: EncodedChunk): void {
  out.addChunk(mint, maxt, encoding, payload, startTimes);
}

function addAll(out: BatchBuilder, chunks: readonly EncodedChunk[]): void {
  for (const chunk of chunks) addEncoded(out, chunk);
}

/** The chunks of a series and others, both ordered by time, as one. */
function mergeChunks(
  batch: SeriesBatch,
  series: number,
  others: readonly EncodedChunk[],
  out: BatchBuilder,
): void {
  const { chunkStarts, chunkMint, chunkMaxt } = batch;
  let k = 0;
  for (let c = chunkStarts[series]; c < chunkStarts[series + 1]; c++) {
    while (k < others.length && isBefore(others[k], chunkMint[c], chunkMaxt[c])) addEncoded(out, others[k++]);
    out.addChunkOf(batch, c);
  }
  while (k < others.length) addEncoded(out, others[k++]);
}

function isBefore(chunk: EncodedChunk, mint: number, maxt: number): boolean {
  return chunk.mint < mint || (chunk.mint === mint && chunk.maxt < maxt);
}

function copyChunks(batch: SeriesBatch, series: number, out: BatchBuilder): void {
  for (let c = batch.chunkStarts[series]; c < batch.chunkStarts[series + 1]; c++) out.addChunkOf(batch, c);
}

/**
 * As for floats of a gauge, whatever PromQL's function: times are chosen, and histograms come along. What a histogram said of
 * the one before it no longer holds where replicas change.
 */
function mergeHistograms(
  replicas: readonly HistogramSamples[],
  choose: (replicas: readonly Samples[]) => Samples,
): {
  readonly samples: HistogramSamples;
  /** Whether they are those of the first replica, all of them. */
  readonly onlyFirst: boolean;
} {
  const places: { readonly replica: number; readonly histogram: AnyHistogram }[] = [];
  const asSamples = replicas.map(({ timestamps, histograms }, replica) => {
    const first = places.length;
    for (const histogram of histograms) places.push({ replica, histogram });
    return { timestamps, values: Float64Array.from(histograms, (_, i) => first + i) };
  });
  const { timestamps, values } = choose(asSamples);
  const chosen = Array.from(values, (place) => places[place]);
  const histograms = chosen.map(({ replica, histogram }, i) =>
    i > 0 && chosen[i - 1].replica === replica ? histogram : withUnknownReset(histogram),
  );
  const onlyFirst =
    chosen.length === replicas[0].histograms.length && chosen.every(({ replica }) => replica === 0);
  return { samples: { timestamps, histograms }, onlyFirst };
}

function withUnknownReset(histogram: AnyHistogram): AnyHistogram {
  return histogram.counterResetHint === 'gauge' ? histogram : { ...histogram, counterResetHint: 'unknown' };
}

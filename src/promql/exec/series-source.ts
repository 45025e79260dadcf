import { type DecodedChunk, decodeChunk } from '../../chunkenc/chunk.ts';
import { wrapError } from '../../model/errors.ts';
import type { AnyHistogram, FloatHistogram } from '../../model/histogram.ts';
import { absoluteCounts } from '../../model/histogram-spans.ts';
import { isStale, isStaleAt } from '../../model/sample.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { SeriesSamples } from '../functions/window.ts';
import type { SelectorSource } from '../plan/node.ts';
import { LabelColumn } from './label-column.ts';
import type { QueryContext } from './query-context.ts';

/** The series of one selector, batch by batch, their samples decoded one series at a time. */
export class SeriesSource {
  readonly #context: QueryContext;
  readonly #source: SelectorSource;
  #batches: AsyncIterator<SeriesBatch> | undefined;

  constructor(context: QueryContext, source: SelectorSource) {
    this.#context = context;
    this.#source = source;
  }

  async next(): Promise<SeriesBlock | undefined> {
    await this.#context.breathe();
    this.#batches ??= this.#open();
    const { value, done } = await this.#batches.next();
    return done ? undefined : new SeriesBlock(this.#context, this.#source, value);
  }

  #open(): AsyncIterator<SeriesBatch> {
    const { matchers, mint, maxt, func } = this.#source;
    return this.#context.querier
      .select(this.#context.read, { matchers, mint, maxt, sorted: false, hints: { func } })
      [Symbol.asyncIterator]();
  }
}

/** The series of one batch. */
export class SeriesBlock {
  readonly count: number;
  readonly labels: LabelColumn;
  readonly batch: SeriesBatch;
  readonly #context: QueryContext;
  readonly #source: SelectorSource;

  constructor(context: QueryContext, source: SelectorSource, batch: SeriesBatch) {
    this.#context = context;
    this.#source = source;
    this.batch = batch;
    this.count = batch.seriesCount;
    this.labels = LabelColumn.fromBytes(batch.labelBytes, batch.labelOffsets, batch.seriesCount);
  }

  /** Samples of a series within the bounds of the selector, with stale markers or without. Fresh arrays. */
  load(i: number, keepStale: boolean): SeriesSamples {
    const { mint, maxt } = this.#source;
    const samples = new SampleColumns(keepStale);
    for (let c = this.batch.chunkStarts[i]; c < this.batch.chunkStarts[i + 1]; c++)
      if (this.batch.chunkMaxt[c] >= mint && this.batch.chunkMint[c] <= maxt)
        samples.add(this.#decode(c), mint, maxt);
    const columns = samples.finish();
    this.#context.countRead(columns.floatCount + columns.histograms.length);
    this.#context.check();
    return columns;
  }

  #decode(c: number): DecodedChunk {
    const { chunkEncoding, chunkData, chunkDataOffset, chunkDataLength } = this.batch;
    try {
      return decodeChunk(chunkEncoding[c], chunkData, chunkDataOffset[c], chunkDataLength[c]);
    } catch (cause) {
      throw wrapError(`decode chunk ${c} of batch`, cause);
    }
  }
}

/** Collects the samples of chunks in time order; where chunks overlap the later one wins. */
class SampleColumns {
  readonly #keepStale: boolean;
  #floatTimes = new Float64Array(256);
  #floats = new Float64Array(256);
  #floatCount = 0;
  #histogramTimes: number[] = [];
  #histograms: FloatHistogram[] = [];
  #lastTime = -Infinity;
  #overlaps = false;

  constructor(keepStale: boolean) {
    this.#keepStale = keepStale;
  }

  add(chunk: DecodedChunk, mint: number, maxt: number): void {
    if (chunk.timestamps.length > 0 && chunk.timestamps[0] <= this.#lastTime) this.#overlaps = true;
    if (chunk.kind === 'float') this.#addFloats(chunk.timestamps, chunk.values, mint, maxt);
    else this.#addHistograms(chunk.timestamps, chunk.histograms, mint, maxt);
    this.#lastTime = Math.max(this.#lastTime, chunk.timestamps.at(-1) ?? -Infinity);
  }

  #addFloats(timestamps: Float64Array, values: Float64Array, mint: number, maxt: number): void {
    this.#reserve(timestamps.length);
    const words = new Uint32Array(values.buffer, values.byteOffset);
    for (let i = 0; i < timestamps.length; i++) {
      const t = timestamps[i];
      if (t < mint || t > maxt || (!this.#keepStale && isStaleAt(words, i))) continue;
      this.#floatTimes[this.#floatCount] = t;
      this.#floats[this.#floatCount++] = values[i];
    }
  }

  #addHistograms(
    timestamps: Float64Array,
    histograms: readonly AnyHistogram[],
    mint: number,
    maxt: number,
  ): void {
    for (let i = 0; i < timestamps.length; i++) {
      const t = timestamps[i];
      if (t < mint || t > maxt || (!this.#keepStale && isStale(histograms[i].sum))) continue;
      this.#histogramTimes.push(t);
      this.#histograms.push(toFloatHistogram(histograms[i]));
    }
  }

  #reserve(more: number): void {
    if (this.#floatCount + more <= this.#floatTimes.length) return;
    const size = Math.max(2 * this.#floatTimes.length, this.#floatCount + more);
    const times = new Float64Array(size);
    const values = new Float64Array(size);
    times.set(this.#floatTimes);
    values.set(this.#floats);
    this.#floatTimes = times;
    this.#floats = values;
  }

  finish(): SeriesSamples {
    if (this.#overlaps) this.#untangle();
    return {
      floatTimes: this.#floatTimes,
      floats: this.#floats,
      floatCount: this.#floatCount,
      histogramTimes: this.#histogramTimes,
      histograms: this.#histograms,
    };
  }

  #untangle(): void {
    const floats = new Map<number, number>();
    for (let i = 0; i < this.#floatCount; i++) floats.set(this.#floatTimes[i], this.#floats[i]);
    const times = Float64Array.from(floats.keys()).sort();
    this.#floatTimes = times;
    this.#floats = Float64Array.from(times, (t) => floats.get(t)!);
    this.#floatCount = times.length;
    const histograms = new Map(this.#histogramTimes.map((t, i) => [t, this.#histograms[i]]));
    this.#histogramTimes = [...histograms.keys()].sort((a, b) => a - b);
    this.#histograms = this.#histogramTimes.map((t) => histograms.get(t)!);
  }
}

function toFloatHistogram(histogram: AnyHistogram): FloatHistogram {
  if (histogram.kind === 'float') return histogram;
  return {
    ...histogram,
    kind: 'float',
    positiveBuckets: absoluteCounts(histogram, 'positive'),
    negativeBuckets: absoluteCounts(histogram, 'negative'),
  };
}

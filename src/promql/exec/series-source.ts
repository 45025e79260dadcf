import { BatchDecoder } from '../../chunkenc/batch-decoder.ts';
import type { StepGrid, WindowFunction } from '../../kernel/query-kernel.ts';
import type { FloatHistogram } from '../../model/histogram.ts';
import { detectReset } from '../../model/histogram-reset.ts';
import { toFloatHistogram } from '../../model/histogram-shape.ts';
import { isStale } from '../../model/sample.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import type { SeriesSamples } from '../functions/window.ts';
import type { SelectorSource } from '../plan/node.ts';
import type { ReadRecord } from './analysis.ts';
import { LabelColumn } from './label-column.ts';
import type { QueryContext } from './query-context.ts';
import type { TeamPart } from './team-part.ts';

/** The series of one selector, batch by batch, their samples decoded one series at a time. */
export class SeriesSource {
  readonly #context: QueryContext;
  readonly #source: SelectorSource;
  readonly #decoder: BatchDecoder;
  readonly #reads: ReadRecord | undefined;
  readonly #part: TeamPart | undefined;
  #batches: AsyncIterator<SeriesBatch> | undefined;

  /** A part that other threads share takes some of the batches. */
  constructor(context: QueryContext, source: SelectorSource, part?: TeamPart) {
    this.#part = part;
    this.#context = context;
    this.#source = source;
    this.#decoder = new BatchDecoder(context.kernel);
    this.#reads = context.analysis?.readsOf(source);
  }

  /** The next series; the ones before can no longer be read. */
  async next(): Promise<SeriesBlock | undefined> {
    for (;;) {
      await this.#context.breathe();
      this.#batches ??= this.#open();
      const asked = this.#reads?.now() ?? 0;
      const { value, done } = await this.#batches.next();
      this.#reads?.received(asked, done ? undefined : value);
      if (done) return undefined;
      if (this.#part?.divert(value)) continue;
      return new SeriesBlock(this.#context, this.#source, this.#decoder, value);
    }
  }

  #open(): AsyncIterator<SeriesBatch> {
    const { matchers, mint, maxt, func, rangeMs, startTimes, newestOnly, without } = this.#source;
    return this.#context.querier
      .select(this.#reads ? { ...this.#context.read, tally: this.#reads } : this.#context.read, {
        matchers,
        mint,
        maxt,
        sorted: false,
        hints: { func, startTimes, newestOnly, ...(rangeMs !== undefined && { rangeMs }) },
        ...(without && { without }),
      })
      [Symbol.asyncIterator]();
  }
}

/**
 * The series of one batch. Several selectors of a query take turns with one kernel, so `open` comes before each run
 * of reads that no `await` interrupts.
 */
export class SeriesBlock {
  readonly count: number;
  readonly labels: LabelColumn;
  readonly #batch: SeriesBatch;
  readonly #context: QueryContext;
  readonly #source: SelectorSource;
  readonly #decoder: BatchDecoder;
  readonly #reads: ReadRecord | undefined;

  constructor(context: QueryContext, source: SelectorSource, decoder: BatchDecoder, batch: SeriesBatch) {
    this.#context = context;
    this.#source = source;
    this.#decoder = decoder;
    this.#batch = batch;
    this.#reads = context.analysis?.readsOf(source);
    this.count = batch.seriesCount;
    this.labels = LabelColumn.fromBytes(batch.labelBytes, batch.labelOffsets, batch.seriesCount);
  }

  /** Costs a copy of the chunks, unless no other block was opened since. */
  open(): void {
    if (this.#context.openedBlock === this) return;
    this.#decoder.open(this.#batch);
    this.#context.openedBlock = this;
  }

  /** Whether the kernel can evaluate a series: all its chunks are of floats, and start timestamps need no look. */
  isPlain(i: number): boolean {
    const kind = this.#decoder.kind(i);
    if (kind === 'empty') return true;
    return kind === 'floats' && this.#starts(i, 'float') === undefined;
  }

  /** Of the samples within the bounds of the selector; undefined also when nobody looks at them. */
  #starts(i: number, kind: 'float' | 'histogram'): ReadonlyMap<number, number> | undefined {
    const { mint, maxt, startTimes } = this.#source;
    return startTimes ? this.#decoder.startTimes(i, mint, maxt, kind) : undefined;
  }

  /**
   * Makes a function of the kernel for all steps of a series of floats the kernel's current row. Gives how many steps have a value;
   * when none has, the current row may be another.
   */
  windowRow(i: number, func: WindowFunction, grid: StepGrid, rangeMs: number): number {
    const { mint, maxt } = this.#source;
    const count = this.#decoder.loadFloats(i, mint, maxt, false);
    this.#counted(count);
    return count === 0 ? 0 : this.#context.kernel.evaluateWindows(func, grid, rangeMs);
  }

  /** The same for the instant selector, with `times` for the times of its samples in seconds. */
  instantRow(i: number, grid: StepGrid, times: boolean): number {
    const { mint, maxt } = this.#source;
    const { kernel, lookbackMs } = this.#context;
    const count = this.#decoder.loadFloats(i, mint, maxt, true);
    this.#counted(count);
    return count === 0 ? 0 : kernel.evaluateInstant(grid, lookbackMs, times);
  }

  /** Samples of a series within the bounds of the selector, with stale markers or without. Floats are views, valid until the next read. */
  load(i: number, keepStale: boolean): SeriesSamples {
    const { mint, maxt } = this.#source;
    const floatStarts = this.#starts(i, 'float');
    const { count, timestamps, values } = this.#decoder.floats(i, mint, maxt, keepStale);
    const floats = {
      floatTimes: timestamps,
      floats: values,
      floatCount: count,
      floatStarts: floatStarts && startsOf(timestamps, floatStarts),
    };
    const kind = this.#decoder.kind(i);
    const found =
      kind === 'floats' || kind === 'empty' ? NO_HISTOGRAMS : this.#histograms(i, mint, maxt, keepStale);
    this.#counted(count + found.histograms.length);
    return { ...floats, ...found };
  }

  #histograms(i: number, mint: number, maxt: number, keepStale: boolean): HistogramColumns {
    const { timestamps, histograms } = this.#decoder.histograms(i, mint, maxt);
    const found: { histogramTimes: number[]; histograms: FloatHistogram[] } = {
      histogramTimes: [],
      histograms: [],
    };
    for (let k = 0; k < histograms.length; k++) {
      if (!keepStale && isStale(histograms[k].sum)) continue;
      found.histogramTimes.push(timestamps[k]);
      found.histograms.push(toFloatHistogram(histograms[k]));
    }
    const histogramStarts = this.#starts(i, 'histogram');
    return {
      ...(this.#source.statisticsOnly ? withDetectedResets(found) : found),
      histogramStarts: histogramStarts && startsOf(found.histogramTimes, histogramStarts),
    };
  }

  #counted(samples: number): void {
    if (this.#reads !== undefined) this.#reads.samplesRead += samples;
    this.#context.countRead(samples);
  }
}

function startsOf(times: ArrayLike<number>, starts: ReadonlyMap<number, number>): Float64Array {
  return Float64Array.from(times, (t) => starts.get(t) ?? 0);
}

type HistogramColumns = Pick<SeriesSamples, 'histogramTimes' | 'histograms' | 'histogramStarts'>;

const NO_HISTOGRAMS: HistogramColumns = { histogramTimes: [], histograms: [] };

/** Hints that the chunks did not give are found by comparing neighbours, as Prometheus does when it drops the buckets. */
function withDetectedResets({ histogramTimes, histograms }: HistogramColumns): HistogramColumns {
  let previous: FloatHistogram | undefined;
  const hinted = histograms.map((histogram): FloatHistogram => {
    const before = previous;
    if (isStale(histogram.sum)) return histogram;
    previous = histogram;
    if (histogram.counterResetHint !== 'unknown' || before === undefined) return histogram;
    return { ...histogram, counterResetHint: detectReset(histogram, before) ? 'reset' : 'not_reset' };
  });
  return { histogramTimes, histograms: hinted };
}

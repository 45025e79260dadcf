import type { SeriesSamples, Window, WindowFunction } from '../functions/window.ts';
import type { SelectorSource, WindowsPlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, newBatch, Presence, setFloat, setHistogram } from './batch.ts';
import type { Grid } from './grid.ts';
import type { LabelColumn } from './label-column.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { remarksOf, type SeriesRemarks } from './remarks.ts';
import { SeriesSource } from './series-source.ts';

/** Range vectors: series whose samples can be looked at through windows. */
export interface WindowSource {
  next(): Promise<WindowBlock | undefined>;
  /** Where the windows are for the evaluation time `t`: samples in `(end - range, end]`, plus what the mode adds. ms. */
  readonly range: number;
  readonly at: number | undefined;
  readonly offset: number;
  readonly mode: SelectorSource['mode'];
}

export interface WindowBlock {
  readonly count: number;
  readonly labels: LabelColumn;
  readonly nameDropped: Uint8Array | undefined;
  samplesOf(i: number): SeriesSamples;
}

/** The windows of a plain range selector. */
export class SelectorWindows implements WindowSource {
  readonly range: number;
  readonly at: number | undefined;
  readonly offset: number;
  readonly mode: SelectorSource['mode'];
  readonly #series: SeriesSource;

  constructor(context: QueryContext, plan: WindowsPlan) {
    this.range = plan.range;
    this.at = plan.source.at;
    this.offset = plan.source.offset;
    this.mode = plan.source.mode;
    this.#series = new SeriesSource(context, plan.source);
  }

  async next(): Promise<WindowBlock | undefined> {
    const block = await this.#series.next();
    if (block === undefined) return undefined;
    const { count, labels } = block;
    return { count, labels, nameDropped: undefined, samplesOf: (i) => block.load(i, false) };
  }
}

/** A range function over every series: one result per series and step. */
export class WindowCall implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #source: WindowSource;
  readonly #compute: WindowFunction;
  readonly #args: () => Promise<readonly Float64Array[]>;
  readonly #remarks: SeriesRemarks;
  #argColumns: readonly Float64Array[] | undefined;

  /** `args` gives the scalar arguments, each with a value per step. */
  constructor(
    context: QueryContext,
    grid: Grid,
    source: WindowSource,
    compute: WindowFunction,
    args: () => Promise<readonly Float64Array[]>,
    spans: Parameters<typeof remarksOf>[1],
  ) {
    this.#context = context;
    this.grid = grid;
    this.#source = source;
    this.#compute = compute;
    this.#args = args;
    this.#remarks = remarksOf(context, spans);
  }

  async next(): Promise<Batch | undefined> {
    this.#argColumns ??= await this.#args();
    for (let block = await this.#source.next(); block !== undefined; block = await this.#source.next()) {
      const batch = dropEmptyRows(this.#evaluate(block, this.#argColumns));
      if (batch.count > 0) return batch;
      await this.#context.breathe();
    }
    return undefined;
  }

  #evaluate(block: WindowBlock, argColumns: readonly Float64Array[]): Batch {
    const batch = newBatch(block.labels, this.grid.count, { nameDropped: block.nameDropped });
    for (let row = 0; row < block.count; row++) {
      this.#remarks.row(block.labels, row);
      this.#evaluateRow(block.samplesOf(row), batch, row, argColumns);
    }
    return batch;
  }

  #evaluateRow(samples: SeriesSamples, batch: Batch, row: number, argColumns: readonly Float64Array[]): void {
    const { grid } = this;
    const { range, at, offset, mode } = this.#source;
    const before = mode === 'plain' ? 0 : this.#context.lookbackMs;
    const after = mode === 'smoothed' ? this.#context.lookbackMs : 0;
    const window = newWindow(samples, this.#remarks, argColumns.length);
    const args = window.args as number[];
    for (let i = 0; i < grid.count; i++) {
      window.t = grid.start + i * grid.step;
      window.end = (at ?? window.t) - offset;
      window.start = window.end - range;
      moveWindow(window, window.start - before, window.end + after);
      if (window.f0 === window.f1 && window.h0 === window.h1) continue;
      for (let a = 0; a < args.length; a++) args[a] = argColumns[a][i];
      const kind = this.#compute(window);
      if (kind === Presence.float) setFloat(batch, row * grid.count + i, window.value);
      else if (kind === Presence.histogram) setHistogram(batch, row * grid.count + i, window.histogram!);
    }
  }
}

function newWindow(samples: SeriesSamples, remarks: SeriesRemarks, argCount: number): Window {
  return {
    ...samples,
    f0: 0,
    f1: 0,
    h0: 0,
    h1: 0,
    start: 0,
    end: 0,
    t: 0,
    args: new Array(argCount).fill(0),
    value: 0,
    histogram: undefined,
    remarks,
  };
}

/** Moves the bounds forward to the samples in `(start, end]`; both only ever grow. */
function moveWindow(window: Window, start: number, end: number): void {
  const { floatTimes, floatCount, histogramTimes } = window;
  let { f0, f1, h0, h1 } = window;
  while (f1 < floatCount && floatTimes[f1] <= end) f1++;
  while (f0 < f1 && floatTimes[f0] <= start) f0++;
  while (h1 < histogramTimes.length && histogramTimes[h1] <= end) h1++;
  while (h0 < h1 && histogramTimes[h0] <= start) h0++;
  window.f0 = f0;
  window.f1 = f1;
  window.h0 = h0;
  window.h1 = h1;
}

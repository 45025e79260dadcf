import {
  isWindowFunction,
  type WindowFunction as KernelFunction,
  type StepGrid,
} from '../../kernel/query-kernel.ts';
import type { SeriesSamples, Window, WindowFunction } from '../functions/window.ts';
import type { SelectorSource, WindowsPlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, newBatch, Presence, setFloat, setHistogram } from './batch.ts';
import type { Grid } from './grid.ts';
import { putKernelRow } from './kernel-row.ts';
import type { LabelColumn } from './label-column.ts';
import { type KernelRowSource, type KernelRows, type Operator, rowsPerBatch } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { type CallSpans, remarksOf, type SeriesRemarks } from './remarks.ts';
import { SeriesSource } from './series-source.ts';
import type { TeamPart } from './team-part.ts';

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
  /** Begins a run of reads that no `await` interrupts. */
  open(): void;
  samplesOf(i: number): SeriesSamples;
  /** All steps of a series as the kernel's current row. How many have a value; undefined: the kernel cannot do this series. */
  kernelRow(i: number, func: KernelFunction, grid: StepGrid): number | undefined;
}

/** The windows of a plain range selector. */
export class SelectorWindows implements WindowSource {
  readonly range: number;
  readonly at: number | undefined;
  readonly offset: number;
  readonly mode: SelectorSource['mode'];
  readonly #series: SeriesSource;

  constructor(context: QueryContext, plan: WindowsPlan, part?: TeamPart) {
    this.range = plan.range;
    this.at = plan.source.at;
    this.offset = plan.source.offset;
    this.mode = plan.source.mode;
    this.#series = new SeriesSource(context, plan.source, part);
  }

  async next(): Promise<WindowBlock | undefined> {
    const block = await this.#series.next();
    if (block === undefined) return undefined;
    const { count, labels } = block;
    return {
      count,
      labels,
      nameDropped: undefined,
      open: () => block.open(),
      samplesOf: (i) => block.load(i, false),
      kernelRow: (i, func, grid) =>
        block.isPlain(i) ? block.windowRow(i, func, grid, this.range) : undefined,
    };
  }
}

/** What a range function is called with besides the windows. */
export interface WindowCallOptions {
  readonly name: string;
  readonly compute: WindowFunction;
  /** Gives the scalar arguments, each with a value per step. */
  readonly args: () => Promise<readonly Float64Array[]>;
  readonly spans: CallSpans;
}

/** A range function over every series: one result per series and step. */
export class WindowCall implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #source: WindowSource;
  readonly #options: WindowCallOptions;
  readonly #remarks: SeriesRemarks;
  readonly #kernelFunction: KernelFunction | undefined;
  readonly #kernelGrid: StepGrid;
  #args: readonly Float64Array[] | undefined;
  #block: WindowBlock | undefined;
  #row = 0;

  constructor(context: QueryContext, grid: Grid, source: WindowSource, options: WindowCallOptions) {
    this.#context = context;
    this.grid = grid;
    this.#source = source;
    this.#options = options;
    this.#remarks = remarksOf(context, options.spans);
    const start = (source.at ?? grid.start) - source.offset;
    this.#kernelGrid = { start, step: grid.step, steps: grid.count };
    const movable = source.at === undefined || grid.count === 1;
    if (source.mode === 'plain' && movable && isWindowFunction(options.name))
      this.#kernelFunction = options.name;
  }

  async next(): Promise<Batch | undefined> {
    this.#args ??= await this.#options.args();
    for (;;) {
      if (this.#block === undefined || this.#row === this.#block.count) {
        this.#block = await this.#source.next();
        this.#row = 0;
      } else await this.#context.breathe();
      if (this.#block === undefined) return undefined;
      const first = this.#row;
      this.#row = Math.min(this.#block.count, first + rowsPerBatch(this.#context, this.grid));
      const batch = dropEmptyRows(this.#evaluate(this.#block, this.#args, first, this.#row));
      if (batch.count > 0) return batch;
    }
  }

  kernelRows(): KernelRowSource | undefined {
    return this.#kernelFunction && { next: () => this.#nextRows() };
  }

  async #nextRows(): Promise<KernelRows | undefined> {
    const args = (this.#args ??= await this.#options.args());
    const block = await this.#source.next();
    if (block === undefined) return undefined;
    return {
      count: block.count,
      labels: block.labels,
      nameDropped: undefined,
      open: () => block.open(),
      evaluate: (row) => this.#evaluateInKernel(block, row),
      batchOf: (first, end) => dropEmptyRows(this.#evaluate(block, args, first, end)),
    };
  }

  #evaluate(block: WindowBlock, args: readonly Float64Array[], first: number, end: number): Batch {
    const rows = Array.from({ length: end - first }, (_, i) => first + i);
    const batch = newBatch(
      first === 0 && end === block.count ? block.labels : block.labels.pick(rows),
      this.grid.count,
      {
        nameDropped: block.nameDropped?.slice(first, end),
      },
    );
    block.open();
    for (const row of rows) {
      const count = this.#evaluateInKernel(block, row);
      if (count) putKernelRow(batch, row - first, this.#context.kernel.row(), count);
      else if (count === undefined) this.#evaluateRow(block.samplesOf(row), batch, row - first, args);
    }
    return batch;
  }

  /** Makes a row the kernel's current one; undefined when the series needs the function in TypeScript. */
  #evaluateInKernel(block: WindowBlock, row: number): number | undefined {
    const func = this.#kernelFunction;
    this.#remarks.row(block.labels, row);
    const count = func && block.kernelRow(row, func, this.#kernelGrid);
    if (count && (func === 'rate' || func === 'increase')) this.#remarks.counterName();
    return count;
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
      // One row may have many steps over many samples, and its query be given up meanwhile.
      if (window.f1 - window.f0 > LARGE_WINDOW) this.#context.check();
      if (window.f0 === window.f1 && window.h0 === window.h1) continue;
      for (let a = 0; a < args.length; a++) args[a] = argColumns[a][i];
      const kind = this.#options.compute(window);
      if (kind === Presence.float) setFloat(batch, row * grid.count + i, window.value);
      else if (kind === Presence.histogram) setHistogram(batch, row * grid.count + i, window.histogram!);
    }
  }
}

/** Samples: a check costs less than a hundredth of looking at so many. */
const LARGE_WINDOW = 2048;

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
    sorted: undefined,
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

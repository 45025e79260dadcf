import type { StepGrid } from '../../kernel/query-kernel.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import { isStale } from '../../model/sample.ts';
import { infoText, warningText } from '../annotations.ts';
import { interpolate, type NoValue } from '../functions/interpolate.ts';
import type { SeriesSamples } from '../functions/window.ts';
import type { SelectPlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, newBatch, setFloat, setHistogram } from './batch.ts';
import type { Grid } from './grid.ts';
import { putKernelRow } from './kernel-row.ts';
import { type KernelRowSource, type KernelRows, type Operator, rowsPerBatch } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { type SeriesBlock, SeriesSource } from './series-source.ts';
import type { TeamPart } from './team-part.ts';

/** The newest sample of each series in `(t - lookback, t]` at each step. Series without any are left out. */
export class InstantSelect implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #plan: SelectPlan;
  readonly #series: SeriesSource;
  /** Undefined where the kernel cannot select: smoothed, start timestamps, or one time for many steps. */
  readonly #kernelGrid: StepGrid | undefined;
  #block: SeriesBlock | undefined;
  #row = 0;

  constructor(context: QueryContext, plan: SelectPlan, grid: Grid, part?: TeamPart) {
    this.#context = context;
    this.#plan = plan;
    this.grid = grid;
    this.#series = new SeriesSource(context, plan.source, part);
    const { at, offset, mode } = plan.source;
    const inKernel = mode !== 'smoothed' && plan.value !== 'start_timestamp';
    if (inKernel && (at === undefined || grid.count === 1))
      this.#kernelGrid = { start: (at ?? grid.start) - offset, step: grid.step, steps: grid.count };
  }

  async next(): Promise<Batch | undefined> {
    for (;;) {
      if (this.#block === undefined || this.#row === this.#block.count) {
        this.#block = await this.#series.next();
        this.#row = 0;
      } else await this.#context.breathe();
      if (this.#block === undefined) return undefined;
      const first = this.#row;
      this.#row = Math.min(this.#block.count, first + rowsPerBatch(this.#context, this.grid));
      const batch = dropEmptyRows(this.#select(this.#block, first, this.#row));
      if (batch.count > 0) return batch;
    }
  }

  kernelRows(): KernelRowSource | undefined {
    return this.#kernelGrid && { next: () => this.#nextRows() };
  }

  async #nextRows(): Promise<KernelRows | undefined> {
    const block = await this.#series.next();
    if (block === undefined) return undefined;
    return {
      count: block.count,
      labels: block.labels,
      nameDropped: undefined,
      open: () => block.open(),
      evaluate: (row) => this.#selectInKernel(block, row),
      batchOf: (first, end) => dropEmptyRows(this.#select(block, first, end)),
    };
  }

  #select(block: SeriesBlock, first: number, end: number): Batch {
    const rows = Array.from({ length: end - first }, (_, i) => first + i);
    const whole = first === 0 && end === block.count;
    const batch = newBatch(whole ? block.labels : block.labels.pick(rows), this.grid.count);
    block.open();
    for (const row of rows) this.#selectRow(block, row, batch, row - first);
    return batch;
  }

  #selectRow(block: SeriesBlock, row: number, batch: Batch, toRow: number): void {
    const count = this.#selectInKernel(block, row);
    if (count) putKernelRow(batch, toRow, this.#context.kernel.row(), count);
    if (count !== undefined) return;
    if (this.#plan.source.mode === 'smoothed') this.#smooth(block.load(row, false), batch, toRow);
    else this.#fill(block.load(row, true), batch, toRow);
  }

  /** Makes a row the kernel's current one; undefined when it cannot come from there. */
  #selectInKernel(block: SeriesBlock, row: number): number | undefined {
    if (this.#kernelGrid === undefined || !block.isPlain(row)) return undefined;
    return block.instantRow(row, this.#kernelGrid, this.#plan.value === 'timestamp');
  }

  #fill(samples: SeriesSamples, batch: Batch, row: number): void {
    const { grid } = this;
    const { source, value } = this.#plan;
    const { lookbackMs } = this.#context;
    const { floatTimes, floats, floatCount, histogramTimes, histograms, floatStarts, histogramStarts } =
      samples;
    let f = 0;
    let h = 0;
    for (let i = 0; i < grid.count; i++) {
      const ref = (source.at ?? grid.start + i * grid.step) - source.offset;
      while (f < floatCount && floatTimes[f] <= ref) f++;
      while (h < histogramTimes.length && histogramTimes[h] <= ref) h++;
      const floatTime = f > 0 ? floatTimes[f - 1] : -Infinity;
      const histogramTime = h > 0 ? histogramTimes[h - 1] : -Infinity;
      const t = Math.max(floatTime, histogramTime);
      if (t <= ref - lookbackMs) continue;
      const cell = row * grid.count + i;
      const isHistogram = histogramTime > floatTime;
      if (isHistogram ? isStale(histograms[h - 1].sum) : isStale(floats[f - 1])) continue;
      if (value === 'timestamp') setFloat(batch, cell, t / 1000);
      else if (value === 'start_timestamp')
        setFloat(batch, cell, ((isHistogram ? histogramStarts?.[h - 1] : floatStarts?.[f - 1]) ?? 0) / 1000);
      else if (isHistogram) setHistogram(batch, cell, histograms[h - 1]);
      else setFloat(batch, cell, floats[f - 1]);
    }
  }

  /** Between two samples the value on the line through both; before the first and after the last that one's. */
  #smooth(samples: SeriesSamples, batch: Batch, row: number): void {
    const { grid } = this;
    const { source } = this.#plan;
    for (let i = 0; i < grid.count; i++) {
      const ref = (source.at ?? grid.start + i * grid.step) - source.offset;
      const found = interpolate(samples, ref, this.#context.lookbackMs, (operation) =>
        this.#context.info(infoText.mismatchedCustomBuckets(operation), this.#plan.span),
      );
      if (found === undefined) continue;
      const cell = row * grid.count + i;
      if (typeof found === 'number') setFloat(batch, cell, found);
      else if (typeof found === 'string') this.#warnMixed(batch, row, found);
      else setHistogram(batch, cell, found);
    }
  }

  #warnMixed(batch: Batch, row: number, what: NoValue): void {
    const name = batch.labels.at(row).get(METRIC_NAME);
    const text = what === 'mixed' ? warningText.mixedFloatsHistograms : warningText.mixedSchemas;
    this.#context.warn(text(name), this.#plan.span);
  }
}

import type { FloatHistogram } from '../../model/histogram.ts';
import type { LabelColumn } from './label-column.ts';

/** What a cell of a batch holds. */
export const Presence = { none: 0, float: 1, histogram: 2 } as const;

/**
 * Some series × all steps of a grid. Cell (row, step) is index `row * steps + step` of every column. The receiver
 * owns a batch and may change its cells in place; label columns and histograms are shared and never changed.
 */
export interface Batch {
  readonly labels: LabelColumn;
  readonly count: number;
  readonly steps: number;
  /** Only cells of presence `float` mean something. */
  readonly values: Float64Array;
  readonly presence: Uint8Array;
  /** Present when some cell is a histogram. */
  histograms: (FloatHistogram | undefined)[] | undefined;
  /** Rows whose metadata labels are to be dropped at the end of the query (delayed name removal). */
  readonly nameDropped: Uint8Array | undefined;
}

/** An empty batch with room for every cell. `withHistograms` makes the histogram column. */
export function newBatch(
  labels: LabelColumn,
  steps: number,
  options: { withHistograms?: boolean; nameDropped?: Uint8Array } = {},
): Batch {
  const { count } = labels;
  return {
    labels,
    count,
    steps,
    values: new Float64Array(count * steps),
    presence: new Uint8Array(count * steps),
    histograms: options.withHistograms ? new Array(count * steps) : undefined,
    nameDropped: options.nameDropped,
  };
}

/** Whether a row has any sample. */
function rowHasSamples(batch: Batch, row: number): boolean {
  const end = (row + 1) * batch.steps;
  for (let cell = row * batch.steps; cell < end; cell++)
    if (batch.presence[cell] !== Presence.none) return true;
  return false;
}

/** How many cells hold something. */
export function countSamples(batch: Batch): number {
  let count = 0;
  for (let cell = 0; cell < batch.presence.length; cell++) if (batch.presence[cell] !== 0) count++;
  return count;
}

/** Copies the cells of one row into a row of another batch with as many steps, which must have a histogram column if this has. */
function copyRow(from: Batch, row: number, to: Batch, toRow: number): void {
  const { steps } = from;
  const start = row * steps;
  to.values.set(from.values.subarray(start, start + steps), toRow * steps);
  to.presence.set(from.presence.subarray(start, start + steps), toRow * steps);
  if (from.histograms === undefined) return;
  for (let i = 0; i < steps; i++) to.histograms![toRow * steps + i] = from.histograms[start + i];
}

/** One batch with all rows of many. */
export function concatBatches(batches: readonly Batch[], labels: LabelColumn, steps: number): Batch {
  if (batches.length === 1) return { ...batches[0], labels };
  const delayed = batches.some((batch) => batch.nameDropped !== undefined);
  const all = newBatch(labels, steps, {
    withHistograms: batches.some((batch) => batch.histograms !== undefined),
    nameDropped: delayed ? new Uint8Array(labels.count) : undefined,
  });
  let row = 0;
  for (const batch of batches) {
    all.values.set(batch.values, row * steps);
    all.presence.set(batch.presence, row * steps);
    if (batch.nameDropped !== undefined) all.nameDropped!.set(batch.nameDropped, row);
    if (batch.histograms !== undefined)
      for (let i = 0; i < batch.histograms.length; i++)
        all.histograms![row * steps + i] = batch.histograms[i];
    row += batch.count;
  }
  return all;
}

/** Puts a histogram into a cell, making the column if it is the first. */
export function setHistogram(batch: Batch, cell: number, histogram: FloatHistogram): void {
  batch.histograms ??= new Array(batch.count * batch.steps);
  batch.histograms[cell] = histogram;
  batch.presence[cell] = Presence.histogram;
}

export function setFloat(batch: Batch, cell: number, value: number): void {
  batch.values[cell] = value;
  batch.presence[cell] = Presence.float;
}

/** The batch without rows that have no sample; the same one when all have. */
export function dropEmptyRows(batch: Batch): Batch {
  const rows: number[] = [];
  for (let row = 0; row < batch.count; row++) if (rowHasSamples(batch, row)) rows.push(row);
  return rows.length === batch.count ? batch : pickRows(batch, rows);
}

/** The given rows of a batch, in the given order. */
export function pickRows(batch: Batch, rows: readonly number[]): Batch {
  const picked = newBatch(batch.labels.pick(rows), batch.steps, {
    withHistograms: batch.histograms !== undefined,
    nameDropped: batch.nameDropped && Uint8Array.from(rows, (row) => batch.nameDropped![row]),
  });
  for (const [i, row] of rows.entries()) copyRow(batch, row, picked, i);
  return picked;
}

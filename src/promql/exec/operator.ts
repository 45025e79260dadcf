import { type Batch, concatBatches, countSamples } from './batch.ts';
import type { Grid } from './grid.ts';
import { LabelColumn } from './label-column.ts';
import type { QueryContext } from './query-context.ts';

/**
 * A step of evaluation: `next` until it gives undefined. Every batch has as many steps as the grid the operator
 * was built for, and belongs to the caller. Operators are used once. A scalar is one row without labels that has
 * a float in every cell.
 */
export interface Operator {
  readonly grid: Grid;
  next(): Promise<Batch | undefined>;
  /** Where its rows can come as blocks in the kernel: a source of them that takes turns with `next`. */
  kernelRows?(): KernelRowSource | undefined;
}

export interface KernelRowSource {
  next(): Promise<KernelRows | undefined>;
}

/** Rows that are computed in the kernel one by one and need not leave it. */
export interface KernelRows {
  readonly count: number;
  readonly labels: LabelColumn;
  readonly nameDropped: undefined;
  /** Begins a run of `evaluate` that no `await` interrupts. */
  open(): void;
  /** Makes a row the kernel's current one. How many steps have a value; undefined: the kernel cannot compute it. */
  evaluate(row: number): number | undefined;
  /** Rows `first … end` (exclusive) as a batch. */
  batchOf(first: number, end: number): Batch;
}

/** All rows of an operator as one batch; its samples count as held until the query ends. */
export async function collect(operator: Operator, context: QueryContext): Promise<Batch> {
  const batches: Batch[] = [];
  for (let batch = await operator.next(); batch !== undefined; batch = await operator.next()) {
    context.hold(countSamples(batch));
    batches.push(batch);
  }
  const labels = LabelColumn.concat(batches.map((batch) => batch.labels));
  return concatBatches(batches, labels, operator.grid.count);
}

/** The values of a scalar operator, one per step. */
export async function collectScalar(operator: Operator): Promise<Float64Array> {
  return (await operator.next())!.values;
}

/** An operator over batches that are known or made at once when first asked. */
export class Deferred implements Operator {
  readonly grid: Grid;
  readonly #make: () => Promise<Batch> | Batch;
  #done = false;

  constructor(grid: Grid, make: () => Promise<Batch> | Batch) {
    this.grid = grid;
    this.#make = make;
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    return this.#make();
  }
}

/** How many rows make a batch. */
export function rowsPerBatch(context: QueryContext, grid: Grid): number {
  return Math.max(1, Math.floor(context.batchCells / Math.max(1, grid.count)));
}

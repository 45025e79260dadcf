import type { AggregatePlan } from '../plan/node.ts';
import type { Batch } from './batch.ts';
import { BestCells } from './best-cells.ts';
import type { Grid } from './grid.ts';
import { GroupTable } from './group-table.ts';
import { LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';
import { type KernelRowSource, type KernelRows, type Operator, rowsPerBatch } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/** A ranking as its candidates are found: the operator, its groups, and how many rows it wants at each step. */
export type Rank = Pick<AggregatePlan, 'op' | 'grouping' | 'without'> & { readonly k: Int32Array };

/** Keeping the best twice is worth it only where they are few of many. */
const K_MAX = 256;

/**
 * Of the rows below a `topk` or `bottomk`, the cells that it may take in when it comes to them. A cell that is left out is no
 * better than k that came before it, so the ranking comes out the same, equal values included. Most rows never leave the
 * kernel, and threads that share a ranking send each other few.
 */
export class Candidates implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #rank: Rank;
  readonly #rows: KernelRowSource;
  readonly #groups: GroupTable;
  readonly #best: BestCells[] = [];
  /** A block with rows that the kernel cannot compute, histograms perhaps, of which the ranking has something to say: all of it. */
  #whole: { readonly rows: KernelRows; at: number } | undefined;

  /** The rows of `child` without those that cannot be taken in; `child` itself where they do not come from the kernel. */
  static of(context: QueryContext, rank: Rank, child: Operator): Operator {
    const few = rank.k.every((k) => k <= K_MAX);
    const rows = few ? child.kernelRows?.() : undefined;
    return rows === undefined ? child : new Candidates(context, rank, child.grid, rows);
  }

  private constructor(context: QueryContext, rank: Rank, grid: Grid, rows: KernelRowSource) {
    this.#context = context;
    this.#rank = rank;
    this.grid = grid;
    this.#rows = rows;
    this.#groups = new GroupTable(new LabelGrouping(rank.grouping, rank.without));
  }

  /** The next block of rows is not asked for before all candidates of this one were given. */
  async next(): Promise<Batch | undefined> {
    for (;;) {
      if (this.#whole !== undefined) return this.#nextOfWhole(this.#whole);
      const rows = await this.#rows.next();
      if (rows === undefined) return undefined;
      const batch = await this.#choose(rows);
      if (batch !== undefined) return batch;
    }
  }

  #nextOfWhole(whole: { readonly rows: KernelRows; at: number }): Batch {
    const first = whole.at;
    whole.at = Math.min(whole.rows.count, first + rowsPerBatch(this.#context, this.grid));
    if (whole.at === whole.rows.count) this.#whole = undefined;
    return whole.rows.batchOf(first, whole.at);
  }

  async #choose(rows: KernelRows): Promise<Batch | undefined> {
    const chosen = new ChosenRows(this.grid.count);
    const run = rowsPerBatch(this.#context, this.grid);
    for (let first = 0; first < rows.count; first += run) {
      await this.#context.breathe();
      rows.open();
      for (let row = first; row < Math.min(rows.count, first + run); row++)
        if (!this.#offer(rows, row, chosen)) {
          this.#whole = { rows, at: 0 };
          return undefined;
        }
    }
    return chosen.finish(rows);
  }

  /** False when the kernel cannot compute the row. */
  #offer(rows: KernelRows, row: number, chosen: ChosenRows): boolean {
    const count = rows.evaluate(row);
    if (count === undefined) return false;
    if (count === 0) return true;
    const values = this.#context.kernel.row();
    if (this.#bestOf(rows, row).admit(values, chosen.cells)) chosen.add(row, values);
    return true;
  }

  #bestOf(rows: KernelRows, row: number): BestCells {
    const group = this.#groups.idOf(rows.labels, row);
    let best = this.#best[group];
    if (best === undefined) {
      best = this.#best[group] = new BestCells(this.#rank.k, this.#rank.op === 'topk');
      this.#context.hold(this.grid.count);
    }
    return best;
  }
}

/** Rows of one block, in their order, with the cells of them that count. */
class ChosenRows {
  /** 1 for each cell that is to be taken of the row under way; cleared by `add`. */
  readonly cells: Uint8Array;
  readonly #steps: number;
  readonly #rows: number[] = [];
  #values: Float64Array;
  #presence: Uint8Array;

  constructor(steps: number) {
    this.#steps = steps;
    this.cells = new Uint8Array(steps);
    this.#values = new Float64Array(8 * steps);
    this.#presence = new Uint8Array(8 * steps);
  }

  add(row: number, values: Float64Array): void {
    const at = this.#rows.length * this.#steps;
    if (at === this.#values.length) this.#grow();
    this.#values.set(values, at);
    this.#presence.set(this.cells, at);
    this.#rows.push(row);
    this.cells.fill(0);
  }

  /** Labels are copied, so that the rest of the block need not stay. */
  finish({ labels }: KernelRows): Batch | undefined {
    const count = this.#rows.length;
    if (count === 0) return undefined;
    const { labelBytes, labelStarts, labelEnds, metadataHidden } = labels.pick(this.#rows).toRanges();
    return {
      labels: LabelColumn.fromRanges(labelBytes, labelStarts, labelEnds, metadataHidden),
      count,
      steps: this.#steps,
      values: this.#values.slice(0, count * this.#steps),
      presence: this.#presence.slice(0, count * this.#steps),
      histograms: undefined,
      nameDropped: undefined,
    };
  }

  #grow(): void {
    const values = new Float64Array(2 * this.#values.length);
    values.set(this.#values);
    this.#values = values;
    const presence = new Uint8Array(values.length);
    presence.set(this.#presence);
    this.#presence = presence;
  }
}

import type { Labels } from '../../model/labels.ts';
import type { WindowFold } from '../functions/window-folds.ts';
import type { SubqueryPlan } from '../plan/node.ts';
import { type Batch, newBatch, Presence, setFloat } from './batch.ts';
import { type Grid, timeAt } from './grid.ts';
import { GroupTable } from './group-table.ts';
import { LabelColumn } from './label-column.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

interface Folded {
  readonly ranged: SubqueryPlan;
  /** Of the subquery. */
  readonly inner: Grid;
  readonly whole: Operator;
}

/**
 * Evaluates a subquery in stretches of so many steps and keeps of each row a few numbers per window. `evaluate` gives the rows
 * of the stretch that begins at a step. Undefined when histograms are met, which cannot be kept so.
 */
export async function foldSubquery(
  context: QueryContext,
  fold: WindowFold,
  { inner, ranged, whole }: Folded,
  steps: number,
  evaluate: (from: number, take: (batch: Batch, part: Grid) => void) => Promise<void>,
): Promise<Batch | undefined> {
  const rows = new FoldedRows(context, fold, whole.grid, ranged);
  try {
    for (let from = 0; from < inner.count && !rows.hasHistograms; from += steps)
      await evaluate(from, (batch, part) => rows.take(batch, part));
    return rows.hasHistograms ? undefined : rows.finish();
  } finally {
    rows.release();
  }
}

class FoldedRows {
  hasHistograms = false;
  readonly #context: QueryContext;
  readonly #fold: WindowFold;
  /** The outer one: a window for each step. */
  readonly #grid: Grid;
  readonly #range: number;
  /** Where the first window ends. */
  readonly #firstEnd: number;
  readonly #table = GroupTable.ofWholeRows();
  readonly #labels: Labels[] = [];
  /** Of each row the states of its windows, one after the other. */
  readonly #states: Float64Array[] = [];

  constructor(context: QueryContext, fold: WindowFold, grid: Grid, { range, offset }: SubqueryPlan) {
    this.#context = context;
    this.#fold = fold;
    this.#grid = grid;
    this.#range = range;
    this.#firstEnd = grid.start - offset;
  }

  take(batch: Batch, part: Grid): void {
    for (let row = 0; row < batch.count; row++) {
      this.#context.workedOn(batch.steps);
      const states = this.#stateOf(batch, row);
      for (let i = 0, cell = row * batch.steps; i < batch.steps; i++, cell++)
        if (batch.presence[cell] === Presence.float) this.#add(states, timeAt(part, i), batch.values[cell]);
        else if (batch.presence[cell] === Presence.histogram) this.hasHistograms = true;
    }
  }

  /** Into the windows that end within the range after `t`, at `t` at the earliest. */
  #add(states: Float64Array, t: number, v: number): void {
    const { step, count } = this.#grid;
    const after = t - this.#firstEnd;
    const first = Math.max(0, Math.ceil(after / step));
    for (let w = first; w < count && w * step < after + this.#range; w++)
      this.#fold.add(states, w * this.#fold.size, v);
  }

  #stateOf(batch: Batch, row: number): Float64Array {
    const id = this.#table.idOf(batch.labels, row);
    if (id === this.#states.length) {
      const size = this.#grid.count * this.#fold.size;
      this.#context.hold(size);
      this.#labels.push(batch.labels.at(row));
      this.#states.push(new Float64Array(size));
    }
    return this.#states[id];
  }

  finish(): Batch {
    const { count } = this.#grid;
    const batch = newBatch(LabelColumn.from(this.#labels), count);
    for (const [row, states] of this.#states.entries())
      for (let w = 0; w < count; w++) {
        const at = w * this.#fold.size;
        if (states[at] > 0) setFloat(batch, row * count + w, this.#fold.finish(states, at));
      }
    return batch;
  }

  release(): void {
    this.#context.release(this.#states.length * this.#grid.count * this.#fold.size);
  }
}

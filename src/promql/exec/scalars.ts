import { Labels } from '../../model/labels.ts';
import { type Batch, newBatch, Presence } from './batch.ts';
import type { Grid } from './grid.ts';
import { LabelColumn } from './label-column.ts';
import { collect, collectScalar, Deferred, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/** A scalar with this value at each step. */
export function scalarRow(grid: Grid, valueAt: (step: number) => number): Operator {
  return new Deferred(grid, () => scalarBatch(grid, valueAt));
}

function scalarBatch(grid: Grid, valueAt: (step: number) => number): Batch {
  const batch = newBatch(LabelColumn.from([Labels.empty]), grid.count);
  batch.presence.fill(Presence.float);
  for (let i = 0; i < grid.count; i++) batch.values[i] = valueAt(i);
  return batch;
}

/** A scalar computed from scalars, step by step. */
export function scalarOf(
  grid: Grid,
  args: readonly Operator[],
  compute: (...values: number[]) => number,
): Operator {
  return new Deferred(grid, async () => {
    const columns = await Promise.all(args.map(collectScalar));
    return scalarBatch(grid, (i) => compute(...columns.map((column) => column[i])));
  });
}

/** `scalar(v)`: the value of the only float of a vector, NaN where there is none or more than one. */
export function scalarFromVector(context: QueryContext, child: Operator): Operator {
  return new Deferred(child.grid, async () => {
    const rows = await collect(child, context);
    return scalarBatch(child.grid, (i) => onlyFloat(rows, i));
  });
}

function onlyFloat(batch: Batch, step: number): number {
  let found = Number.NaN;
  let count = 0;
  for (let row = 0; row < batch.count; row++) {
    const cell = row * batch.steps + step;
    if (batch.presence[cell] !== Presence.float) continue;
    found = batch.values[cell];
    count++;
  }
  return count === 1 ? found : Number.NaN;
}

/** `absent`: one row with the value 1 where the vector has nothing at all. */
export function absentRow(context: QueryContext, child: Operator, labels: Labels): Operator {
  return new Deferred(child.grid, async () => {
    const batch = newBatch(LabelColumn.from([labels]), child.grid.count);
    batch.presence.fill(Presence.float);
    batch.values.fill(1);
    for (let rows = await child.next(); rows !== undefined; rows = await child.next()) {
      for (let cell = 0; cell < rows.presence.length; cell++)
        if (rows.presence[cell] !== Presence.none) batch.presence[cell % rows.steps] = Presence.none;
      await context.breathe();
    }
    return batch;
  });
}

/** The one step of an operator repeated for every step of a grid. */
export class Repeat implements Operator {
  readonly grid: Grid;
  readonly #child: Operator;

  constructor(child: Operator, grid: Grid) {
    this.grid = grid;
    this.#child = child;
  }

  async next(): Promise<Batch | undefined> {
    const once = await this.#child.next();
    if (once === undefined) return undefined;
    const { labels, count, nameDropped } = once;
    const { count: steps } = this.grid;
    const batch = newBatch(labels, steps, { withHistograms: once.histograms !== undefined, nameDropped });
    for (let row = 0; row < count; row++) {
      batch.values.fill(once.values[row], row * steps, (row + 1) * steps);
      batch.presence.fill(once.presence[row], row * steps, (row + 1) * steps);
      if (once.histograms !== undefined)
        batch.histograms!.fill(once.histograms[row], row * steps, (row + 1) * steps);
    }
    return batch;
  }
}

/** The results of one operator for several readers; each gets its own copy, and the last one the results themselves. */
export class SharedResult {
  readonly #operator: Operator;
  readonly #context: QueryContext;
  #rows: Promise<Batch> | undefined;
  /** Readers that have not read yet. */
  #waiting = 0;

  constructor(operator: Operator, context: QueryContext) {
    this.#operator = operator;
    this.#context = context;
  }

  reader(): Operator {
    this.#waiting++;
    return new Deferred(this.#operator.grid, async () => {
      this.#rows ??= collect(this.#operator, this.#context);
      const rows = await this.#rows;
      this.#waiting--;
      if (this.#waiting === 0) return rows;
      return {
        ...rows,
        values: rows.values.slice(),
        presence: rows.presence.slice(),
        histograms: rows.histograms?.slice(),
      };
    });
  }
}

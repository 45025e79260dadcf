import type { FloatHistogram } from '../../model/histogram.ts';
import { type Batch, dropEmptyRows, Presence } from './batch.ts';
import type { Grid } from './grid.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/** What becomes of a cell: another value, or nothing. Whoever implements it may look at `step` for scalar arguments. */
export interface CellFunction {
  float(value: number, step: number): number | undefined;
  /** Absent: histograms have no result. */
  histogram?(
    histogram: FloatHistogram,
    step: number,
    row: number,
    batch: Batch,
  ): number | FloatHistogram | undefined;
  /** After the last cell. */
  finish?(): void;
}

/** Applies a function to every cell, in place, batch by batch. `prepare` runs once, before the first batch. */
export class CellMap implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #child: Operator;
  readonly #prepare: () => Promise<CellFunction> | CellFunction;
  #function: CellFunction | undefined;

  constructor(context: QueryContext, child: Operator, prepare: () => Promise<CellFunction> | CellFunction) {
    this.grid = child.grid;
    this.#context = context;
    this.#child = child;
    this.#prepare = prepare;
  }

  async next(): Promise<Batch | undefined> {
    this.#function ??= await this.#prepare();
    for (let batch = await this.#child.next(); batch !== undefined; batch = await this.#child.next()) {
      this.#context.check();
      applyToCells(batch, this.#function);
      const rest = dropEmptyRows(batch);
      if (rest.count > 0) return rest;
    }
    this.#function.finish?.();
    return undefined;
  }
}

function applyToCells(batch: Batch, map: CellFunction): void {
  const { values, presence, steps } = batch;
  for (let row = 0, cell = 0; row < batch.count; row++) {
    for (let step = 0; step < steps; step++, cell++) {
      if (presence[cell] === Presence.none) continue;
      const result =
        presence[cell] === Presence.float
          ? map.float(values[cell], step)
          : map.histogram?.(batch.histograms![cell]!, step, row, batch);
      putResult(batch, cell, result);
    }
  }
}

function putResult(batch: Batch, cell: number, result: number | FloatHistogram | undefined): void {
  if (result === undefined) batch.presence[cell] = Presence.none;
  else if (typeof result === 'number') {
    batch.values[cell] = result;
    batch.presence[cell] = Presence.float;
  } else {
    batch.histograms![cell] = result;
    batch.presence[cell] = Presence.histogram;
  }
}

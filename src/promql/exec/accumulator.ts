import type { Batch } from './batch.ts';

/** The state of an aggregation: for every group one value in the making per step. */
export interface Accumulator {
  /** Takes a row into a group; groups appear in the order of their numbers. */
  add(group: number, batch: Batch, row: number): void;
  /** Goes on from what the kernel has added up for a group, to which nothing was added here. */
  adopt(group: number, state: GroupState): void;
  /** Writes a row per group. */
  finish(into: Batch): void;
}

/** What `GroupRows` has of a group, a float64 per step in each column; see there. */
export interface GroupState {
  /** Floats added; 0 where there are none, negative where an average is carried along. */
  readonly counts: Float64Array;
  readonly values: Float64Array;
  /** Compensations of sums and averages, means of variances. */
  readonly thirds: Float64Array;
}

/** A float64 per group and step that grows with the groups. */
export class Column {
  values = new Float64Array(0);
  readonly #steps: number;
  #rows = 0;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Makes room for a group; new cells are 0. */
  reserve(group: number): void {
    if (group < this.#rows) return;
    this.#rows = Math.max(2 * this.#rows, group + 1, 8);
    const larger = new Float64Array(this.#rows * this.#steps);
    larger.set(this.values);
    this.values = larger;
  }

  /** Sets all cells of a group. */
  put(group: number, cells: Float64Array): void {
    this.reserve(group);
    this.values.set(cells, group * this.#steps);
  }

  /** Sets `HAS_FLOAT` in the cells of a group that something was added to. */
  mark(group: number, counts: Float64Array): void {
    this.reserve(group);
    const from = group * this.#steps;
    for (let i = 0; i < this.#steps; i++) this.values[from + i] = counts[i] === 0 ? 0 : HAS_FLOAT;
  }
}

/** In the cells of a column that says what was added. */
export const HAS_FLOAT = 1;

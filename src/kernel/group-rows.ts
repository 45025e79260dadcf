import { assert } from '../platform/assert.ts';
import type { QueryExports } from './query-module.ts';

/** Aggregations over float rows, with Prometheus' arithmetic. The number is the kernel's. */
export const GroupKind = {
  sum: 0,
  avg: 1,
  min: 2,
  max: 3,
  count: 4,
  stdvar: 5,
  stddev: 6,
} as const;
export type GroupKind = keyof typeof GroupKind;

export function isGroupKind(name: string): name is GroupKind {
  return Object.hasOwn(GroupKind, name);
}

/** Rows of float64 in a group's block: count; value; compensation of a sum or mean of a variance. */
const BLOCK_ROWS = 3;

/** What the accumulators need of the kernel whose memory they live in. */
export interface GroupMemory {
  readonly wasm: QueryExports;
  /** Zeroed bytes that stay where they are. */
  allocate(size: number): number;
  /** Address of the current row; of `steps` values. */
  rowAt(): number;
  /** Makes room for a row of results, which becomes the current row. */
  beginRow(): number;
  view(at: number, length: number): Float64Array;
  /** How many steps of the current row have a value. */
  countValues(): number;
}

/** One accumulator per group and step, in kernel memory; made by `QueryKernel.groups`. Lives as long as the kernel. */
export class GroupRows {
  readonly #kind: number;
  readonly #steps: number;
  readonly #memory: GroupMemory;
  /** Address of each group's block; 0 until something is added. */
  readonly #blocks: number[] = [];

  constructor(kind: GroupKind, steps: number, memory: GroupMemory) {
    this.#kind = GroupKind[kind];
    this.#steps = steps;
    this.#memory = memory;
  }

  /** One more than the highest group that something was added to. */
  get groupCount(): number {
    return this.#blocks.length;
  }

  /** Adds the kernel's current row to a group. */
  add(group: number): void {
    this.#memory.wasm.groupAdd(this.#kind, this.#memory.rowAt(), this.#steps, this.#blockOf(group));
  }

  /** The state of a group, made when it is new, to be changed in place. A view, valid until the next call. */
  reach(group: number): Float64Array {
    return this.#memory.view(this.#blockOf(group), BLOCK_ROWS * this.#steps);
  }

  #blockOf(group: number): number {
    const known = this.#blocks[group];
    if (known > 0) return known;
    assert(group >= 0, 'groups are numbered from 0');
    while (this.#blocks.length <= group) this.#blocks.push(0);
    this.#blocks[group] = this.#memory.allocate(8 * BLOCK_ROWS * this.#steps + 8);
    return this.#blocks[group];
  }

  /**
   * What a group has come to so far, `steps` float64 each: how many values (negative: see `assembly/groups.ts`), the value in
   * the making, and the compensation of a sum or the mean of a variance. A view.
   */
  state(group: number): Float64Array {
    const block = this.#blocks[group];
    assert(block > 0, 'something was added to the group');
    return this.#memory.view(block, BLOCK_ROWS * this.#steps);
  }

  /** The result of a group, as the kernel's current row; a view. Absent where no series had a value. Adding may go on. */
  finish(group: number): Float64Array {
    const block = this.#blocks[group];
    assert(block > 0, 'something was added to the group');
    const row = this.#memory.beginRow();
    this.#memory.wasm.groupFinish(this.#kind, block, this.#steps, row);
    return this.#memory.view(row, this.#steps);
  }
  /** How many steps of the row finished last have a value. */
  rowCount(): number {
    return this.#memory.countValues();
  }
}

import { VeronaError } from '../../model/errors.ts';
import type { BinaryPlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, Presence } from './batch.ts';
import type { Grid } from './grid.ts';
import { GroupTable } from './group-table.ts';
import { LabelGrouping } from './label-grouping.ts';
import { collect, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { RowBuilder } from './row-builder.ts';

/** `and`, `or`, `unless`: which cells stay depends on whether the other side has any in the same match group at that step. */
export class SetOperation implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #plan: BinaryPlan;
  readonly #left: Operator;
  readonly #right: Operator;
  #done = false;

  constructor(context: QueryContext, plan: BinaryPlan, left: Operator, right: Operator) {
    this.grid = left.grid;
    this.#context = context;
    this.#plan = plan;
    this.#left = left;
    this.#right = right;
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    const left = await collect(this.#left, this.#context);
    const right = await collect(this.#right, this.#context);
    const matching = this.#plan.matching!;
    const groups = new PresenceByGroup(
      this.#context,
      new LabelGrouping(matching.labels, !matching.on),
      left.steps,
    );
    if (this.#plan.op === 'or') return this.#union(left, right, groups);
    groups.add(right);
    groups.keep(left, this.#plan.op === 'and');
    const batch = dropEmptyRows(left);
    return batch.count === 0 ? undefined : batch;
  }

  #union(left: Batch, right: Batch, groups: PresenceByGroup): Batch | undefined {
    groups.add(left);
    groups.keep(right, false);
    const rows = new RowBuilder(left.steps, left.count + right.count);
    for (const batch of [left, right])
      for (let row = 0; row < batch.count; row++) {
        this.#context.workedOn(batch.steps);
        copyInto(rows, batch, row);
      }
    const batch = dropEmptyRows(rows.finish());
    return batch.count === 0 ? undefined : batch;
  }
}

function copyInto(rows: RowBuilder, batch: Batch, row: number): void {
  const to = rows.rowOf(batch.labels.at(row), batch.nameDropped?.[row] === 1);
  for (let i = 0; i < batch.steps; i++) {
    const cell = row * batch.steps + i;
    if (batch.presence[cell] === Presence.none) continue;
    if (rows.has(to, i))
      throw new VeronaError('execution', 'vector cannot contain metrics with the same labelset');
    rows.copy(to, i, batch, cell);
  }
}

/** At which steps a match group has samples. */
class PresenceByGroup {
  readonly #context: QueryContext;
  readonly #table: GroupTable;
  readonly #steps: number;
  readonly #present: Uint8Array[] = [];

  constructor(context: QueryContext, grouping: LabelGrouping, steps: number) {
    this.#context = context;
    this.#table = new GroupTable(grouping);
    this.#steps = steps;
  }

  add(batch: Batch): void {
    for (let row = 0; row < batch.count; row++) {
      this.#context.workedOn(this.#steps);
      const present = (this.#present[this.#table.idOf(batch.labels, row)] ??= new Uint8Array(this.#steps));
      const from = row * this.#steps;
      for (let i = 0; i < this.#steps; i++) if (batch.presence[from + i] !== Presence.none) present[i] = 1;
    }
  }

  /** Empties the cells whose group is present (`wanted` false) or absent (`wanted` true) at their step. */
  keep(batch: Batch, wanted: boolean): void {
    for (let row = 0; row < batch.count; row++) {
      this.#context.workedOn(this.#steps);
      const group = this.#table.find(batch.labels, row);
      const present = group === -1 ? undefined : this.#present[group];
      for (let i = 0; i < this.#steps; i++)
        if ((present?.[i] === 1) !== wanted) batch.presence[row * this.#steps + i] = Presence.none;
    }
  }
}

import { VeronaError } from '../../model/errors.ts';
import { histogramText } from '../../model/histogram-text.ts';
import { formatDecimal, quote } from '../parser/go-text.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { GroupIds } from './aggregate.ts';
import { type Batch, Presence } from './batch.ts';
import type { Grid } from './grid.ts';
import type { Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';
import { RowBuilder } from './row-builder.ts';

/** `count_values("label", v)`: a row per group and distinct value, counting how often it occurs. */
export class CountValues implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #plan: AggregatePlan;
  readonly #child: Operator;
  readonly #label: string;
  /** `without` names the label itself, so that it goes again. */
  readonly #isDropped: boolean;
  #done = false;

  constructor(context: QueryContext, plan: AggregatePlan, child: Operator, label: string) {
    if (label === '' || !label.isWellFormed())
      throw new VeronaError('execution', `invalid label name ${quote(label)}`);
    this.grid = child.grid;
    this.#context = context;
    this.#plan = plan;
    this.#child = child;
    this.#label = label;
    this.#isDropped = plan.without && plan.grouping.includes(label);
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    const { grouping, without } = this.#plan;
    const groups = new GroupIds(without ? [...grouping, this.#label] : grouping, without);
    const rows = new RowBuilder(this.grid.count);
    for (let batch = await this.#child.next(); batch !== undefined; batch = await this.#child.next()) {
      for (let row = 0; row < batch.count; row++) this.#countRow(batch, row, groups, rows);
      await this.#context.breathe();
    }
    return rows.count === 0 ? undefined : rows.finish();
  }

  #countRow(batch: Batch, row: number, groups: GroupIds, rows: RowBuilder): void {
    this.#context.check();
    const group = groups.labels[groups.idOf(batch, row)];
    for (let i = 0; i < batch.steps; i++) {
      const text = textOf(batch, row * batch.steps + i);
      if (text === undefined) continue;
      const before = rows.count;
      const counted = rows.rowOf(this.#isDropped ? group : group.with({ [this.#label]: text }));
      if (rows.count > before) this.#context.hold(this.grid.count);
      rows.addFloat(counted, i, 1);
    }
  }
}

function textOf(batch: Batch, cell: number): string | undefined {
  switch (batch.presence[cell]) {
    case Presence.float:
      return formatDecimal(batch.values[cell]);
    case Presence.histogram:
      return histogramText(batch.histograms![cell]!);
    default:
      return undefined;
  }
}

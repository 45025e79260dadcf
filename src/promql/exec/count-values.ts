import { VeronaError } from '../../model/errors.ts';
import { histogramText } from '../../model/histogram-text.ts';
import type { Labels } from '../../model/labels.ts';
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
  /** The rows of floats that were met, by group. */
  readonly #rowsOf: Map<number, number>[] = [];
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
    const group = groups.idOf(batch, row);
    const known = (this.#rowsOf[group] ??= new Map());
    for (let i = 0, cell = row * batch.steps; i < batch.steps; i++, cell++) {
      if (batch.presence[cell] === Presence.none) continue;
      const v = batch.values[cell];
      // A map does not tell 0 from -0, whose texts differ.
      const isFloat = batch.presence[cell] === Presence.float && v !== 0;
      let counted = isFloat ? known.get(v) : undefined;
      if (counted === undefined) {
        counted = this.#rowOf(groups.labels[group], textOf(batch, cell), rows);
        if (isFloat) known.set(v, counted);
      }
      rows.addFloat(counted, i, 1);
    }
  }

  #rowOf(group: Labels, text: string, rows: RowBuilder): number {
    const before = rows.count;
    const row = rows.rowOf(this.#isDropped ? group : group.with({ [this.#label]: text }));
    if (rows.count > before) this.#context.hold(this.grid.count);
    return row;
  }
}

function textOf(batch: Batch, cell: number): string {
  return batch.presence[cell] === Presence.float
    ? formatDecimal(batch.values[cell])
    : histogramText(batch.histograms![cell]!);
}

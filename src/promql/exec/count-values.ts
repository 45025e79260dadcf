import { formatFloat } from '../../encoding/number-text.ts';
import { VeronaError } from '../../model/errors.ts';
import { histogramText } from '../../model/histogram-text.ts';
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
  #done = false;

  constructor(context: QueryContext, plan: AggregatePlan, child: Operator, label: string) {
    if (label === '') throw new VeronaError('execution', `invalid label name "${label}"`);
    this.grid = child.grid;
    this.#context = context;
    this.#plan = plan;
    this.#child = child;
    this.#label = label;
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    const { grouping, without } = this.#plan;
    const groups = new GroupIds(without ? [...grouping, this.#label] : grouping, without);
    const counts = new Map<string, Float64Array>();
    const rows = new RowBuilder(this.grid.count);
    const placed: { row: number; counts: Float64Array }[] = [];
    for (let batch = await this.#child.next(); batch !== undefined; batch = await this.#child.next()) {
      for (let row = 0; row < batch.count; row++) {
        const group = groups.idOf(batch, row);
        for (let i = 0; i < batch.steps; i++) {
          const text = textOf(batch, row * batch.steps + i);
          if (text === undefined) continue;
          let column = counts.get(`${group} ${text}`);
          if (column === undefined) {
            column = new Float64Array(this.grid.count);
            this.#context.hold(this.grid.count);
            counts.set(`${group} ${text}`, column);
            placed.push({
              row: rows.rowOf(groups.labels[group].with({ [this.#label]: text })),
              counts: column,
            });
          }
          column[i]++;
        }
      }
      await this.#context.breathe();
    }
    for (const { row, counts: column } of placed)
      for (let i = 0; i < column.length; i++) if (column[i] > 0) rows.setFloat(row, i, column[i]);
    return rows.count === 0 ? undefined : rows.finish();
  }
}

function textOf(batch: Batch, cell: number): string | undefined {
  switch (batch.presence[cell]) {
    case Presence.float:
      return formatFloat(batch.values[cell]);
    case Presence.histogram:
      return histogramText(batch.histograms![cell]!);
    default:
      return undefined;
  }
}

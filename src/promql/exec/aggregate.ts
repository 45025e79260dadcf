import type { Labels } from '../../model/labels.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { type Accumulator, accumulatorFor } from './accumulators.ts';
import type { Batch } from './batch.ts';
import { dropEmptyRows, newBatch } from './batch.ts';
import type { Grid } from './grid.ts';
import { LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';
import { collectScalar, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/** Numbers the groups of rows in the order in which they are met. */
export class GroupIds {
  readonly labels: Labels[] = [];
  readonly nameDropped: boolean[] = [];
  readonly #grouping: LabelGrouping;
  readonly #ids = new Map<string, number>();

  constructor(names: readonly string[], without: boolean) {
    this.#grouping = new LabelGrouping(names, without);
  }

  idOf(batch: Batch, row: number): number {
    const key = this.#grouping.keyOf(batch.labels, row);
    const known = this.#ids.get(key);
    if (known !== undefined) return known;
    const id = this.labels.length;
    this.#ids.set(key, id);
    this.labels.push(this.#grouping.labelsOf(batch.labels, row));
    this.nameDropped.push(batch.nameDropped?.[row] === 1);
    return id;
  }

  /** An empty batch with a row per group. */
  newBatch(steps: number): Batch {
    const delayed = this.nameDropped.includes(true);
    return newBatch(LabelColumn.from(this.labels), steps, {
      nameDropped: delayed ? Uint8Array.from(this.nameDropped, Number) : undefined,
    });
  }
}

/**
 * Aggregations that take rows one by one into one accumulator per group and step: `sum`, `avg`, `min`, `max`,
 * `count`, `group`, `stddev`, `stdvar`, `quantile`. Rows are not kept, however many there are.
 */
export class Aggregate implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #plan: AggregatePlan;
  readonly #child: Operator;
  readonly #param: Operator | undefined;
  #done = false;

  constructor(context: QueryContext, plan: AggregatePlan, child: Operator, param: Operator | undefined) {
    this.grid = child.grid;
    this.#context = context;
    this.#plan = plan;
    this.#child = child;
    this.#param = param;
  }

  async next(): Promise<Batch | undefined> {
    if (this.#done) return undefined;
    this.#done = true;
    const params = this.#param && (await collectScalar(this.#param));
    const groups = new GroupIds(this.#plan.grouping, this.#plan.without);
    const accumulator = accumulatorFor(this.#plan, this.grid.count, this.#context, params);
    await this.#accumulate(groups, accumulator);
    if (groups.labels.length === 0) return undefined;
    const batch = groups.newBatch(this.grid.count);
    accumulator.finish(batch);
    return dropEmptyRows(batch);
  }

  async #accumulate(groups: GroupIds, accumulator: Accumulator): Promise<void> {
    let held = 0;
    for (let batch = await this.#child.next(); batch !== undefined; batch = await this.#child.next()) {
      for (let row = 0; row < batch.count; row++) {
        const group = groups.idOf(batch, row);
        if (group >= held) {
          this.#context.hold(this.grid.count);
          held = group + 1;
        }
        accumulator.add(group, batch, row);
      }
      this.#context.check();
    }
  }
}

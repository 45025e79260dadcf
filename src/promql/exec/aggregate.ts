import { type GroupKind, type GroupRows, isGroupKind } from '../../kernel/group-rows.ts';
import { Labels } from '../../model/labels.ts';
import { assert } from '../../platform/assert.ts';
import { warningText } from '../annotations.ts';
import type { AggregatePlan } from '../plan/node.ts';
import type { Accumulator, GroupState } from './accumulator.ts';
import { accumulatorFor } from './accumulators.ts';
import type { Batch } from './batch.ts';
import { dropEmptyRows, newBatch } from './batch.ts';
import type { Grid } from './grid.ts';
import { GroupTable } from './group-table.ts';
import { putKernelRow } from './kernel-row.ts';
import { LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';
import { isMergeable, type MergeableKind, mergeGroupStates } from './merge-groups.ts';
import {
  collectScalar,
  type KernelRowSource,
  type KernelRows,
  type Operator,
  rowsPerBatch,
} from './operator.ts';
import { boundsOf } from './parameter-bounds.ts';
import type { QueryContext } from './query-context.ts';
import type { PartResult } from './series-team.ts';
import type { TeamPart } from './team-part.ts';

/** Numbers the groups of rows in the order in which they are met. */
export class GroupIds {
  readonly labels: Labels[] = [];
  readonly nameDropped: boolean[] = [];
  readonly #table: GroupTable;

  constructor(names: readonly string[], without: boolean) {
    this.#table = new GroupTable(new LabelGrouping(names, without));
  }

  /** The group of a row. A group loses its name when one of its rows does. */
  idOf(batch: Pick<Batch, 'labels' | 'nameDropped'>, row: number): number {
    const id = this.#table.idOf(batch.labels, row);
    const dropped = batch.nameDropped?.[row] === 1;
    if (id === this.labels.length) {
      this.labels.push(this.#table.grouping.labelsOf(batch.labels, row));
      this.nameDropped.push(dropped);
    } else if (dropped) this.nameDropped[id] = true;
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
  /** Where other threads add up some of the rows. */
  readonly #part: TeamPart | undefined;
  #done = false;
  /** Groups whose cells count as held. */
  #held = 0;

  constructor(
    context: QueryContext,
    plan: AggregatePlan,
    child: Operator,
    param: Operator | undefined,
    part?: TeamPart,
  ) {
    this.grid = child.grid;
    this.#part = part;
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
    const whole = await this.#accumulate(groups, accumulator);
    if (this.#plan.op === 'quantile') this.#checkQuantiles(params!);
    if (groups.labels.length === 0) return undefined;
    const batch = groups.newBatch(this.grid.count);
    if (whole === undefined) accumulator.finish(batch);
    else this.#finishInKernel(whole, batch);
    return dropEmptyRows(batch);
  }

  /** Said of the parameter whether there is anything to aggregate or not, and of its lowest and highest value only. */
  #checkQuantiles(params: Float64Array): void {
    const warn = (q: number) => this.#context.warn(warningText.invalidQuantile(q), this.#plan.param!.span);
    const { min, max, hasNaN } = boundsOf(params);
    if (hasNaN) warn(Number.NaN);
    if (max > 1) warn(max);
    if (min < 0) warn(min);
  }

  /** Gives the groups of the kernel when everything is in there. */
  async #accumulate(groups: GroupIds, accumulator: Accumulator): Promise<GroupRows | undefined> {
    const kind = kernelKind(this.#plan.op);
    const isShared = this.#part !== undefined;
    const rows = kind && (!isShared || isMergeable(kind)) ? this.#child.kernelRows?.() : undefined;
    if (kind && rows) {
      if (this.#part !== undefined) this.#part.aggregate = this.#plan;
      const whole = await this.#accumulateInKernel(rows, kind, groups, accumulator);
      if (whole !== undefined) return whole;
    }
    for (let batch = await this.#child.next(); batch !== undefined; batch = await this.#child.next())
      this.#addBatch(batch, groups, accumulator);
    return undefined;
  }

  #finishInKernel(groups: GroupRows, batch: Batch): void {
    for (let group = 0; group < groups.groupCount; group++) {
      this.#context.workedOn(this.grid.count);
      const row = groups.finish(group);
      putKernelRow(batch, group, row, groups.rowCount());
    }
    if (this.#plan.op === 'group') batch.values.fill(1);
  }

  #addBatch(batch: Batch, groups: GroupIds, accumulator: Accumulator): void {
    for (let row = 0; row < batch.count; row++) {
      this.#context.workedOn(batch.steps);
      accumulator.add(this.#groupOf(batch, row, groups), batch, row);
    }
  }

  #groupOf(rows: Pick<Batch, 'labels' | 'nameDropped'>, row: number, groups: GroupIds): number {
    const group = groups.idOf(rows, row);
    if (group === this.#held) {
      this.#context.hold(this.grid.count);
      this.#held++;
    }
    return group;
  }

  /**
   * Rows go from decoding to their group without leaving the kernel, up to the first one that it cannot compute. Gives the
   * groups when there was none; else they have moved to the accumulator.
   */
  async #accumulateInKernel(
    source: KernelRowSource,
    kind: GroupKind,
    groups: GroupIds,
    accumulator: Accumulator,
  ): Promise<GroupRows | undefined> {
    const inKernel = this.#context.kernel.groups(kind, this.grid.count);
    let rows = await source.next();
    let done = 0;
    while (rows !== undefined) {
      done = await this.#addRows(rows, groups, inKernel);
      if (done < rows.count) break;
      rows = await source.next();
    }
    for (const { groups: others } of (await this.#part?.finish()) ?? [])
      if (others !== undefined && isMergeable(kind)) this.#join(others, kind, groups, inKernel);
    if (rows === undefined) return inKernel;
    for (let group = 0; group < inKernel.groupCount; group++)
      accumulator.adopt(group, stateOf(inKernel.state(group), this.grid.count));
    this.#addRest(rows, done, groups, accumulator);
    return undefined;
  }

  #join(
    others: NonNullable<PartResult['groups']>,
    kind: MergeableKind,
    groups: GroupIds,
    inKernel: GroupRows,
  ): void {
    const { count: steps } = this.grid;
    const labels = LabelColumn.from(others.labels.map((flat) => Labels.fromSorted(flat)));
    for (let i = 0; i < labels.count; i++) {
      const group = this.#groupOf({ labels, nameDropped: undefined }, i, groups);
      const states = others.states.subarray(3 * steps * i, 3 * steps * (i + 1));
      mergeGroupStates(kind, steps, inKernel.reach(group), states);
    }
  }

  /** All rows, added up in the kernel but not finished: for another thread to go on with. */
  async groupStates(): Promise<PartResult['groups']> {
    const kind = kernelKind(this.#plan.op);
    const rows = this.#child.kernelRows?.();
    assert(kind !== undefined && rows !== undefined, 'the kernel adds up these rows');
    const groups = new GroupIds(this.#plan.grouping, this.#plan.without);
    const accumulator = accumulatorFor(this.#plan, this.grid.count, this.#context, undefined);
    const inKernel = await this.#accumulateInKernel(rows, kind, groups, accumulator);
    assert(inKernel !== undefined, 'floats alone are given to other threads');
    const size = 3 * this.grid.count;
    const states = new Float64Array(size * groups.labels.length);
    for (let group = 0; group < groups.labels.length; group++)
      states.set(inKernel.state(group), size * group);
    return { labels: groups.labels.map(({ flat }) => flat), states };
  }

  /** How many rows were added before one that the kernel cannot compute. */
  async #addRows(rows: KernelRows, groups: GroupIds, into: GroupRows): Promise<number> {
    const run = rowsPerBatch(this.#context, this.grid);
    for (let first = 0; first < rows.count; first += run) {
      await this.#context.breathe();
      rows.open();
      const end = Math.min(rows.count, first + run);
      for (let row = first; row < end; row++) {
        const count = rows.evaluate(row);
        if (count === undefined) return row;
        if (count > 0) into.add(this.#groupOf(rows, row, groups));
      }
    }
    return rows.count;
  }

  #addRest(rows: KernelRows, from: number, groups: GroupIds, accumulator: Accumulator): void {
    const run = rowsPerBatch(this.#context, this.grid);
    for (let first = from; first < rows.count; first += run)
      this.#addBatch(rows.batchOf(first, Math.min(rows.count, first + run)), groups, accumulator);
  }
}

/** What the kernel adds up for an aggregation; undefined when it cannot. */
function kernelKind(op: AggregatePlan['op']): GroupKind | undefined {
  if (op === 'group') return 'count';
  return isGroupKind(op) ? op : undefined;
}

function stateOf(state: Float64Array, steps: number): GroupState {
  return {
    counts: state.subarray(0, steps),
    values: state.subarray(steps, 2 * steps),
    thirds: state.subarray(2 * steps),
  };
}

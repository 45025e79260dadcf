import { VeronaError } from '../../model/errors.ts';
import { infoText, warningText } from '../annotations.ts';
import { formatGeneral } from '../parser/go-text.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { type Batch, dropEmptyRows, newBatch, Presence, setFloat } from './batch.ts';
import { BestCells } from './best-cells.ts';
import { Candidates, type Rank } from './candidates.ts';
import { GroupTable } from './group-table.ts';
import { LabelColumn } from './label-column.ts';
import { LabelGrouping } from './label-grouping.ts';
import { labelHashRatio } from './label-hash.ts';
import { collect, collectScalar, Deferred, type Operator } from './operator.ts';
import { boundsOf } from './parameter-bounds.ts';
import type { QueryContext } from './query-context.ts';
import { SplitRows } from './split-rows.ts';
import type { TeamPart } from './team-part.ts';

/** `topk`, `bottomk`, `limitk`, `limit_ratio`: aggregations that keep some of the rows as they are. */
export function ranking(
  context: QueryContext,
  plan: AggregatePlan,
  child: Operator,
  param: Operator,
  part?: TeamPart,
): Operator {
  return new Deferred(child.grid, async () => {
    const params = await collectScalar(param);
    const nothing = () => newBatch(LabelColumn.from([]), child.grid.count);
    if (plan.op === 'topk' || plan.op === 'bottomk') {
      const k = Int32Array.from(params, countOf);
      const best = new Ranking(context, plan, k);
      await best.addAll(candidatesOf(context, { ...plan, k }, child, part));
      return checkParams(context, plan, params) ? best.finish() : nothing();
    }
    const rows = await collect(child, context);
    if (!checkParams(context, plan, params)) return nothing();
    const kept = new Uint8Array(rows.presence.length);
    if (plan.op === 'limit_ratio') takeRatio(rows, params, kept);
    else takeFirst(context, plan, rows, params, kept);
    for (let cell = 0; cell < kept.length; cell++) if (kept[cell] === 0) rows.presence[cell] = Presence.none;
    return dropEmptyRows(rows);
  });
}

/** The rows that may be among the best, of other threads too. */
function candidatesOf(
  context: QueryContext,
  { op, grouping, without, k }: Rank,
  child: Operator,
  part: TeamPart | undefined,
): Operator {
  const rank = { op, grouping, without, k };
  if (part === undefined || !(child instanceof SplitRows)) return Candidates.of(context, rank, child);
  part.rank = rank;
  return child.withOwn((own) => Candidates.of(context, rank, own));
}

/** Takes rows as they come and keeps the best cells of each group and step, never the rows. */
class Ranking {
  readonly #context: QueryContext;
  readonly #plan: AggregatePlan;
  readonly #k: Int32Array;
  readonly #groups: GroupTable;
  readonly #best: BestCells[] = [];
  readonly #labels: LabelColumn[] = [];
  readonly #nameDropped: (Uint8Array | undefined)[] = [];
  #count = 0;
  #held = 0;

  constructor(context: QueryContext, plan: AggregatePlan, k: Int32Array) {
    this.#context = context;
    this.#plan = plan;
    this.#k = k;
    this.#groups = new GroupTable(new LabelGrouping(plan.grouping, plan.without));
  }

  async addAll(child: Operator): Promise<void> {
    for (let batch = await child.next(); batch !== undefined; batch = await child.next()) {
      this.#add(batch);
    }
  }

  finish(): Batch {
    return this.#k.length === 1 ? this.#inOrder() : this.#byRow();
  }

  #add(batch: Batch): void {
    const { labels, steps, values, presence } = batch;
    if (
      batch.histograms !== undefined &&
      presence.some((kind, i) => kind === Presence.histogram && this.#k[i % steps] > 0)
    )
      this.#context.info(infoText.histogramIgnoredInAggregation(this.#plan.op), this.#plan.span);
    for (let row = 0; row < batch.count; row++) {
      this.#context.workedOn(steps);
      const group = this.#groups.idOf(labels, row);
      const best = (this.#best[group] ??= new BestCells(this.#k, this.#plan.op === 'topk'));
      const before = best.size;
      best.offer(this.#count + row, values, presence, row * steps);
      this.#hold(best.size - before);
    }
    this.#labels.push(labels);
    this.#nameDropped.push(batch.nameDropped);
    this.#count += batch.count;
  }

  #hold(cells: number): void {
    if (cells === 0) return;
    this.#context.hold(cells);
    this.#held += cells;
  }

  /** An instant query's answer: group by group, the best first. */
  #inOrder(): Batch {
    const order: number[] = [];
    const values: number[] = [];
    for (const best of this.#best)
      for (const { row, value } of best.bestFirst(0)) {
        this.#context.workedOn(0);
        order.push(row);
        values.push(value);
      }
    const batch = this.#batchOf(order);
    batch.values.set(values);
    batch.presence.fill(Presence.float);
    return batch;
  }

  /** The rows of which a cell stays, in the order in which they came. */
  #byRow(): Batch {
    const steps = this.#k.length;
    const isKept = new Uint8Array(this.#count);
    for (const best of this.#best)
      best.visit((row) => {
        isKept[row] = 1;
      });
    const order: number[] = [];
    const placeOf = new Int32Array(this.#count);
    for (let row = 0; row < this.#count; row++) if (isKept[row] === 1) placeOf[row] = order.push(row) - 1;
    const batch = this.#batchOf(order);
    for (const best of this.#best) {
      this.#context.workedOn(steps);
      best.visit((row, step, value) => setFloat(batch, placeOf[row] * steps + step, value));
    }
    return batch;
  }

  #batchOf(rows: readonly number[]): Batch {
    this.#context.release(this.#held);
    const dropped = this.#nameDropped.some((column) => column !== undefined)
      ? this.#labels.flatMap(({ count }, i) => Array.from(this.#nameDropped[i] ?? new Uint8Array(count)))
      : undefined;
    return newBatch(LabelColumn.concat(this.#labels).pick(rows), this.#k.length, {
      nameDropped: dropped && Uint8Array.from(rows, (row) => dropped[row]),
    });
  }
}

/** How many rows of a group are wanted; a parameter that cannot be counts as none until it is checked. */
function countOf(param: number): number {
  return Math.trunc(Math.max(0, Math.min(param || 0, 2 ** 31 - 1)));
}

/** `limitk`: the first k of each group. */
function takeFirst(
  context: QueryContext,
  plan: AggregatePlan,
  rows: Batch,
  params: Float64Array,
  kept: Uint8Array,
): void {
  const wanted = Int32Array.from(params, countOf);
  const groups = new GroupTable(new LabelGrouping(plan.grouping, plan.without));
  const taken: Int32Array[] = [];
  const { steps, presence } = rows;
  for (let row = 0; row < rows.count; row++) {
    context.workedOn(steps);
    const counts = (taken[groups.idOf(rows.labels, row)] ??= new Int32Array(steps));
    for (let i = 0; i < steps; i++) {
      const cell = row * steps + i;
      if (presence[cell] === Presence.none || counts[i] >= wanted[i]) continue;
      counts[i]++;
      kept[cell] = 1;
    }
  }
}

/** What is wrong or to be said about the parameters of all steps together. False: there is nothing to be had. */
function checkParams(context: QueryContext, plan: AggregatePlan, params: Float64Array): boolean {
  const { min, max, hasNaN } = boundsOf(params);
  if (plan.op === 'limit_ratio') {
    if (min === 0 && max === 0) return false;
    if (hasNaN) throw new VeronaError('execution', 'Ratio value is NaN');
    if (max > 1) context.warn(warningText.invalidRatio(max, 1), plan.param!.span);
    if (min < -1) context.warn(warningText.invalidRatio(min, -1), plan.param!.span);
    return true;
  }
  if (max < 1) return false;
  if (hasNaN) throw new VeronaError('execution', 'Parameter value is NaN');
  if (min <= -(2 ** 63))
    throw new VeronaError('execution', `Scalar value ${formatGeneral(min)} underflows int64`);
  if (max >= 2 ** 63)
    throw new VeronaError('execution', `Scalar value ${formatGeneral(max)} overflows int64`);
  return true;
}

/** Rows whose hash lies in the wanted part of all hashes: the same rows at every step, and r and r-1 complement each other. */
function takeRatio(rows: Batch, params: Float64Array, kept: Uint8Array): void {
  const ratios = Array.from(params, (param) => Math.max(-1, Math.min(1, param)));
  for (let row = 0; row < rows.count; row++) {
    const hash = labelHashRatio(rows.labels.at(row));
    for (let step = 0; step < rows.steps; step++) {
      const ratio = ratios[step];
      const cell = row * rows.steps + step;
      if (rows.presence[cell] !== Presence.none && (ratio >= 0 ? hash < ratio : hash >= 1 + ratio))
        kept[cell] = 1;
    }
  }
}

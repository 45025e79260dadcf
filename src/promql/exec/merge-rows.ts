import { VeronaError } from '../../model/errors.ts';
import { type Batch, newBatch, Presence, setFloat, setHistogram } from './batch.ts';
import type { Grid } from './grid.ts';
import { GroupTable } from './group-table.ts';
import { LabelColumn } from './label-column.ts';
import { collect, type KernelRowSource, type KernelRows, type Operator } from './operator.ts';
import type { QueryContext } from './query-context.ts';

/**
 * Rows with equal label sets become one. Two samples at one step are an error, as in Prometheus; with `strict`,
 * equal label sets are an error even when their samples never meet.
 */
export function mergeRows(batch: Batch, context: QueryContext, strict = false): Batch {
  if (batch.count <= 1) return batch;
  const rows = GroupTable.ofWholeRows();
  const target = new Int32Array(batch.count);
  const firsts: number[] = [];
  for (let row = 0; row < batch.count; row++) {
    context.workedOn(0);
    target[row] = rows.idOf(batch.labels, row);
    if (target[row] === firsts.length) firsts.push(row);
    else if (strict) throw sameLabelset();
  }
  if (firsts.length === batch.count) return batch;
  const merged = newBatch(batch.labels.pick(firsts), batch.steps, {
    nameDropped: batch.nameDropped && Uint8Array.from(firsts, (row) => batch.nameDropped![row]),
  });
  for (let row = 0; row < batch.count; row++) {
    context.workedOn(batch.steps);
    addRow(batch, row, merged, target[row]);
  }
  return merged;
}

function addRow(from: Batch, row: number, to: Batch, toRow: number): void {
  for (let i = 0; i < from.steps; i++) {
    const cell = row * from.steps + i;
    const toCell = toRow * from.steps + i;
    if (from.presence[cell] === Presence.none) continue;
    if (to.presence[toCell] !== Presence.none) throw sameLabelset();
    if (from.presence[cell] === Presence.float) setFloat(to, toCell, from.values[cell]);
    else setHistogram(to, toCell, from.histograms![cell]!);
  }
}

function sameLabelset(): VeronaError {
  return new VeronaError('execution', 'vector cannot contain metrics with the same labelset');
}

/** How the metadata labels go: at once, or marked to go at the end of the query. */
export interface DropOptions {
  /** The rows are known to stay distinct, so they stream through. */
  readonly distinct: boolean;
  /** Rows that become equal are an error even when their samples never meet. */
  readonly strict: boolean;
}

/** Takes the metadata labels off every row. */
export class DropNames implements Operator {
  readonly grid: Grid;
  readonly #context: QueryContext;
  readonly #child: Operator;
  readonly #options: DropOptions;
  #done = false;

  constructor(context: QueryContext, child: Operator, options: DropOptions) {
    this.grid = child.grid;
    this.#context = context;
    this.#child = child;
    this.#options = options;
  }

  async next(): Promise<Batch | undefined> {
    if (this.#context.delayedNameRemoval) return markDropped(await this.#child.next());
    if (this.#options.distinct) return hideMetadata(await this.#child.next());
    if (this.#done) return undefined;
    this.#done = true;
    const all = await collect(this.#child, this.#context);
    return all.count === 0 ? undefined : mergeRows(hideMetadata(all)!, this.#context, this.#options.strict);
  }

  /** Only where the names go at once and rows stream through. */
  kernelRows(): KernelRowSource | undefined {
    if (this.#context.delayedNameRemoval || !this.#options.distinct) return undefined;
    const source = this.#child.kernelRows?.();
    return source && { next: async () => hideNames(await source.next()) };
  }
}

function hideNames(rows: KernelRows | undefined): KernelRows | undefined {
  return (
    rows && {
      ...rows,
      labels: rows.labels.withoutMetadata(),
      batchOf: (first, end) => hideMetadata(rows.batchOf(first, end))!,
    }
  );
}

function hideMetadata(batch: Batch | undefined): Batch | undefined {
  return batch && { ...batch, labels: batch.labels.withoutMetadata() };
}

function markDropped(batch: Batch | undefined): Batch | undefined {
  return batch && { ...batch, nameDropped: new Uint8Array(batch.count).fill(1) };
}

/** Takes off the metadata labels that were marked, at the end of a query. */
export function dropMarkedNames(batch: Batch, context: QueryContext): Batch {
  const { nameDropped } = batch;
  if (nameDropped === undefined || !nameDropped.includes(1)) return batch;
  const hidden = batch.labels.withoutMetadata();
  const labels = LabelColumn.from(
    Array.from(nameDropped, (dropped, row) => {
      context.workedOn(0);
      return dropped ? hidden.at(row) : batch.labels.at(row);
    }),
  );
  return mergeRows({ ...batch, labels, nameDropped: undefined }, context);
}

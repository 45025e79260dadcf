import type { Batch } from './batch.ts';
import { LabelColumn } from './label-column.ts';
import type { KernelRowSource, Operator } from './operator.ts';
import type { PlainRows } from './series-team.ts';
import type { TeamPart } from './team-part.ts';

/** The rows of a part that several threads share, in the order in which one thread would make them. */
export class SplitRows implements Operator {
  readonly #own: Operator;
  readonly #part: TeamPart;
  /** The batch of the selector whose rows are given now. */
  #number = 0;
  #ready: Batch[] = [];
  /** Rows made here of a later batch than that. */
  #early: { readonly batch: Batch; readonly number: number } | undefined;
  #isOwnDone = false;

  constructor(own: Operator, part: TeamPart) {
    this.#own = own;
    this.#part = part;
  }

  /** The same with what `change` makes of the rows of this thread; batches that stay out are passed over. Before the first row. */
  withOwn(change: (own: Operator) => Operator): SplitRows {
    return new SplitRows(change(this.#own), this.#part);
  }

  get grid() {
    return this.#own.grid;
  }

  /** For an aggregation in the kernel, which gets what members have added up from the part itself. */
  kernelRows(): KernelRowSource | undefined {
    return this.#own.kernelRows?.();
  }

  async next(): Promise<Batch | undefined> {
    for (;;) {
      const ready = this.#ready.shift();
      if (ready !== undefined) return ready;
      if (await this.#takeOthers()) continue;
      if (this.#early !== undefined && this.#early.number === this.#number) {
        const { batch } = this.#early;
        this.#early = undefined;
        return batch;
      }
      if (this.#early === undefined && !this.#isOwnDone) await this.#pullOwn();
      else if (this.#number >= this.#part.batchCount) return this.#end();
      else this.#number++;
    }
  }

  /** Whether the batch in turn is another thread's; its rows are ready then. */
  async #takeOthers(): Promise<boolean> {
    const rows = this.#part.rowsOf(this.#number);
    if (rows === undefined) return false;
    this.#ready = (await rows).map((plain) => toBatch(plain, this.grid.count));
    this.#number++;
    return true;
  }

  async #pullOwn(): Promise<void> {
    const batch = await this.#own.next();
    if (batch === undefined) this.#isOwnDone = true;
    else this.#early = { batch, number: this.#part.batchCount - 1 };
  }

  async #end(): Promise<undefined> {
    await this.#part.finish();
    return undefined;
  }
}

function toBatch(rows: PlainRows, steps: number): Batch {
  const { labelBytes, labelStarts, labelEnds, metadataHidden, values, presence } = rows;
  const labels = LabelColumn.fromRanges(labelBytes, labelStarts, labelEnds, metadataHidden);
  return {
    labels,
    count: labels.count,
    steps,
    values,
    presence,
    histograms: undefined,
    nameDropped: undefined,
  };
}

/** A batch of floats as columns of its own memory. */
export function toPlainRows({ labels, values, presence }: Batch): PlainRows {
  return { ...labels.toRanges(), values, presence };
}

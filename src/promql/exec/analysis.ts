import { countBatch, newTally } from '../../storage/named-querier.ts';
import type { ReadTally, SourceTally } from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';
import { type LookedAtLabels, lookedAtLabels } from '../plan/looked-at-labels.ts';
import { type PlanNode, planChildren, type SelectorSource } from '../plan/node.ts';
import { describeNode } from '../plan/print-plan.ts';
import { type Batch, countSamples } from './batch.ts';
import type { KernelRowSource, KernelRows, Operator } from './operator.ts';

/** What one operator of a query did. */
export interface OperatorFigures {
  /** Between being asked for rows and giving them, its children included; and without them. */
  readonly timeMs: number;
  readonly selfTimeMs: number;
  readonly batches: number;
  /** Rows given, and cells of them that hold something. */
  readonly rows: number;
  readonly samples: number;
  /** Most that it held for itself at one time, and the largest batch that it gave, together. */
  readonly peakSamples: number;
  readonly peakBytes: number;
}

/** What a selector read, all sources together and each alone. */
export interface ReadFigures extends Readonly<SourceTally> {
  /** Samples decoded within the bounds of the selector. */
  readonly samplesRead: number;
  readonly sources: readonly ({ readonly name: string } & Readonly<SourceTally>)[];
}

/** What another thread took over of a part that is split by series, and worked on out of sight of the operators. */
export interface HelperFigures {
  readonly batches: number;
  readonly series: number;
  /** Samples decoded. */
  readonly samplesRead: number;
}

/** The plan that was run, with what each part of it did. Ranges and subqueries have no operator of their own. */
export interface AnalysisNode {
  readonly name: string;
  readonly operator: OperatorFigures | undefined;
  readonly reads: ReadFigures | undefined;
  /** Of a part that is split by series. */
  readonly helpers: readonly HelperFigures[] | undefined;
  readonly children: readonly AnalysisNode[];
}

const CELL_BYTES = 9;
const HELD_SAMPLE_BYTES = 16;

/** Watches the operators of one query. A query that is not analysed has none, and pays nothing. */
export class Analysis {
  readonly now: () => number;
  readonly #operators = new Map<PlanNode, OperatorRecord>();
  readonly #reads = new Map<SelectorSource, ReadRecord>();
  readonly #helpers = new Map<PlanNode, readonly HelperFigures[]>();
  #current: OperatorRecord | undefined;

  /** `now` in ms. */
  constructor(now: () => number) {
    this.now = now;
  }

  /** The same operator, watched. */
  watch(node: PlanNode, operator: Operator): Operator {
    let record = this.#operators.get(node);
    if (record === undefined) this.#operators.set(node, (record = new OperatorRecord()));
    return new WatchedOperator(operator, record, this);
  }

  readsOf(source: SelectorSource): ReadRecord {
    let record = this.#reads.get(source);
    if (record === undefined) this.#reads.set(source, (record = new ReadRecord(this.now)));
    return record;
  }

  /** What other threads did of the part below a `split`. */
  helped(rows: PlanNode, helpers: readonly HelperFigures[]): void {
    this.#helpers.set(rows, [...(this.#helpers.get(rows) ?? []), ...helpers]);
  }

  /** Samples are held by the operator at work. */
  hold(samples: number): void {
    const record = this.#current;
    if (record === undefined) return;
    record.held += samples;
    record.peakHeld = Math.max(record.peakHeld, record.held);
  }

  /** Until `leave` is called with what this gives, `record` is the one at work. */
  enter(record: OperatorRecord): { parent: OperatorRecord | undefined; start: number } {
    const parent = this.#current;
    this.#current = record;
    return { parent, start: this.now() };
  }

  leave(record: OperatorRecord, { parent, start }: ReturnType<Analysis['enter']>): void {
    const took = this.now() - start;
    record.timeMs += took;
    if (parent !== undefined) parent.childrenMs += took;
    this.#current = parent;
  }

  tree(plan: PlanNode): AnalysisNode {
    return this.#tree(plan, lookedAtLabels(plan));
  }

  #tree(node: PlanNode, labels: LookedAtLabels): AnalysisNode {
    const source = node.kind === 'select' || node.kind === 'windows' ? node.source : undefined;
    return {
      name: describeNode(node, labels),
      helpers: node.kind === 'split' ? this.#helpers.get(node.child) : undefined,
      operator: this.#operators.get(node)?.figures(),
      reads: source && this.#reads.get(source)?.figures(),
      children: planChildren(node).map((child) => this.#tree(child, labels)),
    };
  }
}

class OperatorRecord {
  timeMs = 0;
  childrenMs = 0;
  batches = 0;
  rows = 0;
  samples = 0;
  held = 0;
  peakHeld = 0;
  batchBytes = 0;
  batchSamples = 0;

  gave(batch: Batch): void {
    const samples = countSamples(batch);
    this.batches++;
    this.rows += batch.count;
    this.samples += samples;
    this.batchSamples = Math.max(this.batchSamples, samples);
    this.batchBytes = Math.max(this.batchBytes, batch.count * batch.steps * CELL_BYTES);
  }

  figures(): OperatorFigures {
    const { timeMs, batches, rows, samples } = this;
    const selfTimeMs = Math.max(0, timeMs - this.childrenMs);
    const peakBytes = this.peakHeld * HELD_SAMPLE_BYTES + this.batchBytes;
    const peakSamples = this.peakHeld + this.batchSamples;
    return { timeMs, selfTimeMs, batches, rows, samples, peakSamples, peakBytes };
  }
}

/** What one selector reads; storage counts into it as well. */
export class ReadRecord implements ReadTally {
  readonly now: () => number;
  readonly #sources = new Map<string, SourceTally>();
  readonly #whole = newTally();
  samplesRead = 0;

  constructor(now: () => number) {
    this.now = now;
  }

  source(name: string): SourceTally {
    let tally = this.#sources.get(name);
    if (tally === undefined) this.#sources.set(name, (tally = newTally()));
    return tally;
  }

  /** Counts the answer to a request for a batch that was made at `start`. */
  received(start: number, batch: SeriesBatch | undefined): void {
    this.#whole.timeMs += this.now() - start;
    if (batch !== undefined) countBatch(this.#whole, batch);
  }

  figures(): ReadFigures {
    const sources = [...this.#sources].map(([name, tally]) => ({ name, ...tally }));
    return { ...this.#whole, samplesRead: this.samplesRead, sources };
  }
}

class WatchedOperator implements Operator {
  readonly #operator: Operator;
  readonly #record: OperatorRecord;
  readonly #analysis: Analysis;

  constructor(operator: Operator, record: OperatorRecord, analysis: Analysis) {
    this.#operator = operator;
    this.#record = record;
    this.#analysis = analysis;
  }

  get grid() {
    return this.#operator.grid;
  }

  async next(): Promise<Batch | undefined> {
    const entered = this.#analysis.enter(this.#record);
    try {
      const batch = await this.#operator.next();
      if (batch !== undefined) this.#record.gave(batch);
      return batch;
    } finally {
      this.#analysis.leave(this.#record, entered);
    }
  }

  kernelRows(): KernelRowSource | undefined {
    const source = this.#operator.kernelRows?.();
    return source && { next: () => this.#nextRows(source) };
  }

  async #nextRows(source: KernelRowSource): Promise<KernelRows | undefined> {
    const entered = this.#analysis.enter(this.#record);
    try {
      const rows = await source.next();
      return rows && this.#watchRows(rows);
    } finally {
      this.#analysis.leave(this.#record, entered);
    }
  }

  #watchRows(rows: KernelRows): KernelRows {
    const record = this.#record;
    const timed = <T>(run: () => T): T => {
      const entered = this.#analysis.enter(record);
      try {
        return run();
      } finally {
        this.#analysis.leave(record, entered);
      }
    };
    record.batches++;
    return {
      count: rows.count,
      labels: rows.labels,
      nameDropped: rows.nameDropped,
      open: () => timed(() => rows.open()),
      evaluate: (row) => {
        const samples = timed(() => rows.evaluate(row));
        if (samples) {
          record.rows++;
          record.samples += samples;
        }
        return samples;
      },
      batchOf: (first, end) => {
        const batch = timed(() => rows.batchOf(first, end));
        record.rows += batch.count;
        record.samples += countSamples(batch);
        return batch;
      },
    };
  }
}

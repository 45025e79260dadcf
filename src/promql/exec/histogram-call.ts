import type { FloatHistogram } from '../../model/histogram.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { warningText } from '../annotations.ts';
import { type ClassicBuckets, coalesce } from '../functions/classic-histogram.ts';
import { parseFloatText } from '../functions/parse-float.ts';
import type { Span } from '../parser/ast.ts';
import { type Batch, Presence } from './batch.ts';
import { GroupTable } from './group-table.ts';
import { LabelGrouping } from './label-grouping.ts';
import type { QueryContext } from './query-context.ts';

const BUCKET_LABEL = 'le';
const BUCKET_LABELS: ReadonlySet<string> = new Set([BUCKET_LABEL]);

/** What a function makes of one classic or native histogram at one step. */
export interface HistogramFunction {
  /** The buckets are coalesced, not yet monotonic. */
  classic(buckets: ClassicBuckets, step: number, metricName: string): number;
  native(histogram: FloatHistogram, step: number, metricName: string): number;
}

/** Called once per histogram with a result; takes its results. */
export type OpenRow = (labels: Labels) => (step: number, value: number) => void;

/** The rows of a classic histogram: one per bucket, bounds ascending. */
interface ClassicRows {
  /** Any row of it, for the labels. */
  readonly row: number;
  readonly rows: number[];
  readonly bounds: number[];
  /** Whether no two bounds are the same. */
  distinct: boolean;
}

/** What a native histogram costs, in cells. */
const HISTOGRAM_WORK = 16;

/** The histograms in a batch, classic ones gathered from their `le` rows. */
export class HistogramRows {
  readonly #context: QueryContext;
  readonly #batch: Batch;
  readonly #span: Span;
  readonly #classic: ClassicRows[] = [];
  /** Numbers `#classic`. */
  readonly #groups = new GroupTable(LabelGrouping.allBut([BUCKET_LABEL]));
  /** Filled anew for every step. */
  readonly #counts: number[] = [];

  /** `span` is the vector argument, for remarks. */
  constructor(context: QueryContext, batch: Batch, span: Span) {
    this.#context = context;
    this.#batch = batch;
    this.#span = span;
    this.#gather();
  }

  /** How many classic histograms there are. */
  get classicCount(): number {
    return this.#classic.length;
  }

  /** Gives the result of every histogram at every step where it is there. The labels are its own, the metric name included, without `le`. */
  evaluate(compute: HistogramFunction, open: OpenRow): void {
    const mixed = this.#evaluateNative(compute, open);
    for (const classic of this.#classic) {
      this.#context.workedOn(classic.rows.length * this.#batch.steps);
      this.#evaluateClassic(classic, compute, open, mixed.get(classic));
    }
  }

  #gather(): void {
    const { labels, count } = this.#batch;
    const boundOf = new Map<string, number | undefined>();
    for (let row = 0; row < count; row++) {
      this.#context.workedOn(this.#batch.steps);
      if (!this.#hasFloats(row)) continue;
      const text = labels.at(row).get(BUCKET_LABEL);
      if (!boundOf.has(text)) boundOf.set(text, parseFloatText(text));
      const bound = boundOf.get(text);
      if (bound === undefined) {
        this.#context.warn(warningText.badBucketLabel(this.#nameOf(labels.at(row)), text), this.#span);
        continue;
      }
      const group = this.#groups.idOf(labels, row);
      if (group === this.#classic.length) this.#classic.push({ row, rows: [], bounds: [], distinct: true });
      insert(this.#classic[group], bound, row);
    }
  }

  /** Remarks come without a name unless names are dropped at the end of the query only. */
  #nameOf(labels: Labels): string {
    return this.#context.delayedNameRemoval ? labels.get(METRIC_NAME) : '';
  }

  #hasFloats(row: number): boolean {
    const { presence, steps } = this.#batch;
    for (let cell = row * steps; cell < (row + 1) * steps; cell++)
      if (presence[cell] === Presence.float) return true;
    return false;
  }

  /** Evaluates native histograms; returns at which steps a classic one of the same labels is in the way. */
  #evaluateNative(compute: HistogramFunction, open: OpenRow): Map<ClassicRows, Uint8Array> {
    const { labels, count, steps, presence, histograms } = this.#batch;
    const mixed = new Map<ClassicRows, Uint8Array>();
    if (histograms === undefined) return mixed;
    const classicOf = this.#classicByLabels();
    for (let row = 0; row < count; row++) {
      this.#context.workedOn(steps * HISTOGRAM_WORK);
      const name = this.#nameOf(labels.at(row));
      const classic = classicOf(row);
      let put: ReturnType<OpenRow> | undefined;
      for (let step = 0; step < steps; step++) {
        const cell = row * steps + step;
        if (presence[cell] !== Presence.histogram) continue;
        if (classic !== undefined && this.#bucketsAt(classic, step) !== undefined) {
          const inTheWay = mixed.get(classic) ?? new Uint8Array(steps);
          inTheWay[step] = 1;
          mixed.set(classic, inTheWay);
          this.#context.warn(warningText.mixedClassicNative(name), this.#span);
          continue;
        }
        put ??= open(labels.at(row));
        put(step, compute.native(histograms[cell]!, step, name));
      }
    }
    return mixed;
  }

  /** Finds the classic histogram whose labels, but for `le`, are all those of a row. */
  #classicByLabels(): (row: number) => ClassicRows | undefined {
    const { labels } = this.#batch;
    return (row) => {
      if (labels.at(row).has(BUCKET_LABEL)) return undefined;
      const group = this.#groups.find(labels, row);
      return group === -1 ? undefined : this.#classic[group];
    };
  }

  #evaluateClassic(
    classic: ClassicRows,
    compute: HistogramFunction,
    open: OpenRow,
    mixed: Uint8Array | undefined,
  ): void {
    const whole = this.#batch.labels.at(classic.row);
    const name = this.#nameOf(whole);
    let put: ReturnType<OpenRow> | undefined;
    for (let step = 0; step < this.#batch.steps; step++) {
      if (mixed?.[step] === 1) continue;
      const buckets = this.#bucketsAt(classic, step);
      if (buckets === undefined) continue;
      put ??= open(whole.drop(BUCKET_LABELS));
      put(step, compute.classic(buckets, step, name));
    }
  }

  #bucketsAt({ rows, bounds, distinct }: ClassicRows, step: number): ClassicBuckets | undefined {
    const { presence, values, steps } = this.#batch;
    const counts = this.#counts;
    let present = 0;
    for (let i = 0; i < rows.length; i++) {
      const cell = rows[i] * steps + step;
      if (presence[cell] !== Presence.float) continue;
      counts[i] = values[cell];
      present++;
    }
    if (present === 0) return undefined;
    counts.length = rows.length;
    if (present === rows.length && distinct) return { bounds, counts };
    const there = rows.map((_, i) => i).filter((i) => presence[rows[i] * steps + step] === Presence.float);
    return coalesce(
      there.map((i) => bounds[i]),
      there.map((i) => counts[i]),
    );
  }
}

function insert(classic: ClassicRows, bound: number, row: number): void {
  let at = classic.bounds.length;
  while (at > 0 && classic.bounds[at - 1] > bound) at--;
  if (at > 0 && classic.bounds[at - 1] === bound) classic.distinct = false;
  classic.bounds.splice(at, 0, bound);
  classic.rows.splice(at, 0, row);
}

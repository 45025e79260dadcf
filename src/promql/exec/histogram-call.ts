import type { FloatHistogram } from '../../model/histogram.ts';
import { type Labels, METRIC_NAME } from '../../model/labels.ts';
import { warningText } from '../annotations.ts';
import { type ClassicBuckets, coalesce } from '../functions/classic-histogram.ts';
import { parseFloatText } from '../functions/parse-float.ts';
import type { Span } from '../parser/ast.ts';
import { type Batch, Presence } from './batch.ts';
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

type Emit = (labels: Labels, step: number, value: number) => void;

/** The rows of a classic histogram: one per bucket, bounds ascending. */
interface ClassicRows {
  /** Any row of it, for the labels. */
  readonly row: number;
  readonly rows: number[];
  readonly bounds: number[];
}

/** The histograms in a batch, classic ones gathered from their `le` rows. */
export class HistogramRows {
  readonly #context: QueryContext;
  readonly #batch: Batch;
  readonly #span: Span;
  readonly #classic = new Map<string, ClassicRows>();
  readonly #withoutBucket = LabelGrouping.allBut([BUCKET_LABEL]);
  readonly #everything = LabelGrouping.everything();

  /** `span` is the vector argument, for remarks. */
  constructor(context: QueryContext, batch: Batch, span: Span) {
    this.#context = context;
    this.#batch = batch;
    this.#span = span;
    this.#gather();
  }

  /** Calls `emit` with the result of every histogram at every step where it is there. The labels are its own, the metric name included, without `le`. */
  evaluate(compute: HistogramFunction, emit: Emit): void {
    const mixed = this.#evaluateNative(compute, emit);
    for (const classic of this.#classic.values())
      this.#evaluateClassic(classic, compute, emit, mixed.get(classic));
  }

  #gather(): void {
    const { labels, count } = this.#batch;
    for (let row = 0; row < count; row++) {
      if (!this.#hasFloats(row)) continue;
      const set = labels.at(row);
      const bound = parseFloatText(set.get(BUCKET_LABEL));
      if (bound === undefined) {
        this.#context.warn(
          warningText.badBucketLabel(set.get(METRIC_NAME), set.get(BUCKET_LABEL)),
          this.#span,
        );
        continue;
      }
      const key = this.#withoutBucket.keyOf(labels, row);
      let classic = this.#classic.get(key);
      if (classic === undefined) this.#classic.set(key, (classic = { row, rows: [], bounds: [] }));
      insert(classic, bound, row);
    }
  }

  #hasFloats(row: number): boolean {
    const { presence, steps } = this.#batch;
    for (let cell = row * steps; cell < (row + 1) * steps; cell++)
      if (presence[cell] === Presence.float) return true;
    return false;
  }

  /** Evaluates native histograms; returns at which steps a classic one of the same labels is in the way. */
  #evaluateNative(compute: HistogramFunction, emit: Emit): Map<ClassicRows, Uint8Array> {
    const { labels, count, steps, presence, histograms } = this.#batch;
    const mixed = new Map<ClassicRows, Uint8Array>();
    if (histograms === undefined) return mixed;
    for (let row = 0; row < count; row++) {
      const classic = this.#classic.get(this.#everything.keyOf(labels, row));
      for (let step = 0; step < steps; step++) {
        const cell = row * steps + step;
        if (presence[cell] !== Presence.histogram) continue;
        const name = labels.at(row).get(METRIC_NAME);
        if (classic !== undefined && this.#bucketsAt(classic, step) !== undefined) {
          const steps0 = mixed.get(classic) ?? new Uint8Array(steps);
          steps0[step] = 1;
          mixed.set(classic, steps0);
          this.#context.warn(warningText.mixedClassicNative(name), this.#span);
        } else emit(labels.at(row), step, compute.native(histograms[cell]!, step, name));
      }
    }
    return mixed;
  }

  #evaluateClassic(
    classic: ClassicRows,
    compute: HistogramFunction,
    emit: Emit,
    mixed: Uint8Array | undefined,
  ): void {
    const whole = this.#batch.labels.at(classic.row);
    const name = whole.get(METRIC_NAME);
    const labels = whole.drop(BUCKET_LABELS);
    for (let step = 0; step < this.#batch.steps; step++) {
      if (mixed?.[step] === 1) continue;
      const buckets = this.#bucketsAt(classic, step);
      if (buckets !== undefined) emit(labels, step, compute.classic(buckets, step, name));
    }
  }

  #bucketsAt({ rows, bounds }: ClassicRows, step: number): ClassicBuckets | undefined {
    const { presence, values, steps } = this.#batch;
    const present: number[] = [];
    const counts: number[] = [];
    for (let i = 0; i < rows.length; i++) {
      const cell = rows[i] * steps + step;
      if (presence[cell] !== Presence.float) continue;
      present.push(bounds[i]);
      counts.push(values[cell]);
    }
    return present.length === 0 ? undefined : coalesce(present, counts);
  }
}

function insert(classic: ClassicRows, bound: number, row: number): void {
  let at = classic.bounds.length;
  while (at > 0 && classic.bounds[at - 1] > bound) at--;
  classic.bounds.splice(at, 0, bound);
  classic.rows.splice(at, 0, row);
}

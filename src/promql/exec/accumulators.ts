import { METRIC_NAME } from '../../model/labels.ts';
import { assert } from '../../platform/assert.ts';
import { infoText, warningText } from '../annotations.ts';
import { HistogramTotals } from '../functions/histogram-totals.ts';
import { KahanSum } from '../functions/kahan.ts';
import { quantileOf } from '../functions/quantile.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { type Batch, Presence, setFloat, setHistogram } from './batch.ts';
import type { QueryContext } from './query-context.ts';

/** The state of an aggregation: for every group one value in the making per step. */
export interface Accumulator {
  /** Takes a row into a group; groups appear in the order of their numbers. */
  add(group: number, batch: Batch, row: number): void;
  /** Goes on from what the kernel has added up for a group, to which nothing was added here. */
  adopt(group: number, state: GroupState): void;
  /** Writes a row per group. */
  finish(into: Batch): void;
}

/** What `GroupRows` has of a group, a float64 per step in each column; see there. */
export interface GroupState {
  /** Floats added; 0 where there are none, negative where an average is carried along. */
  readonly counts: Float64Array;
  readonly values: Float64Array;
  /** Compensations of sums and averages, means of variances. */
  readonly thirds: Float64Array;
}

/** `params` are the values of the parameter (φ of `quantile`), one per step. */
export function accumulatorFor(
  plan: AggregatePlan,
  steps: number,
  context: QueryContext,
  params: Float64Array | undefined,
): Accumulator {
  switch (plan.op) {
    case 'sum':
      return new SumAccumulator(plan, steps, context);
    case 'avg':
      return new AverageAccumulator(plan, steps, context);
    case 'min':
    case 'max':
      return new ExtremeAccumulator(plan, steps, context);
    case 'count':
    case 'group':
      return new CountAccumulator(plan.op, steps);
    case 'stddev':
    case 'stdvar':
      return new VarianceAccumulator(plan, steps, context);
    default:
      return new QuantileAccumulator(plan, steps, context, params!);
  }
}

/** A float64 per group and step that grows with the groups. */
class Column {
  values = new Float64Array(0);
  readonly #steps: number;
  #rows = 0;

  constructor(steps: number) {
    this.#steps = steps;
  }

  /** Makes room for a group; new cells are 0. */
  reserve(group: number): void {
    if (group < this.#rows) return;
    this.#rows = Math.max(2 * this.#rows, group + 1, 8);
    const larger = new Float64Array(this.#rows * this.#steps);
    larger.set(this.values);
    this.values = larger;
  }

  /** Sets all cells of a group. */
  put(group: number, cells: Float64Array): void {
    this.reserve(group);
    this.values.set(cells, group * this.#steps);
  }

  /** Sets `HAS_FLOAT` in the cells of a group that something was added to. */
  mark(group: number, counts: Float64Array): void {
    this.reserve(group);
    const from = group * this.#steps;
    for (let i = 0; i < this.#steps; i++) this.values[from + i] = counts[i] === 0 ? 0 : HAS_FLOAT;
  }
}

const HAS_FLOAT = 1;
const HAS_HISTOGRAM = 2;
/** A histogram did not fit the ones before it. */
const IS_SPOILT = 4;
/** … and before that there was a float. */
const HAS_FLOAT_BEFORE = 8;
const kahan = new KahanSum();

/** `sum`, with compensation. */
class SumAccumulator implements Accumulator {
  readonly #plan: AggregatePlan;
  readonly #steps: number;
  readonly #context: QueryContext;
  readonly #sums: Column;
  readonly #corrections: Column;
  readonly #seen: Column;
  readonly #histograms: HistogramTotals;

  constructor(plan: AggregatePlan, steps: number, context: QueryContext) {
    this.#plan = plan;
    this.#steps = steps;
    this.#context = context;
    this.#sums = new Column(steps);
    this.#corrections = new Column(steps);
    this.#seen = new Column(steps);
    this.#histograms = new HistogramTotals('sum');
  }

  add(group: number, batch: Batch, row: number): void {
    this.#sums.reserve(group);
    this.#corrections.reserve(group);
    this.#seen.reserve(group);
    const sums = this.#sums.values;
    const corrections = this.#corrections.values;
    const seen = this.#seen.values;
    const { values, presence } = batch;
    const steps = this.#steps;
    const from = row * steps;
    const to = group * steps;
    for (let i = 0; i < steps; i++) {
      if (presence[from + i] !== Presence.float) continue;
      const value = values[from + i];
      const cell = to + i;
      const before = seen[cell];
      seen[cell] = before | HAS_FLOAT;
      if (before === 0) {
        sums[cell] = value;
        continue;
      }
      const sum = sums[cell];
      const t = sum + value;
      if (t === Infinity || t === -Infinity) corrections[cell] = 0;
      else if (Math.abs(sum) >= Math.abs(value)) corrections[cell] += sum - t + value;
      else corrections[cell] += value - t + sum;
      sums[cell] = t;
    }
    if (batch.histograms !== undefined)
      addHistograms(group, batch, row, seen, this.#histograms, {
        plan: this.#plan,
        context: this.#context,
      });
  }

  adopt(group: number, state: GroupState): void {
    this.#sums.put(group, state.values);
    this.#corrections.put(group, state.thirds);
    this.#seen.mark(group, state.counts);
  }

  finish(into: Batch): void {
    const seen = this.#seen.values;
    for (let cell = 0; cell < into.presence.length; cell++) {
      if (seen[cell] === HAS_FLOAT)
        setFloat(into, cell, this.#sums.values[cell] + this.#corrections.values[cell]);
      else if (seen[cell] !== 0)
        finishHistogram(into, cell, seen[cell], this.#histograms, {
          plan: this.#plan,
          context: this.#context,
        });
    }
  }
}

/** What comes after the first float of a cell, or after a histogram that does not fit, does not count. */
function addHistograms(
  group: number,
  batch: Batch,
  row: number,
  seen: Float64Array,
  totals: HistogramTotals,
  { plan, context }: { readonly plan: AggregatePlan; readonly context: QueryContext },
): void {
  for (let i = 0; i < batch.steps; i++) {
    const from = row * batch.steps + i;
    if (batch.presence[from] !== Presence.histogram) continue;
    const cell = group * batch.steps + i;
    const before = seen[cell];
    seen[cell] = before | HAS_HISTOGRAM;
    if ((before & IS_SPOILT) !== 0 || before === HAS_FLOAT) continue;
    if (totals.add(cell, batch.histograms![from]!)) continue;
    const name = batch.labels.at(row).get(METRIC_NAME);
    context.warn(warningText.mixedSchemas(name), plan.child.span);
    // Floats that come later are not looked at.
    seen[cell] = IS_SPOILT | (before & HAS_FLOAT ? HAS_FLOAT_BEFORE : 0);
  }
}

/** A cell that saw floats and histograms has no result; one that saw histograms only has their total, if they fit together. */
function finishHistogram(
  into: Batch,
  cell: number,
  seen: number,
  totals: HistogramTotals,
  { plan, context }: { readonly plan: AggregatePlan; readonly context: QueryContext },
): void {
  const spoilt = (seen & IS_SPOILT) !== 0;
  const info = (message: string) => context.info(message, plan.child.span);
  const isMixed = (seen & HAS_FLOAT_BEFORE) !== 0 || (!spoilt && seen === (HAS_FLOAT | HAS_HISTOGRAM));
  if (isMixed) context.warn(warningText.mixedFloatsHistogramsInAggregation(), plan.child.span);
  if (isMixed || spoilt) {
    totals.remark(cell, info);
    return;
  }
  const warn = (message: string) => context.warn(message, plan.child.span);
  setHistogram(into, cell, totals.finish(cell, { warn, info }));
}

/** `avg`: the compensated sum by the count; where the sum overflows, a running mean from there on. */
class AverageAccumulator implements Accumulator {
  readonly #plan: AggregatePlan;
  readonly #steps: number;
  readonly #context: QueryContext;
  readonly #sums: Column;
  readonly #corrections: Column;
  readonly #counts: Column;
  readonly #running: Column;
  readonly #seen: Column;
  readonly #histograms = new HistogramTotals('avg');

  constructor(plan: AggregatePlan, steps: number, context: QueryContext) {
    this.#plan = plan;
    this.#steps = steps;
    this.#context = context;
    this.#sums = new Column(steps);
    this.#corrections = new Column(steps);
    this.#counts = new Column(steps);
    this.#running = new Column(steps);
    this.#seen = new Column(steps);
  }

  add(group: number, batch: Batch, row: number): void {
    for (const column of [this.#sums, this.#corrections, this.#counts, this.#running, this.#seen])
      column.reserve(group);
    const from = row * this.#steps;
    const to = group * this.#steps;
    const seen = this.#seen.values;
    for (let i = 0; i < this.#steps; i++) {
      if (batch.presence[from + i] !== Presence.float) continue;
      seen[to + i] = (seen[to + i] as number) | HAS_FLOAT;
      this.#addFloat(to + i, batch.values[from + i]);
    }
    if (batch.histograms !== undefined)
      addHistograms(group, batch, row, seen, this.#histograms, {
        plan: this.#plan,
        context: this.#context,
      });
  }

  #addFloat(cell: number, value: number): void {
    const sums = this.#sums.values;
    const corrections = this.#corrections.values;
    const count = ++this.#counts.values[cell];
    if (count === 1) {
      sums[cell] = value;
      return;
    }
    if (this.#running.values[cell] === 0) {
      kahan.sum = sums[cell];
      kahan.c = corrections[cell];
      kahan.add(value);
      if (Math.abs(kahan.sum) !== Infinity) {
        sums[cell] = kahan.sum;
        corrections[cell] = kahan.c;
        return;
      }
      this.#running.values[cell] = 1;
      sums[cell] /= count - 1;
      corrections[cell] /= count - 1;
    }
    const q = (count - 1) / count;
    kahan.sum = q * sums[cell];
    kahan.c = q * corrections[cell];
    kahan.add(value / count);
    sums[cell] = kahan.sum;
    corrections[cell] = kahan.c;
  }

  adopt(group: number, state: GroupState): void {
    this.#sums.put(group, state.values);
    this.#corrections.put(group, state.thirds);
    this.#counts.reserve(group);
    this.#running.reserve(group);
    for (let i = 0, cell = group * this.#steps; i < this.#steps; i++, cell++) {
      this.#counts.values[cell] = Math.abs(state.counts[i]);
      this.#running.values[cell] = state.counts[i] < 0 ? 1 : 0;
    }
    this.#seen.mark(group, state.counts);
  }

  finish(into: Batch): void {
    const seen = this.#seen.values;
    for (let cell = 0; cell < into.presence.length; cell++) {
      const count = this.#running.values[cell] === 1 ? 1 : this.#counts.values[cell];
      if (seen[cell] === HAS_FLOAT)
        setFloat(into, cell, this.#sums.values[cell] / count + this.#corrections.values[cell] / count);
      else if (seen[cell] !== 0)
        finishHistogram(into, cell, seen[cell], this.#histograms, {
          plan: this.#plan,
          context: this.#context,
        });
    }
  }
}

/** Says once per query that histograms do not count in this aggregation. */
function ignoreHistograms(batch: Batch, row: number, plan: AggregatePlan, context: QueryContext): void {
  if (batch.histograms === undefined) return;
  const from = row * batch.steps;
  for (let i = 0; i < batch.steps; i++)
    if (batch.presence[from + i] === Presence.histogram)
      context.info(infoText.histogramIgnoredInAggregation(plan.op), plan.child.span);
}

/** `min` and `max`; a NaN gives way to any number. */
class ExtremeAccumulator implements Accumulator {
  readonly #plan: AggregatePlan;
  readonly #steps: number;
  readonly #context: QueryContext;
  readonly #best: Column;
  readonly #seen: Column;

  constructor(plan: AggregatePlan, steps: number, context: QueryContext) {
    this.#plan = plan;
    this.#steps = steps;
    this.#context = context;
    this.#best = new Column(steps);
    this.#seen = new Column(steps);
  }

  add(group: number, batch: Batch, row: number): void {
    this.#best.reserve(group);
    this.#seen.reserve(group);
    ignoreHistograms(batch, row, this.#plan, this.#context);
    const best = this.#best.values;
    const seen = this.#seen.values;
    const isMax = this.#plan.op === 'max';
    for (let i = 0, cell = group * this.#steps; i < this.#steps; i++, cell++) {
      const from = row * this.#steps + i;
      if (batch.presence[from] !== Presence.float) continue;
      const value = batch.values[from];
      const known = best[cell];
      if (seen[cell] === 0 || Number.isNaN(known) || (isMax ? value > known : value < known))
        best[cell] = value;
      seen[cell] = 1;
    }
  }

  adopt(group: number, state: GroupState): void {
    this.#best.put(group, state.values);
    this.#seen.mark(group, state.counts);
  }

  finish(into: Batch): void {
    for (let cell = 0; cell < into.presence.length; cell++)
      if (this.#seen.values[cell] === 1) setFloat(into, cell, this.#best.values[cell]);
  }
}

/** `count` and `group`: histograms count like floats. */
class CountAccumulator implements Accumulator {
  readonly #op: string;
  readonly #steps: number;
  readonly #counts: Column;

  constructor(op: string, steps: number) {
    this.#op = op;
    this.#steps = steps;
    this.#counts = new Column(steps);
  }

  add(group: number, batch: Batch, row: number): void {
    this.#counts.reserve(group);
    const counts = this.#counts.values;
    for (let i = 0; i < this.#steps; i++)
      if (batch.presence[row * this.#steps + i] !== Presence.none) counts[group * this.#steps + i]++;
  }

  adopt(group: number, state: GroupState): void {
    this.#counts.put(group, state.counts);
  }

  finish(into: Batch): void {
    for (let cell = 0; cell < into.presence.length; cell++) {
      const count = this.#counts.values[cell];
      if (count > 0) setFloat(into, cell, this.#op === 'group' ? 1 : count);
    }
  }
}

/** `stddev` and `stdvar` by Welford's method. */
class VarianceAccumulator implements Accumulator {
  readonly #plan: AggregatePlan;
  readonly #steps: number;
  readonly #context: QueryContext;
  readonly #counts: Column;
  readonly #means: Column;
  readonly #squares: Column;

  constructor(plan: AggregatePlan, steps: number, context: QueryContext) {
    this.#plan = plan;
    this.#steps = steps;
    this.#context = context;
    this.#counts = new Column(steps);
    this.#means = new Column(steps);
    this.#squares = new Column(steps);
  }

  add(group: number, batch: Batch, row: number): void {
    for (const column of [this.#counts, this.#means, this.#squares]) column.reserve(group);
    ignoreHistograms(batch, row, this.#plan, this.#context);
    for (let i = 0, cell = group * this.#steps; i < this.#steps; i++, cell++) {
      const from = row * this.#steps + i;
      if (batch.presence[from] !== Presence.float) continue;
      const value = batch.values[from];
      const count = ++this.#counts.values[cell];
      const delta = value - this.#means.values[cell];
      this.#means.values[cell] += delta / count;
      // The first value alone has no variance, unless it is not finite.
      this.#squares.values[cell] += delta * (value - this.#means.values[cell]);
    }
  }

  adopt(group: number, state: GroupState): void {
    this.#counts.put(group, state.counts);
    this.#squares.put(group, state.values);
    this.#means.put(group, state.thirds);
  }

  finish(into: Batch): void {
    for (let cell = 0; cell < into.presence.length; cell++) {
      const count = this.#counts.values[cell];
      if (count === 0) continue;
      const variance = this.#squares.values[cell] / count;
      setFloat(into, cell, this.#plan.op === 'stddev' ? Math.sqrt(variance) : variance);
    }
  }
}

/** `quantile`: must keep every value. */
class QuantileAccumulator implements Accumulator {
  readonly #plan: AggregatePlan;
  readonly #steps: number;
  readonly #context: QueryContext;
  readonly #params: Float64Array;
  readonly #rows: Float64Array[][] = [];
  readonly #presences: Uint8Array[][] = [];

  constructor(plan: AggregatePlan, steps: number, context: QueryContext, params: Float64Array) {
    this.#plan = plan;
    this.#steps = steps;
    this.#context = context;
    this.#params = params;
  }

  add(group: number, batch: Batch, row: number): void {
    ignoreHistograms(batch, row, this.#plan, this.#context);
    this.#context.hold(this.#steps);
    const from = row * this.#steps;
    (this.#rows[group] ??= []).push(batch.values.slice(from, from + this.#steps));
    (this.#presences[group] ??= []).push(batch.presence.slice(from, from + this.#steps));
  }

  adopt(): void {
    assert(false, 'the kernel has no quantiles');
  }

  finish(into: Batch): void {
    for (let group = 0; group < this.#rows.length; group++) {
      const rows = this.#rows[group];
      const presences = this.#presences[group];
      const values = new Float64Array(rows.length);
      for (let i = 0; i < this.#steps; i++) {
        if ((i & 15) === 0) this.#context.check();
        let count = 0;
        for (let r = 0; r < rows.length; r++)
          if (presences[r][i] === Presence.float) values[count++] = rows[r][i];
        if (count === 0) continue;
        setFloat(into, group * this.#steps + i, quantileOf(this.#params[i], values.subarray(0, count)));
      }
    }
  }
}

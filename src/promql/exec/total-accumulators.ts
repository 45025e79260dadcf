import { HistogramTotals } from '../functions/histogram-totals.ts';
import { KahanSum } from '../functions/kahan.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { type Accumulator, Column, type GroupState, HAS_FLOAT } from './accumulator.ts';
import { type Batch, Presence, setFloat } from './batch.ts';
import { addHistograms, finishHistogram } from './histogram-cells.ts';
import type { QueryContext } from './query-context.ts';

const kahan = new KahanSum();

/** `sum`, with compensation. */
export class SumAccumulator implements Accumulator {
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

/** `avg`: the compensated sum by the count; where the sum overflows, a running mean from there on. */
export class AverageAccumulator implements Accumulator {
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

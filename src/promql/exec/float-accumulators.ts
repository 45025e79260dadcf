import { assert } from '../../platform/assert.ts';
import { infoText } from '../annotations.ts';
import { quantileOf } from '../functions/quantile.ts';
import type { AggregatePlan } from '../plan/node.ts';
import { type Accumulator, Column, type GroupState } from './accumulator.ts';
import { type Batch, Presence, setFloat } from './batch.ts';
import type { QueryContext } from './query-context.ts';

/** Says once per query that histograms do not count in this aggregation. */
function ignoreHistograms(batch: Batch, row: number, plan: AggregatePlan, context: QueryContext): void {
  if (batch.histograms === undefined) return;
  const from = row * batch.steps;
  for (let i = 0; i < batch.steps; i++)
    if (batch.presence[from + i] === Presence.histogram)
      context.info(infoText.histogramIgnoredInAggregation(plan.op), plan.child.span);
}

/** `min` and `max`; a NaN gives way to any number. */
export class ExtremeAccumulator implements Accumulator {
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
export class CountAccumulator implements Accumulator {
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
export class VarianceAccumulator implements Accumulator {
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
export class QuantileAccumulator implements Accumulator {
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

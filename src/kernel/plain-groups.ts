import { assertNever } from '../platform/assert.ts';
import type { GroupKind } from './group-rows.ts';
import { isPresent, Kahan, PlainRow } from './plain-windows.ts';

/** Rows of one group aggregated step by step, in order: the readable twin of `GroupRows`. */
export function plainGroup(kind: GroupKind, rows: readonly Float64Array[], steps: number): Float64Array {
  const result = new PlainRow(steps);
  for (let step = 0; step < steps; step++) {
    const values = rows.filter((row) => isPresent(row, step)).map((row) => row[step]);
    if (values.length > 0) result.set(step, aggregate(kind, values));
  }
  return result.values;
}

function aggregate(kind: GroupKind, values: readonly number[]): number {
  switch (kind) {
    case 'sum':
      return sum(values);
    case 'avg':
      return mean(values);
    case 'min':
      return values.reduce((best, x) => (Number.isNaN(best) || x < best ? x : best));
    case 'max':
      return values.reduce((best, x) => (Number.isNaN(best) || x > best ? x : best));
    case 'count':
      return values.length;
    case 'stdvar':
      return variance(values);
    case 'stddev':
      return Math.sqrt(variance(values));
    default:
      return assertNever(kind);
  }
}

function sum(values: readonly number[]): number {
  const total = new Kahan(values[0]);
  for (const value of values.slice(1)) total.add(value);
  return total.sum + total.c;
}

function mean(values: readonly number[]): number {
  const total = new Kahan(values[0]);
  let incremental = false;
  for (let i = 1; i < values.length; i++) {
    if (!incremental && Math.abs(total.sum + values[i]) === Number.POSITIVE_INFINITY) {
      incremental = true;
      total.sum /= i;
      total.c /= i;
    }
    if (incremental) {
      total.sum *= i / (i + 1);
      total.c *= i / (i + 1);
    }
    total.add(incremental ? values[i] / (i + 1) : values[i]);
  }
  const n = values.length;
  return incremental ? total.sum + total.c : total.sum / n + total.c / n;
}

/** Welford's method, uncompensated, as Prometheus' aggregations have it. A first value that is not finite spoils all. */
function variance(values: readonly number[]): number {
  let mean = values[0];
  let squares = Number.isFinite(values[0]) ? 0 : Number.NaN;
  for (let i = 1; i < values.length; i++) {
    const delta = values[i] - mean;
    mean += delta / (i + 1);
    squares += delta * (values[i] - mean);
  }
  return squares / values.length;
}

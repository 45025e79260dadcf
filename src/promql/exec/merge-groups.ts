import type { GroupKind } from '../../kernel/group-rows.ts';
import { KahanSum } from '../functions/kahan.ts';

/** Variances are not among them: joined, they would differ from one pass by far more than rounding when the mean is large. */
export type MergeableKind = Exclude<GroupKind, 'stdvar' | 'stddev'>;

export function isMergeable(kind: GroupKind): kind is MergeableKind {
  return kind !== 'stdvar' && kind !== 'stddev';
}

/**
 * Adds what another thread has come to for a group to what is here: both as `GroupRows.state` has them, counts, values and
 * thirds of `steps` each. Sums and averages are compensated, so the order of series hardly shows (1e-15 relative).
 */
export function mergeGroupStates(
  kind: MergeableKind,
  steps: number,
  into: Float64Array,
  from: Float64Array,
): void {
  const merge = MERGES[kind];
  for (let i = 0; i < steps; i++) {
    if (from[i] === 0) continue;
    if (into[i] === 0) for (let at = i; at < 3 * steps; at += steps) into[at] = from[at];
    else merge(into, from, i, steps);
  }
}

type Merge = (into: Float64Array, from: Float64Array, i: number, steps: number) => void;

const kahan = new KahanSum();

const mergeSum: Merge = (into, from, i, steps) => {
  into[i] += from[i];
  kahan.sum = into[i + steps];
  kahan.c = into[i + 2 * steps];
  kahan.add(from[i + steps]);
  kahan.add(from[i + 2 * steps]);
  into[i + steps] = kahan.sum;
  into[i + 2 * steps] = kahan.c;
};

/** A negative count says that the sum has overflowed and the mean is carried along. */
const mergeAverage: Merge = (into, from, i, steps) => {
  const counts = Math.abs(into[i]) + Math.abs(from[i]);
  const before = [into[i], into[i + steps], into[i + 2 * steps]];
  if (into[i] > 0 && from[i] > 0) {
    mergeSum(into, from, i, steps);
    if (Math.abs(into[i + steps]) !== Infinity) return;
  }
  const share = Math.abs(before[0]) / counts;
  into[i] = -counts;
  into[i + steps] =
    meanOf(before[0], before[1], before[2]) * share +
    meanOf(from[i], from[i + steps], from[i + 2 * steps]) * (1 - share);
  into[i + 2 * steps] = 0;
};

function meanOf(count: number, value: number, third: number): number {
  return count < 0 ? value + third : value / count + third / count;
}

const mergeExtreme =
  (isBetter: (a: number, b: number) => boolean): Merge =>
  (into, from, i, steps) => {
    into[i] += from[i];
    const known = into[i + steps];
    const other = from[i + steps];
    if (Number.isNaN(known) || isBetter(other, known)) into[i + steps] = other;
  };

const mergeCount: Merge = (into, from, i) => {
  into[i] += from[i];
};

const MERGES: Readonly<Record<MergeableKind, Merge>> = {
  sum: mergeSum,
  avg: mergeAverage,
  min: mergeExtreme((a, b) => a < b),
  max: mergeExtreme((a, b) => a > b),
  count: mergeCount,
};

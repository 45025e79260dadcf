/** A sum and what rounding took away from it so far (Kahan's sum in Neumaier's form). */
export interface Sum {
  readonly sum: number;
  readonly lost: number;
}

export function plus({ sum, lost }: Sum, value: number): Sum {
  const total = sum + value;
  if (total === Infinity || total === -Infinity) return { sum: total, lost: 0 };
  const more = Math.abs(sum) >= Math.abs(value) ? sum - total + value : value - total + sum;
  return { sum: total, lost: lost + more };
}

/** The mean of some numbers: of their sum while that is finite, else adjusted with every number. */
export function meanOf(values: readonly number[]): number {
  let total: Sum = { sum: values[0], lost: 0 };
  let mean: Sum | undefined;
  for (let count = 2; count <= values.length; count++) {
    const value = values[count - 1];
    if (mean === undefined) {
      const next = plus(total, value);
      if (next.sum !== Infinity && next.sum !== -Infinity) {
        total = next;
        continue;
      }
      mean = { sum: total.sum / (count - 1), lost: total.lost / (count - 1) };
    }
    const kept = (count - 1) / count;
    mean = plus({ sum: kept * mean.sum, lost: kept * mean.lost }, value / count);
  }
  if (mean !== undefined) return mean.sum + mean.lost;
  return total.sum / values.length + total.lost / values.length;
}

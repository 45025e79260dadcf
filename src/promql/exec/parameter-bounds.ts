/** The lowest and the highest value of a parameter over all steps; NaN wins, but not over the infinity that is looked for. */
export interface ParameterBounds {
  readonly min: number;
  readonly max: number;
  readonly hasNaN: boolean;
}

export function boundsOf(values: Float64Array): ParameterBounds {
  let min = values[0];
  let max = values[0];
  let hasNaN = false;
  for (const value of values) {
    if (Number.isNaN(value)) hasNaN = true;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  if (!hasNaN) return { min, max, hasNaN };
  return {
    min: values.includes(-Infinity) ? -Infinity : Number.NaN,
    max: values.includes(Infinity) ? Infinity : Number.NaN,
    hasNaN,
  };
}

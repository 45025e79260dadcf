/** Functions of one float; histograms have no result. */
export const MATH: Readonly<Record<string, (v: number) => number>> = {
  abs: Math.abs,
  acos: Math.acos,
  acosh: Math.acosh,
  asin: Math.asin,
  asinh: Math.asinh,
  atan: Math.atan,
  atanh: Math.atanh,
  ceil: Math.ceil,
  cos: Math.cos,
  cosh: Math.cosh,
  deg: (v) => (v * 180) / Math.PI,
  exp: Math.exp,
  floor: Math.floor,
  ln: Math.log,
  log10: Math.log10,
  log2: Math.log2,
  rad: (v) => (v * Math.PI) / 180,
  sgn: (v) => (v < 0 ? -1 : v > 0 ? 1 : v),
  sin: Math.sin,
  sinh: Math.sinh,
  sqrt: Math.sqrt,
  tan: Math.tan,
  tanh: Math.tanh,
};

/** Functions of one float and scalars. */
export const CLAMPING: Readonly<Record<string, (v: number, args: readonly number[]) => number | undefined>> =
  {
    clamp: (v, [min, max]) => (max < min ? undefined : goMax(min, goMin(max, v))),
    clamp_min: (v, [min]) => goMax(min, v),
    clamp_max: (v, [max]) => goMin(max, v),
    round: (v, args) => roundTo(v, args.length === 0 ? 1 : args[0]),
  };

/** To the nearest multiple, halves upwards. */
function roundTo(v: number, nearest: number): number {
  // Go multiplies by the inverse: 1/0.1 is exact where 0.1 is not.
  const inverse = 1 / nearest;
  return Math.floor(v * inverse + 0.5) / inverse;
}

/** Go's math.Max and math.Min: NaN wins, except over the infinity asked for. */
function goMax(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b);
}

function goMin(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b);
}

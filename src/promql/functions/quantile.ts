/** The q-quantile by linear interpolation between ranks; sorts `values` in place, NaN first. */
export function quantileOf(q: number, values: Float64Array): number {
  if (values.length === 0 || Number.isNaN(q)) return Number.NaN;
  if (q < 0) return -Infinity;
  if (q > 1) return Infinity;
  sortNanFirst(values);
  const rank = q * (values.length - 1);
  const lower = Math.max(0, Math.floor(rank));
  const upper = Math.min(values.length - 1, lower + 1);
  const weight = rank - Math.floor(rank);
  return values[lower] * (1 - weight) + values[upper] * weight;
}

/** Insertion sort beats the built-in one below this length: no call out of JavaScript. */
const SHORT = 48;

/** Ascending, NaN before everything, as Prometheus orders for quantiles. */
function sortNanFirst(values: Float64Array): void {
  if (values.length > SHORT) values.sort();
  else insertionSort(values);
  let nans = 0;
  while (nans < values.length && Number.isNaN(values[values.length - 1 - nans])) nans++;
  if (nans === 0) return;
  values.copyWithin(nans, 0, values.length - nans);
  values.fill(Number.NaN, 0, nans);
}

/** Ascending, NaN last. */
function insertionSort(values: Float64Array): void {
  for (let i = 1; i < values.length; i++) {
    const value = values[i];
    let at = i;
    while (at > 0 && (values[at - 1] > value || Number.isNaN(values[at - 1]))) {
      values[at] = values[at - 1];
      at--;
    }
    values[at] = value;
  }
}

// Rows added to groups, step by step. A group's block is rows of float64: [count][value][compensation or mean].
// A negative count means the sum of an average has overflowed and the mean is carried along instead.
// Twin: plain-groups.ts.
import { ABSENT, kahanCompensation, kahanSum } from './kahan';

export function countValues(row: usize, steps: u32): u32 {
  let count: u32 = 0;
  for (let end = row + ((steps as usize) << 3); row < end; row += 8) count += u32(load<u64>(row) != ABSENT);
  return count;
}

export function groupAdd(kind: i32, row: usize, steps: u32, block: usize): void {
  let stride = (steps as usize) << 3;
  let end = row + stride;
  switch (kind) {
    case 0: for (; row < end; row += 8, block += 8) if (load<u64>(row) != ABSENT) addToSum(load<f64>(row), block, stride); break;
    case 1: for (; row < end; row += 8, block += 8) if (load<u64>(row) != ABSENT) addToMean(load<f64>(row), block, stride); break;
    case 2: for (; row < end; row += 8, block += 8) if (load<u64>(row) != ABSENT) keepExtreme(row, block, stride, true); break;
    case 3: for (; row < end; row += 8, block += 8) if (load<u64>(row) != ABSENT) keepExtreme(row, block, stride, false); break;
    case 4: for (; row < end; row += 8, block += 8) if (load<u64>(row) != ABSENT) store<f64>(block, load<f64>(block) + 1); break;
    default: for (; row < end; row += 8, block += 8) if (load<u64>(row) != ABSENT) addToVariance(load<f64>(row), block, stride);
  }
}

@inline function addToSum(x: f64, block: usize, stride: usize): void {
  let count = load<f64>(block);
  store<f64>(block, count + 1);
  let value = block + stride;
  if (count == 0) { store<f64>(value, x); return; }
  let c = value + stride;
  let sum = load<f64>(value);
  store<f64>(c, kahanCompensation(x, sum, load<f64>(c)));
  store<f64>(value, kahanSum(x, sum));
}

@inline function addToMean(x: f64, block: usize, stride: usize): void {
  let before = abs(load<f64>(block));
  let count = before + 1;
  let incremental = load<f64>(block) < 0;
  let value = block + stride, compensation = value + stride;
  if (before == 0) { store<f64>(block, 1); store<f64>(value, x); return; }
  let sum = load<f64>(value), c = load<f64>(compensation);
  if (!incremental) {
    let t = kahanSum(x, sum);
    if (abs(t) != Infinity) {
      store<f64>(block, count);
      store<f64>(compensation, kahanCompensation(x, sum, c));
      store<f64>(value, t);
      return;
    }
    sum /= before;
    c /= before;
  }
  let q = before / count;
  let inc = x / count, weighted = q * sum;
  store<f64>(block, -count);
  store<f64>(compensation, kahanCompensation(inc, weighted, q * c));
  store<f64>(value, kahanSum(inc, weighted));
}

@inline function keepExtreme(at: usize, block: usize, stride: usize, isMin: bool): void {
  let count = load<f64>(block);
  let x = load<f64>(at), best = load<f64>(block + stride);
  store<f64>(block, count + 1);
  if (count == 0 || best != best || (isMin ? x < best : x > best)) store<f64>(block + stride, x);
}

// Welford without compensation: what Prometheus' aggregations do. Value: sum of squared differences; third row: mean.
@inline function addToVariance(x: f64, block: usize, stride: usize): void {
  let count = load<f64>(block) + 1;
  let value = block + stride, mean = value + stride;
  store<f64>(block, count);
  if (count == 1) {
    store<f64>(value, abs(x) < Infinity ? 0 : NaN);
    store<f64>(mean, x);
    return;
  }
  let delta = x - load<f64>(mean);
  let next = load<f64>(mean) + delta / count;
  store<f64>(mean, next);
  store<f64>(value, load<f64>(value) + delta * (x - next));
}

// The result of a group as a row; absent where nothing was added.
export function groupFinish(kind: i32, block: usize, steps: u32, row: usize): void {
  let stride = (steps as usize) << 3;
  for (let k: u32 = 0; k < steps; k++, block += 8, row += 8) {
    let count = load<f64>(block);
    if (count == 0) { store<u64>(row, ABSENT); continue; }
    let value = load<f64>(block + stride), third = load<f64>(block + (stride << 1));
    if (kind == 0) store<f64>(row, value + third);
    else if (kind == 1) store<f64>(row, count < 0 ? value + third : value / count + third / count);
    else if (kind == 4) store<f64>(row, count);
    else if (kind == 5) store<f64>(row, value / count);
    else if (kind == 6) store<f64>(row, sqrt(value / count));
    else store<u64>(row, load<u64>(block + stride));
  }
}

// sum_over_time and avg_over_time.
//
// Prometheus adds up each window with Neumaier's compensation, and our results have the same bits. Adding a window from scratch costs its length; so
// sums of all prefixes are kept as double-doubles (106 bits) and a window is a difference of two, which rounds to
// the same float64 wherever compensation is as good as exact. Where that is not certain the window is added
// up sample by sample: values that are not finite, magnitudes too far apart, sums that nearly cancel.
import { ABSENT, kahanCompensation, kahanSum } from './kahan';

// Largest ratio of magnitudes in a series for which the difference is trusted,
const SPREAD_MAX: f64 = 1099511627776;
// and of the largest prefix to the sum of the window.
const CANCELLATION_MAX: f64 = 1048576;

export function sumWindows(values: usize, n: u32, at: usize, steps: u32, prefixes: usize, row: usize, average: bool): void {
  let largest = prefixSums(values, n, prefixes);
  // An average divides the sum as it was rounded step by step; only where nothing is rounded is that the difference.
  if (average && !(largest >= 0 && prefixesExact)) { meanWindows(values, at, steps, row, largest >= 0 && largest < 1e300); return; }
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (lo == hi) { store<u64>(row, ABSENT); continue; }
    // Nothing but zeros; their signs get lost in Prometheus as well.
    if (largest == 0) { store<f64>(row, 0); continue; }
    // Short windows are cheaper to add up than to take apart.
    if (largest < 0 || hi - lo < 8) { store<f64>(row, exact(values, lo, hi, average)); continue; }
    let p = prefixes + ((hi as usize) << 4), q = prefixes + ((lo as usize) << 4);
    let a = load<f64>(p), b = -load<f64>(q);
    let high = a + b;
    if (average) { store<f64>(row, high / ((hi - lo) as f64)); continue; }
    let low = twoSumError(a, b, high) + (load<f64>(p, 8) - load<f64>(q, 8));
    store<f64>(row, abs(high) * CANCELLATION_MAX > largest ? high + low : exactSum(values, lo, hi));
  }
}

// Whether no sum of consecutive values can be rounded: all are multiples of one power of two, and few enough of it.
let prefixesExact = false;

// Sums of the first i values as pairs at prefixes + 16 i. Returns the largest magnitude met, or -1 when windows must be
// added up.
function prefixSums(values: usize, n: u32, prefixes: usize): f64 {
  let high: f64 = 0, low: f64 = 0, largest: f64 = 0, smallest: f64 = Infinity, biggest: f64 = 0, total: f64 = 0;
  let granule: i32 = 1024;
  store<f64>(prefixes, 0);
  store<f64>(prefixes, 0, 8);
  for (let i: u32 = 0; i < n; i++) {
    let x = load<f64>(values + ((i as usize) << 3));
    let magnitude = abs(x);
    biggest = max(biggest, magnitude);
    if (magnitude > 0) {
      smallest = min(smallest, magnitude);
      granule = min(granule, lowestBit(reinterpret<u64>(magnitude)));
    }
    total += magnitude;
    let t = high + x;
    let e = twoSumError(high, x, t) + low;
    high = t + e;
    low = e - (high - t);
    largest = max(largest, abs(high));
    prefixes += 16;
    store<f64>(prefixes, high);
    store<f64>(prefixes, low, 8);
  }
  // A power of two up to 2^1000 only: beyond, nothing is taken for exact.
  prefixesExact = granule > -1000 && granule < 900 && total < powerOfTwo(granule + 53);
  // max() carries NaN along, so this also refuses NaN and infinities.
  if (!(largest < Infinity) || !(biggest <= smallest * SPREAD_MAX)) return -1;
  return largest;
}

// Exponent of the lowest bit set in a positive float.
@inline function lowestBit(bits: u64): i32 {
  return ((bits >> 52) as i32) - 1075 + (ctz<u64>(bits | 0x10000000000000) as i32);
}

@inline function powerOfTwo(exponent: i32): f64 {
  return reinterpret<f64>(((exponent + 1023) as u64) << 52);
}

// Averages added up window by window; four windows side by side while all values and sums are finite, as the error
// that Neumaier's branches find is then that of TwoSum, which has none. 4 lanes: 0.5 instead of 1.4 ns per value.
function meanWindows(values: usize, at: usize, steps: u32, row: usize, finite: bool): void {
  let k: u32 = 0;
  while (finite && k + 4 <= steps) {
    if (!fourMeans(values, at, row)) {
      for (let i = 0; i < 4; i++) oneMean(values, at + (i << 3), row + (i << 3));
    }
    k += 4;
    at += 32;
    row += 32;
  }
  for (; k < steps; k++, at += 8, row += 8) oneMean(values, at, row);
}

@inline function oneMean(values: usize, at: usize, row: usize): void {
  let lo = load<u32>(at), hi = load<u32>(at, 4);
  if (lo == hi) store<u64>(row, ABSENT);
  else store<f64>(row, exactMean(values, lo, hi));
}

// Four averages at once; false when one of the windows is empty.
function fourMeans(values: usize, at: usize, row: usize): bool {
  let a0 = load<u32>(at), a1 = load<u32>(at, 8), a2 = load<u32>(at, 16), a3 = load<u32>(at, 24);
  let n0 = load<u32>(at, 4) - a0, n1 = load<u32>(at, 12) - a1, n2 = load<u32>(at, 20) - a2, n3 = load<u32>(at, 28) - a3;
  let shared = min(min(n0, n1), min(n2, n3));
  if (shared == 0) return false;
  let p0 = values + ((a0 as usize) << 3), p1 = values + ((a1 as usize) << 3);
  let p2 = values + ((a2 as usize) << 3), p3 = values + ((a3 as usize) << 3);
  let s = pairAt(p0, p1), r = pairAt(p2, p3);
  let c = f64x2.splat(0), d = c;
  for (let i: usize = 8, end = (shared as usize) << 3; i < end; i += 8) {
    let x = pairAt(p0 + i, p1 + i), y = pairAt(p2 + i, p3 + i);
    let t = f64x2.add(s, x), u = f64x2.add(r, y);
    let b = f64x2.sub(t, s), e = f64x2.sub(u, r);
    c = f64x2.add(c, f64x2.add(f64x2.sub(s, f64x2.sub(t, b)), f64x2.sub(x, b)));
    d = f64x2.add(d, f64x2.add(f64x2.sub(r, f64x2.sub(u, e)), f64x2.sub(y, e)));
    s = t;
    r = u;
  }
  store<f64>(row, finishMean(f64x2.extract_lane(s, 0), f64x2.extract_lane(c, 0), p0, shared, n0));
  store<f64>(row, finishMean(f64x2.extract_lane(s, 1), f64x2.extract_lane(c, 1), p1, shared, n1), 8);
  store<f64>(row, finishMean(f64x2.extract_lane(r, 0), f64x2.extract_lane(d, 0), p2, shared, n2), 16);
  store<f64>(row, finishMean(f64x2.extract_lane(r, 1), f64x2.extract_lane(d, 1), p3, shared, n3), 24);
  return true;
}

@inline function pairAt(p: usize, q: usize): v128 {
  return v128.load64_lane(q, v128.load_zero<u64>(p), 1);
}

// The values of a window that its neighbours do not have, then the division.
@inline function finishMean(sum: f64, c: f64, window: usize, from: u32, count: u32): f64 {
  for (let i = from; i < count; i++) {
    let x = load<f64>(window + ((i as usize) << 3));
    let t = sum + x;
    c += twoSumError(sum, x, t);
    sum = t;
  }
  return sum / (count as f64) + c / (count as f64);
}

@inline function twoSumError(a: f64, b: f64, sum: f64): f64 {
  let bb = sum - a;
  return (a - (sum - bb)) + (b - bb);
}

function exact(values: usize, lo: u32, hi: u32, average: bool): f64 {
  return average ? exactMean(values, lo, hi) : exactSum(values, lo, hi);
}

function exactSum(values: usize, lo: u32, hi: u32): f64 {
  let sum: f64 = 0, c: f64 = 0;
  for (let i = lo; i < hi; i++) {
    let x = load<f64>(values + ((i as usize) << 3));
    c = kahanCompensation(x, sum, c);
    sum = kahanSum(x, sum);
  }
  return abs(sum) == Infinity ? sum : sum + c;
}

// The sum divided by the count, unless the sum overflows: from there on the mean is carried along instead.
function exactMean(values: usize, lo: u32, hi: u32): f64 {
  let sum = load<f64>(values + ((lo as usize) << 3)), c: f64 = 0, mean: f64 = 0, count: f64 = 1;
  let incremental = false;
  for (let i = lo + 1; i < hi; i++) {
    let x = load<f64>(values + ((i as usize) << 3));
    count = (i - lo + 1) as f64;
    if (!incremental) {
      let t = kahanSum(x, sum);
      if (abs(t) != Infinity) {
        c = kahanCompensation(x, sum, c);
        sum = t;
        continue;
      }
      incremental = true;
      mean = sum / (count - 1);
      c /= count - 1;
    }
    let q = (count - 1) / count;
    let inc = x / count, weighted = q * mean;
    c = kahanCompensation(inc, weighted, q * c);
    mean = kahanSum(inc, weighted);
  }
  return incremental ? mean + c : sum / count + c / count;
}

// sum_over_time and avg_over_time.
//
// Prometheus adds up each window with Neumaier's compensation. Adding a window from scratch costs its length; so
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
    let low = twoSumError(a, b, high) + (load<f64>(p, 8) - load<f64>(q, 8));
    if (!(abs(high) * CANCELLATION_MAX > largest)) { store<f64>(row, exact(values, lo, hi, average)); continue; }
    let count = (hi - lo) as f64;
    store<f64>(row, average ? mean(high, low, count) : high + low);
  }
}

// Neumaier's pair (sum, compensation) is divided term by term; the sum there is the one rounded step by step, ours the
// one nearest the true value, so the quotient may round otherwise: then the window is added up after all.
@inline function mean(high: f64, low: f64, count: f64): f64 {
  return high / count + low / count;
}

// Sums of the first i values as pairs at prefixes + 16 i. Returns the largest magnitude met, or -1 when windows must be
// added up.
function prefixSums(values: usize, n: u32, prefixes: usize): f64 {
  let high: f64 = 0, low: f64 = 0, largest: f64 = 0, smallest: f64 = Infinity, biggest: f64 = 0;
  store<f64>(prefixes, 0);
  store<f64>(prefixes, 0, 8);
  for (let i: u32 = 0; i < n; i++) {
    let x = load<f64>(values + ((i as usize) << 3));
    let magnitude = abs(x);
    biggest = max(biggest, magnitude);
    if (magnitude < smallest && magnitude > 0) smallest = magnitude;
    let t = high + x;
    let e = twoSumError(high, x, t) + low;
    high = t + e;
    low = e - (high - t);
    largest = max(largest, abs(high));
    prefixes += 16;
    store<f64>(prefixes, high);
    store<f64>(prefixes, low, 8);
  }
  // max() carries NaN along, so this also refuses NaN and infinities.
  if (!(largest < Infinity) || !(biggest <= smallest * SPREAD_MAX)) return -1;
  return largest;
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

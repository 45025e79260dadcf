// Functions of a range vector over one series: samples as columns (ascending times, no staleness markers), all
// steps at once. Twin: plain-windows.ts.
import { ABSENT, kahanSum, kahanCompensation } from './kahan';
import { sumWindows } from './window-sums';

// Step k sees samples [from, to): u32 pairs at windows + 8k. The window is (t - range, t].
export function findWindows(times: usize, n: u32, start: f64, step: f64, steps: u32, range: f64, windows: usize): void {
  let lo: u32 = 0, hi: u32 = 0;
  for (let k: u32 = 0; k < steps; k++) {
    let end = start + step * (k as f64);
    let begin = end - range;
    while (hi < n && load<f64>(times + ((hi as usize) << 3)) <= end) hi++;
    while (lo < hi && load<f64>(times + ((lo as usize) << 3)) <= begin) lo++;
    store<u32>(windows, lo);
    store<u32>(windows, hi, 4);
    windows += 8;
  }
}

// Scratch: 8 bytes per step, then 24 per sample.
export function windows(
  func: i32, times: usize, values: usize, n: u32, start: f64, step: f64, steps: u32, range: f64, scratch: usize, row: usize,
): void {
  let at = scratch;
  let more = scratch + ((steps as usize) << 3);
  if (func <= 2) {
    extrapolate(times, values, n, start, step, steps, range, more, row, func != 2, func == 0 ? range / 1000 : 1);
    return;
  }
  findWindows(times, n, start, step, steps, range, at);
  switch (func) {
    case 3: lastTwo(times, values, at, steps, row, true); break;
    case 4: lastTwo(times, values, at, steps, row, false); break;
    case 5: sumWindows(values, n, at, steps, more, row, false); break;
    case 6: sumWindows(values, n, at, steps, more, row, true); break;
    case 7: extremes(values, n, at, steps, more, row, true); break;
    case 8: extremes(values, n, at, steps, more, row, false); break;
    case 13: variances(values, at, steps, row, true); break;
    case 14: variances(values, at, steps, row, false); break;
    case 15: countEvents(values, n, at, steps, more, row, true); break;
    case 16: countEvents(values, n, at, steps, more, row, false); break;
    case 17: slopes(times, values, at, steps, row); break;
    default: picks(func, values, at, steps, row);
  }
}

// count, last, first, present.
function picks(func: i32, values: usize, at: usize, steps: u32, row: usize): void {
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (lo == hi) { store<u64>(row, ABSENT); continue; }
    if (func == 9) store<f64>(row, (hi - lo) as f64);
    else if (func == 10) store<u64>(row, load<u64>(values + ((hi as usize) << 3) - 8));
    else if (func == 11) store<u64>(row, load<u64>(values + ((lo as usize) << 3)));
    else store<f64>(row, 1);
  }
}

// rate, increase (counters) and delta: the change between the first and the last sample, extrapolated to the window's
// edges. `per` divides the factor: the range in seconds for a rate, 1 otherwise. Positions of counter resets are
// found once per series, so windows cost what resets they hold. Where samples come at equal distances all windows have the
// same factor: dividing again only for other distances took half the time off.
function extrapolate(
  times: usize, values: usize, n: u32, start: f64, step: f64, steps: u32, range: f64, resets: usize, row: usize,
  isCounter: bool, per: f64,
): void {
  let resetCount = isCounter ? findResets(values, n, resets) : 0;
  let r0: u32 = 0, lo: u32 = 0, hi: u32 = 0;
  let span: f64 = -1, before: f64 = 0, after: f64 = 0, count: u32 = 0;
  let sampled: f64 = 0, toStart: f64 = 0, toEnd: f64 = 0, factor: f64 = 0;
  for (let k: u32 = 0; k < steps; k++, row += 8) {
    let end = start + step * (k as f64);
    let begin = end - range;
    while (hi < n && load<f64>(times + ((hi as usize) << 3)) <= end) hi++;
    while (lo < hi && load<f64>(times + ((lo as usize) << 3)) <= begin) lo++;
    if (hi < lo + 2) { store<u64>(row, ABSENT); continue; }
    let first = load<f64>(values + ((lo as usize) << 3));
    let result = load<f64>(values + ((hi as usize) << 3) - 8) - first;
    while (r0 < resetCount && load<u32>(resets + ((r0 as usize) << 2)) <= lo) r0++;
    for (let r = r0; r < resetCount; r++) {
      let index = load<u32>(resets + ((r as usize) << 2));
      if (index >= hi) break;
      result += load<f64>(values + ((index as usize) << 3) - 8);
    }
    let firstT = load<f64>(times + ((lo as usize) << 3));
    let lastT = load<f64>(times + ((hi as usize) << 3) - 8);
    if (lastT - firstT != span || firstT - begin != before || end - lastT != after || hi - lo != count) {
      span = lastT - firstT;
      before = firstT - begin;
      after = end - lastT;
      count = hi - lo;
      toStart = before / 1000;
      toEnd = after / 1000;
      sampled = span / 1000;
      let average = sampled / ((count - 1) as f64);
      let threshold = average * 1.1;
      if (toStart >= threshold) toStart = average / 2;
      if (toEnd >= threshold) toEnd = average / 2;
      factor = (sampled + toStart + toEnd) / sampled;
      if (per != 1) factor /= per;
    }
    if (isCounter && result > 0 && first >= 0 && mayReachZero(first * sampled, toStart * result)) {
      let toZero = sampled * (first / result);
      if (toZero < toStart) {
        let nearer = (sampled + toZero + toEnd) / sampled;
        if (per != 1) nearer /= per;
        store<f64>(row, result * nearer);
        continue;
      }
    }
    store<f64>(row, result * factor);
  }
}

// False only when sampled · (first / result) is surely not below toStart, as the products, which must not have lost digits,
// are further apart than any rounding.
@inline function mayReachZero(reach: f64, wanted: f64): bool {
  return !(reach > wanted * 1.000001 && wanted > 1e-290);
}

function findResets(values: usize, n: u32, resets: usize): u32 {
  let count: u32 = 0;
  for (let i: u32 = 1; i < n; i++) {
    let v = values + ((i as usize) << 3);
    if (load<f64>(v) < load<f64>(v - 8)) {
      store<u32>(resets + ((count as usize) << 2), i);
      count++;
    }
  }
  return count;
}

// irate and idelta.
function lastTwo(times: usize, values: usize, at: usize, steps: u32, row: usize, isRate: bool): void {
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (hi < lo + 2) { store<u64>(row, ABSENT); continue; }
    let v = values + ((hi as usize) << 3), t = times + ((hi as usize) << 3);
    let last = load<f64>(v - 8), before = load<f64>(v - 16);
    let result = isRate && last < before ? last : last - before;
    if (isRate) result /= (load<f64>(t - 8) - load<f64>(t - 16)) / 1000;
    store<f64>(row, result);
  }
}

// min and max: a queue of the samples that can still become the extreme, best first. NaN only counts when all are.
function extremes(values: usize, n: u32, at: usize, steps: u32, queue: usize, row: usize, isMin: bool): void {
  let head: u32 = 0, tail: u32 = 0, next: u32 = 0;
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (lo == hi) { store<u64>(row, ABSENT); continue; }
    if (next < lo) next = lo;
    for (; next < hi; next++) {
      let x = load<f64>(values + ((next as usize) << 3));
      if (x != x) continue;
      while (tail > head) {
        let y = load<f64>(values + ((load<u32>(queue + (((tail - 1) as usize) << 2)) as usize) << 3));
        if (isMin ? x < y : x > y) tail--;
        else break;
      }
      store<u32>(queue + ((tail as usize) << 2), next);
      tail++;
    }
    while (head < tail && load<u32>(queue + ((head as usize) << 2)) < lo) head++;
    // All NaN: the newest one, as comparing with NaN always replaces.
    let index = head < tail ? load<u32>(queue + ((head as usize) << 2)) : hi - 1;
    store<u64>(row, load<u64>(values + ((index as usize) << 3)));
  }
}

// stddev and stdvar: Welford's method with compensated sums, sample by sample as Prometheus does it.
function variances(values: usize, at: usize, steps: u32, row: usize, root: bool): void {
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (lo == hi) { store<u64>(row, ABSENT); continue; }
    let count: f64 = 0, mean: f64 = 0, meanC: f64 = 0, aux: f64 = 0, auxC: f64 = 0;
    for (let i = lo; i < hi; i++) {
      let x = load<f64>(values + ((i as usize) << 3));
      count += 1;
      let delta = x - (mean + meanC);
      let inc = delta / count;
      let c = kahanCompensation(inc, mean, meanC);
      mean = kahanSum(inc, mean);
      meanC = c;
      inc = delta * (x - (mean + meanC));
      c = kahanCompensation(inc, aux, auxC);
      aux = kahanSum(inc, aux);
      auxC = c;
    }
    let variance = (aux + auxC) / count;
    store<f64>(row, root ? sqrt(variance) : variance);
  }
}

// changes and resets: events are counted once per series; a window holds the difference of two counts.
function countEvents(values: usize, n: u32, at: usize, steps: u32, counts: usize, row: usize, changes: bool): void {
  let events: u32 = 0;
  for (let i: u32 = 0; i < n; i++) {
    if (i > 0) {
      let v = values + ((i as usize) << 3);
      let x = load<f64>(v), y = load<f64>(v - 8);
      if (changes ? x != y && (x == x || y == y) : x < y) events++;
    }
    store<u32>(counts + ((i as usize) << 2), events);
  }
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (lo == hi) { store<u64>(row, ABSENT); continue; }
    let count = load<u32>(counts + ((hi as usize) << 2) - 4) - load<u32>(counts + ((lo as usize) << 2));
    store<f64>(row, count as f64);
  }
}

// deriv: the slope of the least squares line, times relative to the window's first sample.
function slopes(times: usize, values: usize, at: usize, steps: u32, row: usize): void {
  for (let k: u32 = 0; k < steps; k++, at += 8, row += 8) {
    let lo = load<u32>(at), hi = load<u32>(at, 4);
    if (hi < lo + 2) { store<u64>(row, ABSENT); continue; }
    store<f64>(row, slope(times, values, lo, hi));
  }
}

function slope(times: usize, values: usize, lo: u32, hi: u32): f64 {
  let intercept = load<f64>(times + ((lo as usize) << 3));
  let initial = load<f64>(values + ((lo as usize) << 3));
  let constant = true;
  let count: f64 = 0, sumX: f64 = 0, cX: f64 = 0, sumY: f64 = 0, cY: f64 = 0;
  let sumXY: f64 = 0, cXY: f64 = 0, sumX2: f64 = 0, cX2: f64 = 0;
  for (let i = lo; i < hi; i++) {
    let y = load<f64>(values + ((i as usize) << 3));
    if (i > lo && y != initial) constant = false;
    count += 1;
    let x = (load<f64>(times + ((i as usize) << 3)) - intercept) / 1e3;
    let xy = x * y, x2 = x * x;
    cX = kahanCompensation(x, sumX, cX); sumX = kahanSum(x, sumX);
    cY = kahanCompensation(y, sumY, cY); sumY = kahanSum(y, sumY);
    cXY = kahanCompensation(xy, sumXY, cXY); sumXY = kahanSum(xy, sumXY);
    cX2 = kahanCompensation(x2, sumX2, cX2); sumX2 = kahanSum(x2, sumX2);
  }
  if (constant) return abs(initial) == Infinity ? NaN : 0;
  sumX += cX; sumY += cY; sumXY += cXY; sumX2 += cX2;
  return (sumXY - sumX * sumY / count) / (sumX2 - sumX * sumX / count);
}

// The instant selector; samples with staleness markers. With `asTimes`, the times of the samples in seconds.
export function instantRow(
  times: usize, values: usize, n: u32, start: f64, step: f64, steps: u32, lookback: f64, row: usize, asTimes: bool,
): void {
  let hi: u32 = 0;
  for (let k: u32 = 0; k < steps; k++, row += 8) {
    let end = start + step * (k as f64);
    while (hi < n && load<f64>(times + ((hi as usize) << 3)) <= end) hi++;
    if (hi == 0 || load<f64>(times + ((hi as usize) << 3) - 8) <= end - lookback) { store<u64>(row, ABSENT); continue; }
    // A staleness marker has the bits of ABSENT: copying it is what makes the step absent.
    let bits = load<u64>(values + ((hi as usize) << 3) - 8);
    if (asTimes && bits != ABSENT) store<f64>(row, load<f64>(times + ((hi as usize) << 3) - 8) / 1000);
    else store<u64>(row, bits);
  }
}

// Which samples of a replica no sample of another reaches (storage/dedup/fill-gaps.ts); the twin is plain-reach.ts.

const STALE: u64 = 0x7ff0000000000002;

// How many of `n` values are staleness markers.
export function countStale(values: usize, n: u32): u32 {
  let count: u32 = 0;
  for (let end = values + ((n as usize) << 3); values < end; values += 8) count += (load<u64>(values) == STALE) as u32;
  return count;
}

@inline function timeAt(times: usize, i: u32): f64 {
  return load<f64>(times + ((i as usize) << 3));
}

// From sample i (counted from below zero too) to the one after it; infinite when one of them is not there.
@inline function gap(times: usize, n: u32, i: i32): f64 {
  return i < 0 || i + 1 >= (n as i32) ? Infinity : timeAt(times, i + 1) - timeAt(times, i);
}

@inline function smaller(a: f64, b: f64): f64 {
  return a < b ? a : b;
}

/**
 * Writes the numbers of those of `n` ascending times from which every one of `baseCount` ascending times is further than
 * `reach` times the spacing around them, which is at most `spacingMax`; returns how many. Room for all of them.
 */
export function outOfReach(
  base: usize, baseCount: u32, times: usize, n: u32, reach: f64, spacingMax: f64, out: usize,
): u32 {
  let to = out;
  // Sample `next` of the base is the first one at or after the time looked at.
  let next: u32 = 0;
  let before: f64 = -Infinity, after: f64 = baseCount > 0 ? timeAt(base, 0) : Infinity;
  let around = smaller(gap(base, baseCount, 0), spacingMax), ownBefore: f64 = Infinity;
  for (let i: u32 = 0; i < n; i++) {
    let t = timeAt(times, i);
    if (after < t) {
      do next++;
      while (next < baseCount && timeAt(base, next) < t);
      before = timeAt(base, next - 1);
      after = next < baseCount ? timeAt(base, next) : Infinity;
      around = smaller(smaller(gap(base, baseCount, next - 2), gap(base, baseCount, next)), spacingMax);
    }
    let ownAfter: f64 = i + 1 < n ? timeAt(times, i + 1) - t : Infinity;
    let distance = reach * smaller(around, smaller(ownBefore, ownAfter));
    if (t - before > distance && after - t > distance) {
      store<u32>(to, i);
      to += 4;
    }
    ownBefore = ownAfter;
  }
  return ((to - out) >> 2) as u32;
}

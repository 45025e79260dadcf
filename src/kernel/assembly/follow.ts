// One replica followed (tsdb/compact/penalty.ts): as long as its next sample comes before any the other may still have.

// The newest time taken, and the time before which the other replica has no sample that counts.
let newest: f64 = 0;
let floorOfOther: f64 = 0;

export function followedTo(): f64 { return newest; }
export function otherFloor(): f64 { return floorOfOther; }

/**
 * Takes samples `from` … `to` in their order while their time is at most `floor`, with `strict` less; returns where that ends.
 * Each moves the floor: to two of its intervals behind it, but never back.
 */
export function follow(times: usize, from: u32, to: u32, last: f64, floor: f64, strict: bool): u32 {
  for (; from < to; from++) {
    let t = load<f64>(times + ((from as usize) << 3));
    if (strict ? t >= floor : t > floor) break;
    floor = max<f64>(floor, t + 1 + 2 * (t - last));
    last = t;
  }
  newest = last;
  floorOfOther = floor;
  return from;
}

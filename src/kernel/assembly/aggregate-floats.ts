// Raw samples in columns → one aggregate chunk (drawing: chunkenc/aggregate-chunk.ts). The plain twin is `aggregateRaw` in
// tsdb/downsample/float-windows.ts.

import { putUvarint } from './bytes';
import { encodeXor, xorSizeMax } from './encode-xor';

const XOR: u8 = 1;
// A varint of 32 bits, and the encoding.
export const HEAD_MAX: u32 = 6;

// Scratch for `n` windows: six columns, and behind them each part before it is moved to its place.
export function aggregateScratch(n: u32): u32 {
  return 6 * column(n) + xorSizeMax(n + 2);
}

// Bytes that the chunk takes at most.
export function aggregateSizeMax(n: u32): u32 {
  return 5 * (HEAD_MAX + xorSizeMax(n + 2));
}

// Bytes of a column of `n` windows; the counter has two samples more.
@inline function column(n: u32): u32 {
  return (n + 2) << 3;
}

let firstEnd: f64 = 0;

/** The end of the first window of the last chunk made. */
export function aggregateMint(): f64 {
  return firstEnd;
}

/**
 * Writes the aggregates of `n` samples, none of them NaN, in at most `windowsMax` windows of `resolution` ms at `out`; returns the
 * number of bytes. The last window ends at the last sample, if it is not over by then.
 */
export function aggregateFloats(
  times: u32, values: u32, n: u32, resolution: f64, scratch: u32, windowsMax: u32, out: u32,
): u32 {
  let size = column(windowsMax);
  let ends = scratch, counts = scratch + size, sums = scratch + 2 * size, mins = scratch + 3 * size;
  let maxs = scratch + 4 * size, counters = scratch + 5 * size;
  let windows = fold(times, values, n, resolution, scratch, size);
  firstEnd = load<f64>(ends, 8);
  let parts = counters + size;
  let at = putPart(ends + 8, counts, windows, parts, out);
  at = putPart(ends + 8, sums, windows, parts, at);
  at = putPart(ends + 8, mins, windows, parts, at);
  at = putPart(ends + 8, maxs, windows, parts, at);
  at = putPart(ends, counters, windows + 2, parts, at);
  return at - out;
}

// Fills the columns; those of ends and counters begin with the first raw sample and end with the last raw value.
function fold(times: u32, values: u32, n: u32, resolution: f64, ends: u32, size: u32): u32 {
  let end = times + (n << 3), last = load<f64>(end - 8), before = load<f64>(values), counter = before;
  let first = true;
  let windows: u32 = 0;
  store<f64>(ends, load<f64>(times));
  store<f64>(ends + 5 * size, before);
  while (times < end) {
    let t = load<f64>(times);
    let until = min<f64>(floor<f64>(t / resolution) * resolution + resolution - 1, last);
    let count: f64 = 0, sum: f64 = 0, least: f64 = Infinity, most: f64 = -Infinity;
    for (; times < end && load<f64>(times) <= until; times += 8, values += 8) {
      let v = load<f64>(values);
      count++;
      sum += v;
      if (v < least) least = v;
      if (v > most) most = v;
      counter += first ? 0 : v < before ? v : v - before;
      first = false;
      before = v;
    }
    let at = ends + size + (windows << 3);
    store<f64>(at, count);
    store<f64>(at + size, sum);
    store<f64>(at + 2 * size, least);
    store<f64>(at + 3 * size, most);
    windows++;
    store<f64>(ends + (windows << 3), until);
    store<f64>(ends + 5 * size + (windows << 3), counter);
  }
  store<f64>(ends + (windows << 3), last, 8);
  store<f64>(ends + 5 * size + (windows << 3), before, 8);
  return windows;
}

/** One part of an aggregate chunk; returns the place behind it. */
export function putPart(times: u32, values: u32, n: u32, scratch: u32, out: u32): u32 {
  let length = encodeXor(times, values, n, scratch);
  let at = putUvarint(out, length as u64) as u32;
  store<u8>(at, XOR);
  memory.copy(at + 1, scratch, length);
  return at + 1 + length;
}

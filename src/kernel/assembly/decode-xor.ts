// XOR chunks (drawing: chunkenc/xor.ts) → columns of float64 times and raw 64-bit values.
// Bits are read eight bytes at a time from the byte that holds the next bit; the caller leaves 64 readable bytes
// behind the data, and the position is checked against the end once per sample, which takes at most 19 bytes.

const SAFE_MAX: i64 = 9007199254740991;

// 65,535 steps below this, from any allowed time, stay inside 64 bits.
const WIDE: i64 = 1 << 46;

// Results below zero; texts in query-kernel.ts.
const ENDS_EARLY: i32 = -1;
const NOT_ASCENDING: i32 = -2;
const BAD_WINDOW: i32 = -3;
const TIME_TOO_LARGE: i32 = -4;

@inline function loadBigEndian(p: usize): u64 {
  let v = v128.load_zero<u64>(p);
  return v128.extract_lane<u64>(v128.shuffle<u8>(v, v, 7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0), 0);
}

// `length` (1 … 64) bits at bit `pos` after `base`.
@inline function readBits(base: usize, pos: u32, length: u32): u64 {
  let p = base + (pos >> 3);
  let shift = (pos & 7) as u64;
  let word = loadBigEndian(p) << shift;
  if (length + (shift as u32) > 64) word |= (load<u8>(p, 8) as u64) >> (8 - shift);
  return word >> ((64 - length) as u64);
}

// Appends the samples of one chunk with mint ≤ t ≤ maxt behind the `count` there are; returns the new count, or an
// error below zero. Room for all samples that the chunk says it has.
export function decodeChunk(src: usize, length: u32, mint: f64, maxt: f64, times: usize, values: usize, count: u32): i32 {
  let n: u32 = ((load<u8>(src) as u32) << 8) | (load<u8>(src, 1) as u32);
  if (n == 0) return count as i32;
  if (n > 4 * length) return ENDS_EARLY;
  let firstTime = times + ((count as usize) << 3);
  let firstValue = values + ((count as usize) << 3);
  let error = decodeAll(src, length, n, firstTime, firstValue, 1);
  if (error < 0) return error;
  return count + trim(firstTime, firstValue, n, mint, maxt);
}

/** As `decodeChunk`, samples of any time, each at least `least` ms (0 or 1) after the one before. */
export function decodeWhole(src: usize, length: u32, times: usize, values: usize, count: u32, least: i64): i32 {
  if (length < 2) return ENDS_EARLY;
  let n: u32 = ((load<u8>(src) as u32) << 8) | (load<u8>(src, 1) as u32);
  if (n == 0) return count as i32;
  if (n > 4 * length) return ENDS_EARLY;
  let place = (count as usize) << 3;
  let error = decodeAll(src, length, n, times + place, values + place, least);
  return error < 0 ? error : count + n;
}

function decodeAll(src: usize, length: u32, n: u32, times: usize, values: usize, least: i64): i32 {
  let tOut = times, vOut = values;
  let p = src + 2, end = src + length;
  let z: u64 = 0, shift: u64 = 0, byte: u64;
  do {
    if (p >= end || shift > 63) return ENDS_EARLY;
    byte = load<u8>(p++);
    z |= (byte & 127) << shift;
    shift += 7;
  } while (byte >= 128);
  let t: i64 = ((z >> 1) as i64) ^ -((z & 1) as i64);
  if (t < -SAFE_MAX) return TIME_TOO_LARGE;
  if (p + 8 > end) return ENDS_EARLY;
  let v: u64 = loadBigEndian(p);
  p += 8;
  store<f64>(tOut, t as f64);
  store<u64>(vOut, v);
  if (n == 1) return t > SAFE_MAX ? TIME_TOO_LARGE : 0;

  z = 0;
  shift = 0;
  do {
    if (p >= end || shift > 63) return ENDS_EARLY;
    byte = load<u8>(p++);
    z |= (byte & 127) << shift;
    shift += 7;
  } while (byte >= 128);
  let delta: i64 = z as i64;
  if (delta < least) return NOT_ASCENDING;
  let wide = delta >= WIDE;

  let base = p;
  let bitsEnd = ((end - base) << 3) as u32;
  let pos: u32 = 0;
  // The window of significant bits; all of them until the chunk names one.
  let significant: u32 = 64, trailing: u32 = 0;
  // The next `valid` bits stand at the top of `word`.
  let word = loadBigEndian(base), valid: u32 = 64;
  let i: u32 = 1;
  while (true) {
    t += delta;
    if ((word as i64) < 0) {
      if ((word & (1 << 62)) == 0) {
        pos += 2; word <<= 2; valid -= 2;
      } else {
        let leading = ((word >> 57) as u32) & 31;
        significant = ((word >> 51) as u32) & 63;
        if (significant == 0) significant = 64;
        if (leading + significant > 64) return BAD_WINDOW;
        trailing = 64 - leading - significant;
        pos += 13; word <<= 13; valid -= 13;
      }
      let bits: u64 = significant <= valid ? word >> ((64 - significant) as u64) : readBits(base, pos, significant);
      pos += significant;
      v ^= bits << (trailing as u64);
    } else pos += 1;
    if (pos > bitsEnd) return ENDS_EARLY;
    tOut += 8;
    vOut += 8;
    store<f64>(tOut, t as f64);
    store<u64>(vOut, v);
    if (++i >= n) break;

    let bit = pos & 7;
    word = loadBigEndian(base + (pos >> 3)) << (bit as u64);
    valid = 64 - bit;
    if ((word as i64) >= 0) { pos += 1; word <<= 1; valid -= 1; continue; }
    if (((word >> 62) & 1) == 0) {
      let d = ((word << 2) >> 50) as i64;
      delta += d > 8192 ? d - 16384 : d;
      pos += 16; word <<= 16; valid -= 16;
    } else if (((word >> 61) & 1) == 0) {
      let d = ((word << 3) >> 47) as i64;
      delta += d > 65536 ? d - 131072 : d;
      pos += 20; word <<= 20; valid -= 20;
    } else if (((word >> 60) & 1) == 0) {
      let d = ((word << 4) >> 44) as i64;
      delta += d > 524288 ? d - 1048576 : d;
      pos += 24; word <<= 24; valid -= 24;
    } else {
      delta += readBits(base, pos + 4, 64) as i64;
      pos += 68;
      bit = pos & 7;
      word = loadBigEndian(base + (pos >> 3)) << (bit as u64);
      valid = 64 - bit;
    }
    // Looked at only when it changes: as long as it is no less than it may be and not wide, times ascend and cannot overflow.
    if (((delta - least) as u64) >= (WIDE as u64)) {
      if (delta < least) return NOT_ASCENDING;
      wide = true;
    }
  }
  if (wide && !ascends(times, n, least as f64)) return NOT_ASCENDING;
  return t > SAFE_MAX ? TIME_TOO_LARGE : 0;
}

function ascends(times: usize, n: u32, least: f64): bool {
  for (let end = times + (((n - 1) as usize) << 3); times < end; times += 8) {
    if (!(load<f64>(times, 8) - load<f64>(times) >= least) || load<f64>(times, 8) > (SAFE_MAX as f64)) return false;
  }
  return true;
}

// Keeps mint ≤ t ≤ maxt of `n` ascending samples; returns how many.
function trim(times: usize, values: usize, n: u32, mint: f64, maxt: f64): u32 {
  while (n > 0 && load<f64>(times + (((n - 1) as usize) << 3)) > maxt) n--;
  let from: u32 = 0;
  while (from < n && load<f64>(times + ((from as usize) << 3)) < mint) from++;
  if (from == 0) return n;
  let kept = n - from, gap = (from as usize) << 3, size = (kept as usize) << 3;
  memory.copy(times, times + gap, size);
  memory.copy(values, values + gap, size);
  return kept;
}

const STALE: u64 = 0x7ff0000000000002;

// Leaves out staleness markers; returns how many samples remain.
export function dropStale(times: usize, values: usize, n: u32): u32 {
  let end = values + ((n as usize) << 3);
  let v = values;
  while (v < end && load<u64>(v) != STALE) v += 8;
  if (v == end) return n;
  let t = times + (v - values), tOut = t, vOut = v;
  while (v < end) {
    let x = load<u64>(v);
    if (x != STALE) {
      store<u64>(vOut, x);
      store<f64>(tOut, load<f64>(t));
      vOut += 8;
      tOut += 8;
    }
    v += 8;
    t += 8;
  }
  return ((vOut - values) >> 3) as u32;
}

// Ascending runs [0, boundary) and [boundary, end) become one; for equal times the second run wins. Scratch holds the
// first run, 16 bytes per sample. Returns the new count.
export function mergeRuns(times: usize, values: usize, boundary: u32, end: u32, scratch: usize): u32 {
  let size = (boundary as usize) << 3;
  memory.copy(scratch, times, size);
  memory.copy(scratch + size, values, size);
  let i: u32 = 0, j = boundary, w: u32 = 0;
  while (i < boundary || j < end) {
    let a = i < boundary ? load<f64>(scratch + ((i as usize) << 3)) : Infinity;
    let b = j < end ? load<f64>(times + ((j as usize) << 3)) : Infinity;
    let t = times + ((w as usize) << 3), v = values + ((w as usize) << 3);
    if (b <= a) {
      store<u64>(v, load<u64>(values + ((j as usize) << 3)));
      store<f64>(t, b);
      j++;
      if (a == b) i++;
    } else {
      store<u64>(v, load<u64>(scratch + size + ((i as usize) << 3)));
      store<f64>(t, a);
      i++;
    }
    w++;
  }
  return w;
}

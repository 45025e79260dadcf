// Aggregate chunks of floats (drawing: chunkenc/aggregate-chunk.ts) → columns → aggregate chunks of a coarser resolution. The
// plain twin is `downsampleAggregates` in tsdb/downsample/downsample-aggregates.ts.
//
// Columns hold the samples of many chunks, times and values of each of the five parts, `capacity` samples of 8 bytes each:
//   times₀ │ values₀ │ times₁ │ values₁ │ … │ values₄
// A mark says how many samples of each part are there when a chunk begins: 5 × u32. Marks of all chunks stand in a row, and one
// behind the last.

import { HEAD_MAX, putPart } from './aggregate-floats';
import { decodeWhole } from './decode-xor';
import { xorSizeMax } from './encode-xor';

const PARTS: u32 = 5;
const MIN: u32 = 2;
const MAX: u32 = 3;
const COUNTER: u32 = 4;
const MARK: u32 = 20;
const XOR: u8 = 1;
const SAMPLES_MAX: u32 = 65535;

// Results below zero, after those of decode-xor.ts and decode-series.ts; texts in aggregate-kernel.ts.
const CUT_OFF: i32 = -7;
const FOREIGN: i32 = -8;
const UNORDERED: i32 = -9;
const TOO_MANY: i32 = -10;

/**
 * Finds the parts of the chunk at `src`: place and length of each, u32, go to `table`; an absent one has length 0. Returns how
 * many samples the longest says it has, or below zero why not: FOREIGN when a part is not of floats.
 */
export function openAggregates(src: u32, length: u32, table: u32): i32 {
  let at = src, end = src + length;
  let most: u32 = 0;
  for (let part: u32 = 0; part < PARTS; part++, table += 8) {
    let size: u64 = 0, shift: u64 = 0, byte: u64;
    do {
      if (at >= end || shift > 28) return CUT_OFF;
      byte = load<u8>(at++);
      size |= (byte & 127) << shift;
      shift += 7;
    } while (byte >= 128);
    store<u32>(table, size as u32, 4);
    if (size == 0) continue;
    if ((at as u64) + 1 + size > (end as u64)) return CUT_OFF;
    if (load<u8>(at++) != XOR) return FOREIGN;
    store<u32>(table, at);
    if (size >= 2) most = max<u32>(most, ((load<u8>(at) as u32) << 8) | (load<u8>(at, 1) as u32));
    at += size as u32;
  }
  return most as i32;
}

/** Decodes the parts of the chunk that `table` is of behind those in the columns; writes the mark after `mark`. 0, or an error. */
export function addAggregates(table: u32, columns: u32, capacity: u32, mark: u32): i32 {
  let column = capacity << 3;
  for (let part: u32 = 0; part < PARTS; part++, table += 8, mark += 4, columns += 2 * column) {
    let count = load<u32>(mark), length = load<u32>(table, 4);
    let least: i64 = part == COUNTER ? 0 : 1;
    let result = length == 0 ? (count as i32) : decodeWhole(load<u32>(table), length, columns, columns + column, count, least);
    if (result < 0) return result;
    store<u32>(mark, result as u32, MARK);
  }
  return 0;
}

function samplesMax(from: u32, to: u32): u32 {
  let most: u32 = 0;
  for (let part: u32 = 0; part < PARTS; part++, from += 4, to += 4) most = max<u32>(most, load<u32>(to) - load<u32>(from));
  return most;
}

// Bytes of a column of windows; the counter has two more.
@inline function column(n: u32): u32 {
  return (n + 2) << 3;
}

/** Scratch that joining the chunks of two marks takes: ends and values of windows, and a part before it is moved to its place. */
export function joinScratch(from: u32, to: u32): u32 {
  let n = samplesMax(from, to);
  return 2 * column(n) + xorSizeMax(n + 2);
}

/** Bytes that the joined chunk takes at most. */
export function joinSizeMax(from: u32, to: u32): u32 {
  return PARTS * (HEAD_MAX + xorSizeMax(samplesMax(from, to) + 2));
}

let firstEnd: f64 = 0, lastEnd: f64 = 0;

/** The ends of the first and the last window of the last chunk made. */
export function joinedMint(): f64 { return firstEnd; }
export function joinedMaxt(): f64 { return lastEnd; }

/**
 * Joins the chunks between two marks into one with windows of `resolution` ms at `out`; what was in their columns is void then.
 * Returns the number of bytes, 0 where there is no window, or below zero: UNORDERED where times of a part go back.
 */
export function joinAggregates(
  columns: u32, capacity: u32, from: u32, to: u32, resolution: f64, scratch: u32, out: u32,
): i32 {
  let size = capacity << 3;
  let ends = scratch, folded = scratch + column(samplesMax(from, to));
  let parts = folded + (folded - ends);
  let at = out;
  firstEnd = Infinity;
  lastEnd = -Infinity;
  for (let part: u32 = 0; part < COUNTER; part++) {
    let first = load<u32>(from + 4 * part), n = load<u32>(to + 4 * part) - first;
    if (n == 0) {
      store<u8>(at++, 0);
      continue;
    }
    let times = columns + 2 * part * size + (first << 3);
    if (!ascend(times, n)) return UNORDERED;
    let windows = fold(part, times, times + size, n, resolution, ends, folded);
    if (windows > SAMPLES_MAX) return TOO_MANY;
    firstEnd = min<f64>(firstEnd, load<f64>(ends));
    lastEnd = max<f64>(lastEnd, load<f64>(ends + ((windows - 1) << 3)));
    at = putPart(ends, folded, windows, parts, at);
  }
  if (lastEnd < firstEnd) return 0;
  let first = load<u32>(from + 4 * COUNTER), n = load<u32>(to + 4 * COUNTER) - first;
  let times = columns + 2 * COUNTER * size + (first << 3);
  n = countUp(times, times + size, n);
  if (n == 0) store<u8>(at++, 0);
  else {
    n = foldCounter(times, times + size, n, resolution, ends, folded);
    if (n > SAMPLES_MAX) return TOO_MANY;
    at = putPart(ends, folded, n, parts, at);
  }
  return (at - out) as i32;
}

function ascend(times: u32, n: u32): bool {
  for (let end = times + ((n - 1) << 3); times < end; times += 8) if (load<f64>(times, 8) < load<f64>(times)) return false;
  return true;
}

// Where the window of `t` ends; the last one at the last sample.
@inline function windowEnd(t: f64, resolution: f64, last: f64): f64 {
  return min<f64>(floor<f64>(t / resolution) * resolution + resolution - 1, last);
}

// Least or most of the samples of each window, or their sum; returns how many windows there are.
function fold(part: u32, times: u32, values: u32, n: u32, resolution: f64, ends: u32, folded: u32): u32 {
  let end = times + (n << 3), last = load<f64>(end - 8);
  let windows: u32 = 0;
  while (times < end) {
    let until = windowEnd(load<f64>(times), resolution, last);
    let v = load<f64>(values);
    times += 8;
    values += 8;
    // A sum begins at zero, which is not the same for a negative zero.
    if (part < MIN) {
      v += 0;
      for (; times < end && load<f64>(times) <= until; times += 8, values += 8) v += load<f64>(values);
    } else if (part == MAX) {
      for (; times < end && load<f64>(times) <= until; times += 8, values += 8) v = max<f64>(v, load<f64>(values));
    } else {
      for (; times < end && load<f64>(times) <= until; times += 8, values += 8) v = min<f64>(v, load<f64>(values));
    }
    store<f64>(ends + (windows << 3), until);
    store<f64>(folded + (windows << 3), v);
    windows++;
  }
  return windows;
}

let lastRaw: f64 = 0;

// The counters of consecutive chunks become one that never goes down, in place: as `CounterTotal` of tsdb/downsample says it.
// Returns how many samples are left, and keeps the last raw value.
function countUp(times: u32, values: u32, n: u32): u32 {
  let t = times, v = values, kept: u32 = 0, total: f64 = 0, newest: f64 = 0;
  lastRaw = 0;
  for (let end = times + (n << 3); t < end; t += 8, v += 8) {
    let time = load<f64>(t), value = load<f64>(v);
    if (value != value) continue;
    if (kept != 0 && time <= newest) {
      if (time == newest) lastRaw = value;
      continue;
    }
    if (kept == 0) total = value;
    else total += value >= lastRaw ? value - lastRaw : value;
    newest = time;
    lastRaw = value;
    store<f64>(times + (kept << 3), time);
    store<f64>(values + (kept << 3), total);
    kept++;
  }
  return kept;
}

// The first sample, the last one of each window, and the last raw value; returns how many there are.
function foldCounter(times: u32, values: u32, n: u32, resolution: f64, ends: u32, folded: u32): u32 {
  let end = times + (n << 3), last = load<f64>(end - 8);
  store<f64>(ends, load<f64>(times));
  store<f64>(folded, load<f64>(values));
  let kept: u32 = 1, until = last;
  while (times < end) {
    until = windowEnd(load<f64>(times), resolution, last);
    for (times += 8, values += 8; times < end && load<f64>(times) <= until; times += 8, values += 8);
    store<f64>(ends + (kept << 3), until);
    store<f64>(folded + (kept << 3), load<f64>(values - 8));
    kept++;
  }
  store<f64>(ends + (kept << 3), until);
  store<f64>(folded + (kept << 3), lastRaw);
  return kept + 1;
}

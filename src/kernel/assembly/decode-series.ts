// The chunks of one series, one after the other, merged where they overlap. The chunks of a batch stand in a table, columns
// of n each:
//   mint f64 │ maxt f64 │ offset in the data u32 │ length u32
import { decodeChunk, mergeRuns } from './decode-xor';

// Results below zero, after those of decode-xor.ts.
const OUTSIDE: i32 = -5;
const NO_ROOM: i32 = -6;

let table: usize = 0;
let chunks: u32 = 0;
let data: usize = 0;
let dataSize: u32 = 0;

// Where the last series ended early: at which chunk, with how many samples, and how many more that chunk may have.
let chunkReached: u32 = 0;
let samplesReached: u32 = 0;
let samplesWanted: u32 = 0;

export function openChunks(tableAt: usize, n: u32, dataAt: usize, size: u32): void {
  table = tableAt;
  chunks = n;
  data = dataAt;
  dataSize = size;
}

export function reachedChunk(): u32 { return chunkReached; }
export function reachedSamples(): u32 { return samplesReached; }
export function wantedSamples(): u32 { return samplesWanted; }

// Appends the samples of chunks `from` … `to` with mint ≤ t ≤ maxt behind the `count` there are; where chunks overlap the later
// one wins. Columns have room for `capacity` samples, scratch for 16 bytes each. Returns the new count, or below zero why it
// ended early: what is before that chunk is done.
export function decodeSeries(
  from: u32, to: u32, mint: f64, maxt: f64, times: usize, values: usize, count: u32, capacity: u32, scratch: usize,
): i32 {
  let maxts = table + ((chunks as usize) << 3);
  let offsets = maxts + ((chunks as usize) << 3);
  let lengths = offsets + ((chunks as usize) << 2);
  for (let c = from; c < to; c++) {
    if (load<f64>(maxts + ((c as usize) << 3)) < mint || load<f64>(table + ((c as usize) << 3)) > maxt) continue;
    let offset = load<u32>(offsets + ((c as usize) << 2));
    let length = load<u32>(lengths + ((c as usize) << 2));
    if (length < 2 || (offset as u64) + (length as u64) > (dataSize as u64)) return endAt(c, count, OUTSIDE);
    let src = data + offset;
    samplesWanted = ((load<u8>(src) as u32) << 8) | (load<u8>(src, 1) as u32);
    if (count + samplesWanted > capacity) return endAt(c, count, NO_ROOM);
    let result = decodeChunk(src, length, mint, maxt, times, values, count);
    if (result < 0) return endAt(c, count, result);
    count = appended(times, values, count, result as u32, scratch);
  }
  return count as i32;
}

function endAt(chunk: u32, count: u32, why: i32): i32 {
  chunkReached = chunk;
  samplesReached = count;
  return why;
}

// Two ascending runs, 0 … boundary and boundary … end, become one. Chunks come ordered by their first time, so only the end of
// the first run is touched; else two replicas of a long series would cost the square of its length.
function appended(times: usize, values: usize, boundary: u32, end: u32, scratch: usize): u32 {
  if (boundary == 0 || end == boundary) return end;
  let first = load<f64>(times + ((boundary as usize) << 3));
  if (first > load<f64>(times + ((boundary as usize) << 3) - 8)) return end;
  let low: u32 = 0, high = boundary;
  while (low < high) {
    let middle = (low + high) >>> 1;
    if (load<f64>(times + ((middle as usize) << 3)) < first) low = middle + 1;
    else high = middle;
  }
  let skipped = (low as usize) << 3;
  return low + mergeRuns(times + skipped, values + skipped, boundary - low, end - low, scratch);
}

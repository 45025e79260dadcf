// The chunks of some slots as columns, in two passes: sizes, then contents in slices that fit the OUT buffer.
//
// A slice in OUT, each column rounded up to 8 bytes:
//   label bytes │ label ends u32 │ chunk ends u32 │ mint f64 │ maxt f64 │ ref f64 │ data lengths u32 │ data
// Ends count from the beginning of the slice. ref is -1 for an open chunk.

import { IN, OUT, bufferAt, ensureBuffer } from './buffers';
import { entryClosed, entryLabels, entryLength } from './label-arena';
import { nodeMaxt, nodeMint, nodePrevious, nodeRef } from './pools';
import { RARE, VALUE_UNKNOWN, entryOf, flagsOf, lastTime, mintOf, recordOf, sampleCount } from './record';
import { chunkSize, copyChunk, copyNewest, newestSize } from './xor';

export let labelTotal: f64 = 0;
export let chunkTotal: f64 = 0;
export let dataTotal: f64 = 0;

/** Where the columns of the slice begin. */
export let labelsAt: u32 = 0;
export let labelEndsAt: u32 = 0;
export let chunkEndsAt: u32 = 0;
export let mintsAt: u32 = 0;
export let maxtsAt: u32 = 0;
export let refsAt: u32 = 0;
export let lengthsAt: u32 = 0;
export let dataAt: u32 = 0;

/** Whether the newest sample of a series is in range and known, so that it can stand for all before it. */
@inline function newestInRange(rec: u32, mint: i64, maxt: i64): bool {
  let t = lastTime(rec);
  return sampleCount(rec) != 0 && t >= mint && t <= maxt && (flagsOf(rec) & (RARE | VALUE_UNKNOWN)) == 0;
}

@inline function touches(from: i64, to: i64, mint: i64, maxt: i64): bool {
  return from <= maxt && to >= mint;
}

/**
 * Sets the totals for slots `from` … `to` of IN; false when one is not in use. With `newest`, a series whose newest sample is
 * in range gives only that.
 */
export function measure(from: u32, to: u32, mint: i64, maxt: i64, newest: bool): bool {
  let labels: u64 = 0;
  let chunks: u64 = 0;
  let data: u64 = 0;
  let slots = bufferAt(IN);
  for (let i = from; i < to; i++) {
    let rec = recordOf(load<u32>(slots + (i << 2)));
    if (rec == 0) return false;
    let entry = entryOf(rec);
    labels += entryLength(entry) as u64;
    if (newest && newestInRange(rec, mint, maxt)) {
      chunks++;
      data += newestSize(rec) as u64;
      continue;
    }
    for (let node = entryClosed(entry); node != 0; node = nodePrevious(node))
      if (touches(nodeMint(node), nodeMaxt(node), mint, maxt)) chunks++;
    if (sampleCount(rec) == 0 || !touches(mintOf(rec), lastTime(rec), mint, maxt)) continue;
    chunks++;
    data += chunkSize(rec) as u64;
  }
  labelTotal = labels as f64;
  chunkTotal = chunks as f64;
  dataTotal = data as f64;
  return true;
}

/** Writes the columns of slots `from` … `to`, which `measure` has just measured; false when memory is full. */
export function gatherSlice(from: u32, to: u32, mint: i64, maxt: i64, newest: bool): bool {
  let series = to - from;
  let size = labelTotal + dataTotal + chunkTotal * 28 + (series as f64) * 8 + 128;
  if (size > 2147483647.0 || ensureBuffer(OUT, size as u32, 0) == 0) return false;
  layOut(series);
  let slots = bufferAt(IN);
  let labelEnd: u32 = 0;
  let chunk: u32 = 0;
  let dataEnd: u32 = 0;
  for (let i: u32 = 0; i < series; i++) {
    let rec = recordOf(load<u32>(slots + ((from + i) << 2)));
    let entry = entryOf(rec);
    memory.copy(labelsAt + labelEnd, entryLabels(entry), entryLength(entry));
    labelEnd += entryLength(entry);
    store<u32>(labelEndsAt + (i << 2), labelEnd);
    if (newest && newestInRange(rec, mint, maxt)) {
      let length = newestSize(rec);
      putChunk(chunk, lastTime(rec), lastTime(rec), -1, length);
      copyNewest(rec, dataAt + dataEnd);
      dataEnd += length;
      store<u32>(chunkEndsAt + (i << 2), ++chunk);
      continue;
    }
    chunk = putClosed(entry, chunk, mint, maxt);
    if (sampleCount(rec) != 0 && touches(mintOf(rec), lastTime(rec), mint, maxt)) {
      let length = chunkSize(rec);
      putChunk(chunk, mintOf(rec), lastTime(rec), -1, length);
      copyChunk(rec, dataAt + dataEnd);
      dataEnd += length;
      chunk++;
    }
    store<u32>(chunkEndsAt + (i << 2), chunk);
  }
  return true;
}

function layOut(series: u32): void {
  let chunks = chunkTotal as u32;
  labelsAt = bufferAt(OUT);
  labelEndsAt = roundUp(labelsAt + (labelTotal as u32));
  chunkEndsAt = roundUp(labelEndsAt + (series << 2));
  mintsAt = roundUp(chunkEndsAt + (series << 2));
  maxtsAt = mintsAt + (chunks << 3);
  refsAt = maxtsAt + (chunks << 3);
  lengthsAt = refsAt + (chunks << 3);
  dataAt = roundUp(lengthsAt + (chunks << 2));
}

@inline function roundUp(p: u32): u32 {
  return (p + 7) & ~7;
}

/** The closed chunks of a series, oldest first, though the list begins with the newest. The place after them. */
function putClosed(entry: u32, chunk: u32, mint: i64, maxt: i64): u32 {
  let count: u32 = 0;
  for (let node = entryClosed(entry); node != 0; node = nodePrevious(node))
    if (touches(nodeMint(node), nodeMaxt(node), mint, maxt)) count++;
  let place = chunk + count;
  for (let node = entryClosed(entry); node != 0; node = nodePrevious(node))
    if (touches(nodeMint(node), nodeMaxt(node), mint, maxt))
      putChunk(--place, nodeMint(node), nodeMaxt(node), nodeRef(node) as f64, 0);
  return chunk + count;
}

function putChunk(chunk: u32, mint: i64, maxt: i64, ref: f64, length: u32): void {
  store<f64>(mintsAt + (chunk << 3), mint as f64);
  store<f64>(maxtsAt + (chunk << 3), maxt as f64);
  store<f64>(refsAt + (chunk << 3), ref);
  store<u32>(lengthsAt + (chunk << 2), length);
}

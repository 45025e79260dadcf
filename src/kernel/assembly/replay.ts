// Samples records of the log, applied again. Refs of the log are looked up in a table of their own, the likely successor
// first.
//
//   a place of the table: ┌─────────┬────────────┬───────┐  free when the ref is 0
//                         │ ref u64 │ record u32 │ - 4 B │
//                         └─────────┴────────────┴───────┘

import { IS_RARE, NO_ROOM, OK, replaySample } from './append';
import { IN, bufferAt } from './buffers';
import { loadBe64, unzigzag } from './bytes';
import { entryWalRef } from './label-arena';
import { MAPPED, entryOf, firstRecord, flagsOf, recordOf, setFlags, setSuccessor, slotCount, successorOf } from './record';
import { SLAB, giveRun, takeRun, takeSlab } from './slabs';
import { readVarint, varint } from './wire';

const HEADER: u32 = 17;
const TABLE_MAX: u32 = 1 << 26;

let table: u32 = 0;
let size: u32 = 0;
export let mappedRefs: u32 = 0;

export let applied: u32 = 0;
export let unknownRefs: u32 = 0;
export let rare: u32 = 0;
export let skipped: u32 = 0;
/** Where the record does not parse. */
export let faultOffset: u32 = 0;

@inline function place(i: u32): u32 {
  return table + (i << 4);
}

/** The place of a ref, or the free one where it belongs. */
@inline function placeOf(ref: u64): u32 {
  let i = ((ref * 0x9e3779b97f4a7c15) >> 32) as u32;
  let at = place(i & (size - 1));
  while (load<u64>(at) != ref && load<u64>(at) != 0) at = place(++i & (size - 1));
  return at;
}

/** False when memory is full. */
export function mapRef(ref: u64, rec: u32): bool {
  if ((mappedRefs + 1) * 10 >= size * 7 && !growRefs()) return false;
  let at = placeOf(ref);
  if (load<u64>(at) == 0) mappedRefs++;
  else {
    let old = load<u32>(at, 8);
    if (entryWalRef(entryOf(old)) == ref) setFlags(old, flagsOf(old) & ~MAPPED);
  }
  store<u64>(at, ref);
  store<u32>(at, rec, 8);
  if (entryWalRef(entryOf(rec)) == ref) setFlags(rec, flagsOf(rec) | MAPPED);
  return true;
}

function growRefs(): bool {
  if (size >= TABLE_MAX) return false;
  let oldTable = table;
  let oldSize = size;
  let newSize: u32 = oldSize == 0 ? SLAB >> 4 : oldSize << 1;
  let slabs = (newSize << 4) / SLAB;
  let larger = slabs == 1 ? takeSlab() : takeRun(slabs);
  if (larger == 0) return false;
  memory.fill(larger, 0, newSize << 4);
  table = larger;
  size = newSize;
  for (let i: u32 = 0; i < oldSize; i++) {
    let from = oldTable + (i << 4);
    if (load<u64>(from) == 0) continue;
    let to = placeOf(load<u64>(from));
    store<u64>(to, load<u64>(from));
    store<u32>(to, load<u32>(from, 8), 8);
  }
  if (oldTable != 0) giveRun(oldTable, (oldSize << 4) / SLAB);
  return true;
}

export function forgetRefs(): void {
  if (table == 0) return;
  for (let slot: u32 = 1; slot <= slotCount; slot++) {
    let rec = recordOf(slot);
    if (rec != 0) setFlags(rec, flagsOf(rec) & ~MAPPED);
  }
  giveRun(table, (size << 4) / SLAB);
  table = 0;
  size = 0;
  mappedRefs = 0;
}

/** Applies the record of `length` ≥ 17 bytes in IN. 0, 1 bad varint, 2 cut off, 3 memory is full. */
export function replay(length: u32): u32 {
  let start = bufferAt(IN);
  let end = start + length;
  let firstRef = loadBe64(start + 1);
  let firstTime = loadBe64(start + 9);
  let previous = firstRecord();
  applied = 0;
  unknownRefs = 0;
  rare = 0;
  skipped = 0;
  if (previous == 0) return 3;
  for (let p = start + HEADER; p < end; ) {
    faultOffset = p - start;
    p = readVarint(p, end);
    if (p == 0) return 1;
    let ref = firstRef + (unzigzag(varint) as u64);
    p = readVarint(p, end);
    if (p == 0) return 1;
    let t = (firstTime + (unzigzag(varint) as u64)) as i64;
    if (end - p < 8) return 2;
    let v = loadBe64(p);
    p += 8;
    let rec = successorOf(previous);
    if (rec == 0 || (flagsOf(rec) & MAPPED) == 0 || entryWalRef(entryOf(rec)) != ref) {
      rec = find(ref);
      if (rec == 0) {
        unknownRefs++;
        continue;
      }
      setSuccessor(previous, rec);
    }
    previous = rec;
    let outcome = replaySample(rec, t, v);
    if (outcome == OK) applied++;
    else if (outcome == IS_RARE) rare++;
    else if (outcome == NO_ROOM) return 3;
    else skipped++;
  }
  return 0;
}

function find(ref: u64): u32 {
  if (size == 0 || ref == 0) return 0;
  let at = placeOf(ref);
  return load<u64>(at) == ref ? load<u32>(at, 8) : 0;
}

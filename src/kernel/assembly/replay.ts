// Samples records of the log, applied again. Refs of the log are dense where they are used at all, so pages of records
// stand for runs of refs; pages are found through a table, the one used last without it.
//
//   a place of the table: ┌─────────────────┬──────────┬───────┐  free when the page is 0
//                         │ page number u64 │ page u32 │ - 4 B │
//                         └─────────────────┴──────────┴───────┘
//   a page of 4 KiB:      record u32 × 1024, 0 where a ref means nothing

import { IS_RARE, NO_ROOM, OK, replaySample } from './append';
import { IN, bufferAt } from './buffers';
import { loadBe64, unzigzag } from './bytes';
import { firstRecord, setSuccessor, successorOf } from './record';
import { SLAB, giveRun, takeRun, takeSlab } from './slabs';
import { readVarint, varint } from './wire';

const HEADER: u32 = 17;
const TABLE_MAX: u32 = 1 << 26;
const PAGE_BITS: u32 = 10;
const PAGE_BYTES: u32 = 4 << PAGE_BITS;

let table: u32 = 0;
let size: u32 = 0;
let pages: u32 = 0;
/** Where the next page goes; a slab is used up when this is a multiple of its size. */
let nextPage: u32 = 0;
let lastNumber: u64 = 0;
let lastPage: u32 = 0;
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

/** The place of a page, or the free one where it belongs. */
@inline function placeOf(number: u64): u32 {
  let i = ((number * 0x9e3779b97f4a7c15) >> 32) as u32;
  let at = place(i & (size - 1));
  while (load<u64>(at) != number && load<u32>(at, 8) != 0) at = place(++i & (size - 1));
  return at;
}

/** Where the record of a ref stands; 0 when there is no such page. */
@inline function recordPlace(ref: u64): u32 {
  let number = ref >> PAGE_BITS;
  if (number != lastNumber || lastPage == 0) {
    let page = size == 0 ? 0 : load<u32>(placeOf(number), 8);
    if (page == 0) return 0;
    lastNumber = number;
    lastPage = page;
  }
  return lastPage + (((ref as u32) & ((1 << PAGE_BITS) - 1)) << 2);
}

/** False when memory is full. */
export function mapRef(ref: u64, rec: u32): bool {
  let at = recordPlace(ref);
  if (at == 0) {
    if (!addPage(ref >> PAGE_BITS)) return false;
    at = recordPlace(ref);
  }
  if (load<u32>(at) == 0) mappedRefs++;
  store<u32>(at, rec);
  return true;
}

function addPage(number: u64): bool {
  if ((pages + 1) * 10 >= size * 7 && !growTable()) return false;
  if ((nextPage & (SLAB - 1)) == 0) {
    nextPage = takeSlab();
    if (nextPage == 0) return false;
    memory.fill(nextPage, 0, SLAB);
  }
  let at = placeOf(number);
  store<u64>(at, number);
  store<u32>(at, nextPage, 8);
  nextPage += PAGE_BYTES;
  pages++;
  return true;
}

function growTable(): bool {
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
    if (load<u32>(from, 8) == 0) continue;
    let to = placeOf(load<u64>(from));
    store<u64>(to, load<u64>(from));
    store<u32>(to, load<u32>(from, 8), 8);
  }
  if (oldTable != 0) giveRun(oldTable, (oldSize << 4) / SLAB);
  return true;
}

export function forgetRefs(): void {
  if (table == 0) return;
  for (let i: u32 = 0; i < size; i++) {
    let page = load<u32>(place(i), 8);
    if (page != 0 && (page & (SLAB - 1)) == 0) giveRun(page, 1);
  }
  giveRun(table, (size << 4) / SLAB);
  table = 0;
  size = 0;
  pages = 0;
  nextPage = 0;
  lastPage = 0;
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
    let at = recordPlace(ref);
    let rec = at == 0 ? 0 : load<u32>(at);
    if (rec == 0) {
      unknownRefs++;
      continue;
    }
    // The next request will come in this order too.
    if (successorOf(previous) != rec) setSuccessor(previous, rec);
    previous = rec;
    let outcome = replaySample(rec, t, v);
    if (outcome == OK) applied++;
    else if (outcome == IS_RARE) rare++;
    else if (outcome == NO_ROOM) return 3;
    else skipped++;
  }
  return 0;
}

// One record of 64 bytes per series, 1024 in a slab; a directory turns slots into addresses. Records never move.
//
//    0 newest time i64      8 newest value u64     16 delta u32   20 end of chunk - mint u32   24 bits under way u64
//   32 mint of chunk i64   40 label entry u32     44 successor u32            48 newest block u32
//   52 samples u8  53 bits used u8  54 leading u8  55 trailing u8  56 words u16  58 flags u8  60 slot u32
//
// The successor is the record whose samples came after this one's last time: the guess that replaces a lookup.

import { SLAB, takeSlab } from './slabs';

/** In use; without it the record is on the free list and has no label entry. */
export const USED: u8 = 1;
export const RARE: u8 = 2;
export const HAS_LAST: u8 = 4;
/** The newest time came with a chunk: its value is not known. */
export const VALUE_UNKNOWN: u8 = 8;
/** No window yet. */
export const NO_LEADING: u8 = 255;

const RECORD_BITS: u32 = 6;
const RECORDS_PER_SLAB_BITS: u32 = 10;
const DIRECTORY_ENTRIES: u32 = 16384;

let directory: u32 = 0;
/** Slots ever used: 1 … slotCount. */
export let slotCount: u32 = 0;
let freeRecords: u32 = 0;
/** Given back and not to be used again yet: the newest, and the oldest. */
let collectedRecords: u32 = 0;
let oldestCollected: u32 = 0;
export let recordSlabs: u32 = 0;

@inline export function lastTime(rec: u32): i64 {
  return load<i64>(rec);
}
@inline export function lastValue(rec: u32): u64 {
  return load<u64>(rec, 8);
}
@inline export function mintOf(rec: u32): i64 {
  return load<i64>(rec, 32);
}
@inline export function entryOf(rec: u32): u32 {
  return load<u32>(rec, 40);
}
@inline export function successorOf(rec: u32): u32 {
  return load<u32>(rec, 44);
}
@inline export function setSuccessor(rec: u32, next: u32): void {
  store<u32>(rec, next, 44);
}
@inline export function sampleCount(rec: u32): u32 {
  return load<u8>(rec, 52);
}
@inline export function flagsOf(rec: u32): u8 {
  return load<u8>(rec, 58);
}
@inline export function setFlags(rec: u32, flags: u8): void {
  store<u8>(rec, flags, 58);
}
@inline export function slotOf(rec: u32): u32 {
  return load<u32>(rec, 60);
}

/** False when memory is full. */
export function initRecords(): bool {
  directory = takeSlab();
  return directory != 0;
}

/** The record of a slot, in use or not; 0 for a slot that never was. Slot 0 is not a slot but has a record: see `firstRecord`. */
@inline function recordAt(slot: u32): u32 {
  return load<u32>(directory + ((slot >> RECORDS_PER_SLAB_BITS) << 2)) + ((slot & 1023) << RECORD_BITS);
}

/** The record of a slot in use; 0 for any other number. */
export function recordOf(slot: u32): u32 {
  if (slot - 1 >= slotCount) return 0;
  let rec = recordAt(slot);
  return (flagsOf(rec) & USED) != 0 ? rec : 0;
}

/** The record of slot 0, which no series has: its successor is the first series of a request. */
export function firstRecord(): u32 {
  return slotCount == 0 && load<u32>(directory) == 0 && !addSlab(0) ? 0 : recordAt(0);
}

function addSlab(index: u32): bool {
  if (index >= DIRECTORY_ENTRIES) return false;
  let slab = takeSlab();
  if (slab == 0) return false;
  memory.fill(slab, 0, SLAB);
  recordSlabs++;
  store<u32>(directory + (index << 2), slab);
  return true;
}

/** A record in use with these labels, otherwise zero; 0 when memory is full. The slot freed last is used first. */
export function takeRecord(entry: u32): u32 {
  let rec = freeRecords;
  let slot: u32;
  if (rec != 0) {
    freeRecords = load<u32>(rec);
    slot = slotOf(rec);
  } else {
    slot = slotCount + 1;
    let index = slot >> RECORDS_PER_SLAB_BITS;
    if (load<u32>(directory + (index << 2)) == 0 && !addSlab(index)) return 0;
    slotCount = slot;
    rec = recordAt(slot);
  }
  memory.fill(rec, 0, 64);
  store<u32>(rec, entry, 40);
  store<u8>(rec, USED, 58);
  store<u32>(rec, slot, 60);
  return rec;
}

/** Takes a record out of use; its slot is used again after `reuseCollected`. */
export function giveRecord(rec: u32): void {
  let slot = slotOf(rec);
  memory.fill(rec, 0, 64);
  store<u32>(rec, collectedRecords);
  store<u32>(rec, slot, 60);
  if (collectedRecords == 0) oldestCollected = rec;
  collectedRecords = rec;
}

export function reuseCollected(): void {
  if (collectedRecords == 0) return;
  store<u32>(oldestCollected, freeRecords);
  freeRecords = collectedRecords;
  collectedRecords = 0;
}

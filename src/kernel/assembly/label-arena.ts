// Label bytes, each behind a header. Freed entries are reused by size class: multiples of 16 up to 1 KiB, then four
// classes per doubling up to a slab.
//
//   ┌────────────┬───────────────────┬───────────────────┬─────────────
//   │ walRef u64 │ newest closed u32 │ label length u32  │ label bytes
//   └────────────┴───────────────────┴───────────────────┴─────────────

import { LABEL_CLASSES } from './layout';
import { SLAB, takeSlab } from './slabs';

export const ENTRY_HEADER: u32 = 16;
export const LABEL_BYTES_MAX: u32 = 65000;

let bump: u32 = 0;
let bumpEnd: u32 = 0;
export let labelSlabs: u32 = 0;

@inline export function entryWalRef(entry: u32): u64 {
  return load<u64>(entry);
}
@inline export function entryClosed(entry: u32): u32 {
  return load<u32>(entry, 8);
}
@inline export function setEntryClosed(entry: u32, node: u32): void {
  store<u32>(entry, node, 8);
}
@inline export function entryLength(entry: u32): u32 {
  return load<u32>(entry, 12);
}
@inline export function entryLabels(entry: u32): u32 {
  return entry + ENTRY_HEADER;
}

function classOf(size: u32): u32 {
  if (size <= 1024) return (size + 15) >> 4;
  let e = 31 - clz<u32>(size - 1);
  return 65 + ((e - 10) << 2) + (((size - 1) >> (e - 2)) & 3);
}

function roundUp(size: u32): u32 {
  if (size <= 1024) return (size + 15) & ~15;
  let shift = 29 - clz<u32>(size - 1);
  return (((size - 1) >> shift) + 1) << shift;
}

/** An entry with these labels and no closed chunks; 0 when memory is full. */
export function takeEntry(labels: u32, length: u32, walRef: u64): u32 {
  let entry = takeSpace(ENTRY_HEADER + length);
  if (entry == 0) return 0;
  store<u64>(entry, walRef);
  store<u32>(entry, 0, 8);
  store<u32>(entry, length, 12);
  memory.copy(entry + ENTRY_HEADER, labels, length);
  return entry;
}

function takeSpace(size: u32): u32 {
  let list = LABEL_CLASSES + (classOf(size) << 2);
  let free = load<u32>(list);
  if (free != 0) {
    store<u32>(list, load<u32>(free));
    return free;
  }
  size = roundUp(size);
  if (size > bumpEnd - bump) {
    let slab = takeSlab();
    if (slab == 0) return 0;
    giveRest();
    labelSlabs++;
    bump = slab;
    bumpEnd = slab + SLAB;
  }
  let entry = bump;
  bump += size;
  return entry;
}

/** What is left of a slab goes to the free lists, in pieces of 1 KiB and one smaller. */
function giveRest(): void {
  while (bump < bumpEnd) {
    let size = min<u32>(1024, bumpEnd - bump);
    giveSpace(bump, size);
    bump += size;
  }
}

function giveSpace(at: u32, size: u32): void {
  let list = LABEL_CLASSES + (classOf(size) << 2);
  store<u32>(at, load<u32>(list));
  store<u32>(list, at);
}

export function giveEntry(entry: u32): void {
  giveSpace(entry, ENTRY_HEADER + entryLength(entry));
}

// From label bytes to records: open addressing with linear probing, doubled at 7/10. A place is 8 bytes: the hash (all of
// its 32 bits, so doubling and removal touch no record) and the record, 0 when free.

import { equalBytes, hash64 } from './bytes';
import { ENTRY_HEADER, entryLength } from './label-arena';
import { entryOf } from './record';
import { SLAB, giveRun, takeRun, takeSlab } from './slabs';

let table: u32 = 0;
let mask: u32 = 0;
export let seriesCount: u32 = 0;
let seed: u64 = 0;
/** The hash of the labels looked up last. */
export let lastHash: u32 = 0;

export function tableBytes(): u32 {
  return (mask + 1) << 3;
}

/** False when memory is full. */
export function initTable(hashSeed: u32): bool {
  seed = hashSeed as u64;
  table = takeSlab();
  if (table == 0) return false;
  memory.fill(table, 0, SLAB);
  mask = (SLAB >> 3) - 1;
  return true;
}

@inline function place(i: u32): u32 {
  return table + (i << 3);
}

/** The record of the series with these labels; 0 when there is none. */
export function lookup(labels: u32, length: u32): u32 {
  let h = hash64(labels, length, seed);
  let hash = (h ^ (h >> 32)) as u32;
  lastHash = hash;
  for (let i = hash & mask; ; i = (i + 1) & mask) {
    let rec = load<u32>(place(i), 4);
    if (rec == 0) return 0;
    if (load<u32>(place(i)) == hash) {
      let entry = entryOf(rec);
      if (entryLength(entry) == length && equalBytes(labels, entry + ENTRY_HEADER, length)) return rec;
    }
  }
  return 0;
}

/** Makes room for one more; false when memory is full. */
export function reserveInTable(): bool {
  if ((seriesCount + 1) * 10 < (mask + 1) * 7) return true;
  let oldTable = table;
  let oldSize = mask + 1;
  if (oldSize >= 1 << 27) return false;
  let slabs = (oldSize << 4) / SLAB;
  let larger = takeRun(slabs);
  if (larger == 0) return false;
  memory.fill(larger, 0, slabs << 16);
  table = larger;
  mask = 2 * oldSize - 1;
  for (let i: u32 = 0; i < oldSize; i++) {
    let from = oldTable + (i << 3);
    if (load<u32>(from, 4) != 0) put(load<u32>(from), load<u32>(from, 4));
  }
  giveRun(oldTable, (oldSize << 3) / SLAB);
  return true;
}

function put(hash: u32, rec: u32): void {
  let i = hash & mask;
  while (load<u32>(place(i), 4) != 0) i = (i + 1) & mask;
  store<u32>(place(i), hash);
  store<u32>(place(i), rec, 4);
}

/** Adds a record under `lastHash`; there is room. */
export function insert(rec: u32): void {
  put(lastHash, rec);
  seriesCount++;
}

/** Removes a record that is in the table, and moves back what it had pushed aside. */
export function remove(rec: u32): void {
  let entry = entryOf(rec);
  let h = hash64(entry + ENTRY_HEADER, entryLength(entry), seed);
  let hole = ((h ^ (h >> 32)) as u32) & mask;
  while (load<u32>(place(hole), 4) != rec) hole = (hole + 1) & mask;
  for (let i = (hole + 1) & mask; load<u32>(place(i), 4) != 0; i = (i + 1) & mask) {
    let home = load<u32>(place(i)) & mask;
    // Stays where it is when its home lies in (hole, i], going round.
    if (((i - home) & mask) < ((i - hole) & mask)) continue;
    store<u64>(place(hole), load<u64>(place(i)));
    hole = i;
  }
  store<u64>(place(hole), 0);
  seriesCount--;
}

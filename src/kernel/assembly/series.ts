// Series as a whole: made, freed, their lists of closed chunks, and what is forgotten as time goes on.

import { makeRoom, resetRange, widenRange } from './append';
import { OUT, ensureBuffer } from './buffers';
import { closeChunk } from './closed';
import { entryClosed, giveEntry, setEntryClosed, takeEntry } from './label-arena';
import { giveBlocks, giveNode, nodeMaxt, nodeMint, nodePrevious, setNodePrevious, takeNode } from './pools';
import {
  HAS_LAST, RARE, VALUE_UNKNOWN, entryOf, flagsOf, giveRecord, lastTime, mintOf, recordOf, sampleCount, setFlags, slotCount,
  slotOf, takeRecord,
} from './record';
import { insert, lookup, remove, reserveInTable } from './table';
import { newestBlock, resetChunk } from './xor';

/** The slot of a new series; 0 when memory is full, nothing being changed then. */
export function createSeries(labels: u32, length: u32, walRef: u64): u32 {
  if (!reserveInTable()) return 0;
  lookup(labels, length);
  let entry = takeEntry(labels, length, walRef);
  if (entry == 0) return 0;
  let rec = takeRecord(entry);
  if (rec == 0) {
    giveEntry(entry);
    return 0;
  }
  insert(rec);
  return slotOf(rec);
}

export function freeSeries(rec: u32): void {
  remove(rec);
  let entry = entryOf(rec);
  for (let node = entryClosed(entry); node != 0; ) {
    let older = nodePrevious(node);
    giveNode(node);
    node = older;
  }
  giveBlocks(newestBlock(rec));
  giveEntry(entry);
  giveRecord(rec);
}

/** 1 closed, 0 nothing to close, -1 when memory is full. */
export function closeOpen(rec: u32): i32 {
  if (sampleCount(rec) == 0) return 0;
  if (!makeRoom()) return -1;
  closeChunk(rec);
  return 1;
}

/** False when memory is full. */
export function addClosed(rec: u32, ref: u64, mint: i64, maxt: i64): bool {
  let flags = flagsOf(rec);
  let raises = (flags & RARE) == 0 && ((flags & HAS_LAST) == 0 || maxt > lastTime(rec));
  if (raises && closeOpen(rec) < 0) return false;
  if (!makeRoom()) return false;
  let entry = entryOf(rec);
  setEntryClosed(entry, takeNode(mint, maxt, ref, entryClosed(entry)));
  widenRange(mint, maxt);
  if (raises) {
    store<i64>(rec, maxt);
    setFlags(rec, flags | HAS_LAST | VALUE_UNKNOWN);
  }
  return true;
}

/** Forgets chunks that end before `mint`; how many slots are without samples then, listed in OUT. -1 when memory is full. */
export function truncate(mint: i64): i32 {
  let out = ensureBuffer(OUT, slotCount << 2, 0);
  if (out == 0) return -1;
  let count: u32 = 0;
  resetRange();
  for (let slot: u32 = 1; slot <= slotCount; slot++) {
    let rec = recordOf(slot);
    if (rec == 0) continue;
    dropClosed(entryOf(rec), mint);
    if (sampleCount(rec) != 0) {
      if (lastTime(rec) < mint) {
        giveBlocks(newestBlock(rec));
        resetChunk(rec);
      } else widenRange(mintOf(rec), lastTime(rec));
    }
    if (sampleCount(rec) != 0 || entryClosed(entryOf(rec)) != 0 || (flagsOf(rec) & RARE) != 0) continue;
    store<u32>(out + (count << 2), slot);
    count++;
  }
  return count as i32;
}

function dropClosed(entry: u32, mint: i64): void {
  let kept: u32 = 0;
  for (let node = entryClosed(entry); node != 0; ) {
    let older = nodePrevious(node);
    if (nodeMaxt(node) < mint) {
      if (kept != 0) setNodePrevious(kept, older);
      else setEntryClosed(entry, older);
      giveNode(node);
    } else {
      widenRange(nodeMint(node), nodeMaxt(node));
      kept = node;
    }
    node = older;
  }
}

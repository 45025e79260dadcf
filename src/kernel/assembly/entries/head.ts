// The memory of one head: what kernel/wasm-head-memory.ts calls. Slots it passes are checked here; a slot not in use is
// answered with BAD_SLOT. Times and values cross the border as f64.

import { appendSample, headMaxt, headMint, setBounds as setTimeBounds, setChunkRange } from '../append';
import { BODY, CLOSED, IN, LOG, OUT, bufferAt, bufferCapacity, ensureBuffer } from '../buffers';
import { closedPending as pendingBytes, setPosition, takeClosed as forgetClosed } from '../closed';
import { initCrc } from '../crc32c';
import { sortSlots } from '../sort';
import { gatherSlice, measure } from '../gather';
import { entryClosed, entryLabels, entryLength, entryWalRef, labelSlabs } from '../label-arena';
import { blockSlabs, nodeSlabs } from '../pools';
import {
  HAS_LAST, RARE, entryOf, flagsOf, initRecords, lastTime, recordOf, recordSlabs, reuseCollected as reuse, sampleCount, setFlags, slotOf,
} from '../record';
import { forgetRefs, mapRef, mappedRefs, replay as replayRecord } from '../replay';
import {
  adopt as adoptRecord, begin as beginRequest, createUndecided, currentRecord, endRequest, isUndecided, resume as resumeRequest,
} from '../request';
import { takeLog as forgetLog } from '../samples-log';
import { addClosed, closeOpen, createSeries, freeSeries, truncate as truncateAll } from '../series';
import { limitPages } from '../slabs';
import { snappyDecompress, snappySize } from '../snappy';
import { initTable, lookup, seriesCount as count, tableBytes as bytesOfTable } from '../table';

export { faultOffset as snappyOffset } from '../snappy';
export { applied, faultOffset as replayOffset, rare as replayRare, skipped, unknownRefs } from '../replay';
export {
  labelTotal, chunkTotal, dataTotal, labelsAt, labelEndsAt, chunkEndsAt, mintsAt, maxtsAt, refsAt, lengthsAt, dataAt,
} from '../gather';

const BAD_SLOT: i32 = -2;
const KNOWN: u32 = 0xffffffff;

/** Once, before anything else; false when there is no memory. */
export function init(chunkRange: u32, hashSeed: u32, pagesMax: u32): bool {
  limitPages(pagesMax);
  initCrc();
  setChunkRange(chunkRange);
  return initRecords() && initTable(hashSeed);
}

/** Room for `size` bytes of input, contents not kept; its address, 0 when memory is full. */
export function input(size: u32): u32 {
  return ensureBuffer(IN, size, 0);
}
export function inputCapacity(): u32 {
  return bufferCapacity(IN);
}
export function bodyAt(): u32 {
  return bufferAt(BODY);
}
export function logAt(): u32 {
  return bufferAt(LOG);
}
export function closedAt(): u32 {
  return bufferAt(CLOSED);
}
export function outAt(): u32 {
  return bufferAt(OUT);
}

export function seriesCount(): u32 {
  return count;
}
export function labelBytes(): u32 {
  return labelSlabs << 16;
}
export function recordBytes(): u32 {
  return recordSlabs << 16;
}
export function tableBytes(): u32 {
  return bytesOfTable();
}
export function blockBytes(): u32 {
  return blockSlabs << 16;
}
export function nodeBytes(): u32 {
  return nodeSlabs << 16;
}

/** The slot of the label bytes in IN; 0 when unknown. */
export function find(length: u32): u32 {
  let rec = lookup(bufferAt(IN), length);
  return rec == 0 ? 0 : slotOf(rec);
}
/** 0 when memory is full, KNOWN when the series is there already. */
export function create(length: u32, walRef: f64): u32 {
  if (lookup(bufferAt(IN), length) != 0) return KNOWN;
  return createSeries(bufferAt(IN), length, walRef as u64);
}
export function isSlot(slot: u32): bool {
  return recordOf(slot) != 0;
}
export function labelsOf(slot: u32): u32 {
  return entryLabels(entryOf(recordOf(slot)));
}
export function labelsLengthOf(slot: u32): u32 {
  return entryLength(entryOf(recordOf(slot)));
}
export function walRefOf(slot: u32): f64 {
  return entryWalRef(entryOf(recordOf(slot))) as f64;
}
export function lastTimeOf(slot: u32): f64 {
  let rec = recordOf(slot);
  return (flagsOf(rec) & HAS_LAST) != 0 ? (lastTime(rec) as f64) : -Infinity;
}
export function isRare(slot: u32): bool {
  return (flagsOf(recordOf(slot)) & RARE) != 0;
}
export function setRare(slot: u32, rare: bool): void {
  let rec = recordOf(slot);
  setFlags(rec, rare ? flagsOf(rec) | RARE : flagsOf(rec) & ~RARE);
}
export function sort(length: u32): bool {
  return sortSlots(length);
}

export function setBounds(min: f64, max: f64): void {
  setTimeBounds(min, max);
}
/** A SampleOutcome, 7 when memory is full, BAD_SLOT. */
export function append(slot: u32, t: f64, v: f64): i32 {
  let rec = recordOf(slot);
  return rec == 0 ? BAD_SLOT : (appendSample(rec, t as i64, reinterpret<u64>(v)) as i32);
}

/** As `append`, of the staleness marker: a signaling NaN, which engines may make a quiet one on its way from JavaScript. */
export function appendStale(slot: u32, t: f64): i32 {
  let rec = recordOf(slot);
  return rec == 0 ? BAD_SLOT : (appendSample(rec, t as i64, 0x7ff0000000000002) as i32);
}

/** Decodes the request in IN and stands before its first field. 0, a reason of snappy.ts, or -8 when memory is full. */
export function begin(length: u32, decodedMax: u32, isV2: bool): i32 {
  endRequest();
  let size = snappySize(bufferAt(IN), length, decodedMax);
  if (size < 0) return size;
  let body = ensureBuffer(BODY, size as u32, 0);
  if (body == 0) return -8;
  let fault = snappyDecompress(bufferAt(IN), length, body, size as u32);
  if (fault != 0) return fault;
  decodedLength = size as u32;
  if (beginRequest(size as u32, isV2)) return 0;
  endRequest();
  return -8;
}
export let decodedLength: u32 = 0;

export function resume(): u32 {
  return resumeRequest();
}
/** False when nothing was asked. */
export function adopt(slot: u32): bool {
  if (!isUndecided()) return false;
  adoptRecord(slot == 0 ? 0 : recordOf(slot));
  return true;
}
/** The slot, 0 when memory is full; -1 when nothing was asked. */
export function adoptNew(walRef: f64): i32 {
  return isUndecided() ? (createUndecided(walRef as u64) as i32) : -1;
}

export function takeLog(): u32 {
  return forgetLog();
}
export function mapWalRef(walRef: f64, slot: u32): bool {
  return mapRef(walRef as u64, recordOf(slot));
}
export function endReplay(): void {
  forgetRefs();
}
export function replay(length: u32): u32 {
  return replayRecord(length);
}

export function setChunkFilePosition(sequence: u32, offset: u32): void {
  setPosition(sequence, offset);
}
export function closedPending(): u32 {
  return pendingBytes();
}
export function takeClosed(): u32 {
  return forgetClosed();
}
export function addClosedChunk(slot: u32, ref: f64, mint: f64, maxt: f64): bool {
  return addClosed(recordOf(slot), ref as u64, mint as i64, maxt as i64);
}
export function closeOpenChunk(slot: u32): i32 {
  return closeOpen(recordOf(slot));
}
export function measureSlots(from: u32, to: u32, mint: f64, maxt: f64, newest: bool): bool {
  return measure(from, to, saturated(Math.ceil(mint)), saturated(Math.floor(maxt)), newest);
}
export function gatherSlots(from: u32, to: u32, mint: f64, maxt: f64, newest: bool): bool {
  return gatherSlice(from, to, saturated(Math.ceil(mint)), saturated(Math.floor(maxt)), newest);
}
/** Infinities become times beyond all samples. */
function saturated(t: f64): i64 {
  return max(min(t, 1e16), -1e16) as i64;
}
export function mint(): f64 {
  return headMint > headMaxt ? Infinity : (headMint as f64);
}
export function maxt(): f64 {
  return headMint > headMaxt ? -Infinity : (headMaxt as f64);
}
export function truncate(mint: f64): i32 {
  return truncateAll(saturated(Math.ceil(mint)));
}
export function isEmpty(slot: u32): bool {
  let rec = recordOf(slot);
  return sampleCount(rec) == 0 && entryClosed(entryOf(rec)) == 0;
}
export function reuseCollected(): void {
  reuse();
}
/** 0, or why not: 1 replay is under way, 2 the series is being appended to. */
export function collect(slot: u32): u32 {
  let rec = recordOf(slot);
  if (mappedRefs != 0) return 1;
  if (currentRecord() == rec) return 2;
  freeSeries(rec);
  return 0;
}

// A write request, 1.0 or 2.0, from its decoded bytes into the series it names. `resume` works until TypeScript has to
// decide something and says what (event.ts). The twin is plain-head-memory.ts with plain-write-request.ts.

import { DUPLICATE, NO_ROOM, OK, appendSample } from './append';
import { BODY, LABELS, REFS, SYMBOLS, bufferAt, ensureBuffer } from './buffers';
import { equalBytes, putUvarint, uvarintSize } from './bytes';
import {
  DONE, FULL, MALFORMED, NEW_SERIES, NONE, OTHER_FIELD, RARE_SERIES, REFUSED_SAMPLE, countSamples, describeSample, setEvent,
} from './event';
import { ENTRY_HEADER, LABEL_BYTES_MAX, entryLength } from './label-arena';
import { canonicalForm } from './labels';
import { RARE, entryOf, firstRecord, flagsOf, recordOf, setSuccessor, slotOf, successorOf } from './record';
import { createSeries } from './series';
import { lookup } from './table';
import {
  LABELS_TOO_LONG, ODD_REFERENCES, SYMBOL_OUT_OF_RANGE, TOO_MANY_LABEL_BYTES, TYPE_BYTES, TYPE_FIXED64, TYPE_VARINT, failed, fieldNumber,
  fieldType, isOfType, readField, readVarint, tagStart, valueEnd, valueStart, varint, wireReason,
} from './wire';

/** As in plain-write-request.ts. */
const LABEL_BUDGET_MIN: u64 = 1 << 20;
const LABEL_BYTES_PER_BODY_BYTE: u64 = 64;

let at: u32 = 0;
let end: u32 = 0;
let over: bool = true;
let isV2: bool = false;
let symbolCount: u32 = 0;
/** Label bytes that may still be made: a few references can stand for long labels, again and again. */
let labelBudget: u64 = 0;
/** The record whose successor is asked for next; kept from one request to the next. */
let previous: u32 = 0;

/** The TimeSeries whose samples are being appended: its record (0: none or undecided), where it goes on and ends. */
let current: u32 = 0;
let undecided: bool = false;
let currentAt: u32 = 0;
let currentStart: u32 = 0;
let currentEnd: u32 = 0;

/** Labels, and what else the scan of a TimeSeries found. */
let labels: u32 = 0;
let labelsLength: u32 = 0;
let hasSamples: bool = false;
let hasOthers: bool = false;
let metadataStart: u32 = 0;
let metadataEnd: u32 = 0;

/** Stands before the first field of the `length` bytes in BODY; false when memory is full. */
export function begin(length: u32, v2: bool): bool {
  at = bufferAt(BODY);
  end = at + length;
  over = false;
  isV2 = v2;
  current = 0;
  undecided = false;
  labelBudget = max<u64>(LABEL_BUDGET_MIN, LABEL_BYTES_PER_BODY_BYTE * (length as u64));
  setEvent(64, 0);
  setEvent(68, 0);
  if (previous == 0) previous = firstRecord();
  return previous != 0 && (!v2 || readSymbols());
}

export function endRequest(): void {
  over = true;
  current = 0;
  undecided = false;
}

/** The record whose samples are being appended; 0 when there is none. */
export function currentRecord(): u32 {
  return current;
}

export function isUndecided(): bool {
  return undecided;
}

/** Symbols up to the first field that cannot be read; `resume` will find that field again. */
function readSymbols(): bool {
  symbolCount = 0;
  for (let p = at; p < end && readField(p, end); p = valueEnd) {
    if (fieldNumber != 4 || fieldType != TYPE_BYTES) continue;
    let symbols = ensureBuffer(SYMBOLS, (symbolCount + 1) << 3, symbolCount << 3);
    if (symbols == 0) return false;
    store<u32>(symbols + (symbolCount << 3), valueStart);
    store<u32>(symbols + (symbolCount << 3), valueEnd - valueStart, 4);
    symbolCount++;
  }
  return true;
}

/** The record that gets the samples of the series just reported; 0 passes them over. */
export function adopt(rec: u32): void {
  undecided = false;
  current = rec;
  if (rec != 0) follow(rec);
}

/** Makes the series just reported, whose labels are canonical, and adopts it; its slot, 0 when memory is full. */
export function createUndecided(walRef: u64): u32 {
  let slot = createSeries(labels, labelsLength, walRef);
  if (slot != 0) adopt(recordOf(slot));
  return slot;
}

export function resume(): u32 {
  if (over) return DONE;
  undecided = false;
  if (current != 0) {
    let event = currentAt == currentStart && (flagsOf(current) & RARE) != 0 ? rareAfterAll() : appendRest();
    if (event != NONE) return event;
  }
  while (at < end) {
    if (!readField(at, end)) return malformed(tagStart);
    at = valueEnd;
    let event: u32;
    if (fieldNumber == (isV2 ? 5 : 1)) {
      if (!isOfType(TYPE_BYTES)) return malformed(tagStart);
      event = enter(valueStart, valueEnd);
    } else event = otherField();
    if (event != NONE) return event;
  }
  over = true;
  return DONE;
}

function malformed(p: u32): u32 {
  endRequest();
  setEvent(40, p - bufferAt(BODY));
  setEvent(44, wireReason);
  return MALFORMED;
}

function full(): u32 {
  endRequest();
  return FULL;
}

function otherField(): u32 {
  if (isV2 && fieldNumber == 4) return isOfType(TYPE_BYTES) ? NONE : malformed(tagStart);
  setEvent(32, fieldNumber);
  setEvent(16, valueStart - bufferAt(BODY));
  setEvent(20, valueEnd - bufferAt(BODY));
  return OTHER_FIELD;
}

@inline function follow(rec: u32): void {
  setSuccessor(previous, rec);
  previous = rec;
}

/** A TimeSeries: the likely series first, then the general way. */
function enter(start: u32, seriesEnd: u32): u32 {
  if (!isV2) {
    let rec = successorOf(previous);
    let entry = rec != 0 ? entryOf(rec) : 0;
    if (entry != 0) {
      let length = entryLength(entry);
      // The labels of the likely series, then exactly one sample of less than 128 bytes and nothing else.
      if (length + 2 <= seriesEnd - start && equalBytes(start, entry + ENTRY_HEADER, length)) {
        let p = start + length;
        if (load<u8>(p) == 0x12 && (load<u8>(p, 1) as u32) == seriesEnd - p - 2 && seriesEnd - p < 130 && (flagsOf(rec) & RARE) == 0) {
          previous = rec;
          return appendOne(rec, p + 2, seriesEnd);
        }
      }
    }
  }
  return enterSlowly(start, seriesEnd);
}

function enterSlowly(start: u32, seriesEnd: u32): u32 {
  currentStart = start;
  currentEnd = seriesEnd;
  let fault = isV2 ? scanV2(start, seriesEnd) : scan(start, seriesEnd);
  if (fault != 0) return fault == 1 ? full() : malformed(fault);
  if (!hasSamples && !hasOthers) return NONE;
  let rec = likely();
  if (rec == 0) rec = lookup(labels, labelsLength);
  let form: i32 = 1;
  if (rec == 0) {
    form = canonicalForm(labels, labelsLength);
    if (form < 0) return malformed(start);
  } else follow(rec);
  describeSeries(rec, form);
  if (hasOthers || (rec != 0 && (flagsOf(rec) & RARE) != 0)) return RARE_SERIES;
  currentAt = start;
  if (rec == 0) {
    undecided = true;
    return NEW_SERIES;
  }
  current = rec;
  return appendRest();
}

/** The successor, when it has these labels. */
function likely(): u32 {
  let rec = successorOf(previous);
  let entry = rec != 0 ? entryOf(rec) : 0;
  if (entry == 0 || entryLength(entry) != labelsLength) return 0;
  return equalBytes(labels, entry + ENTRY_HEADER, labelsLength) ? rec : 0;
}

function describeSeries(rec: u32, form: i32): void {
  let body = bufferAt(BODY);
  setEvent(0, rec != 0 ? slotOf(rec) : 0);
  setEvent(4, labels);
  setEvent(8, labelsLength);
  setEvent(12, form as u32);
  setEvent(16, currentStart - body);
  setEvent(20, currentEnd - body);
  setEvent(24, metadataEnd != 0 ? metadataStart - body : 0);
  setEvent(28, metadataEnd != 0 ? metadataEnd - body : 0);
}

/** The adopted series is rare: the event described it already, but for the slot. */
function rareAfterAll(): u32 {
  setEvent(0, slotOf(current));
  current = 0;
  return RARE_SERIES;
}

/**
 * Checks all fields of a 1.0 TimeSeries and finds its labels, put together in LABELS when they are not in one piece at the
 * beginning. 0, 1 when memory is full, or where it does not parse.
 */
function scan(start: u32, seriesEnd: u32): u32 {
  hasSamples = false;
  hasOthers = false;
  metadataEnd = 0;
  labels = start;
  labelsLength = 0;
  let p = skipLabels(start, seriesEnd);
  labelsLength = p - start;
  let inOnePiece = true;
  for (; p < seriesEnd; p = valueEnd) {
    if (!readField(p, seriesEnd)) return tagStart;
    if (fieldNumber > 4) continue;
    if (!isOfType(TYPE_BYTES)) return tagStart;
    if (fieldNumber == 1) {
      if (p != start + labelsLength) inOnePiece = false;
      labelsLength += valueEnd - p;
    } else if (fieldNumber == 2) hasSamples = true;
    else hasOthers = true;
  }
  return inOnePiece || collectLabels(start, seriesEnd) ? 0 : 1;
}

/** Passes over the labels in front whose size is one byte. */
@inline function skipLabels(p: u32, seriesEnd: u32): u32 {
  while (seriesEnd - p >= 2 && load<u8>(p) == 0x0a) {
    let size = load<u8>(p, 1) as u32;
    if (size >= 128 || size > seriesEnd - p - 2) break;
    p += 2 + size;
  }
  return p;
}

function collectLabels(start: u32, seriesEnd: u32): bool {
  let to = ensureBuffer(LABELS, labelsLength, 0);
  if (to == 0) return false;
  labels = to;
  for (let p = start; p < seriesEnd; p = valueEnd) {
    readField(p, seriesEnd);
    if (fieldNumber != 1) continue;
    memory.copy(to, p, valueEnd - p);
    to += valueEnd - p;
  }
  return true;
}

/** The same for 2.0: labels are made from symbols. */
function scanV2(start: u32, seriesEnd: u32): u32 {
  hasSamples = false;
  hasOthers = false;
  metadataEnd = 0;
  let refs = ensureBuffer(REFS, (seriesEnd - start) << 2, 0);
  if (refs == 0) return 1;
  let refsEnd = refs;
  for (let p = start; p < seriesEnd; ) {
    if (!readField(p, seriesEnd)) return tagStart;
    p = valueEnd;
    if (fieldNumber > 5) continue;
    if (fieldNumber == 1) {
      if (fieldType != TYPE_VARINT && !isOfType(TYPE_BYTES)) return tagStart;
      refsEnd = readRefs(refsEnd);
      if (refsEnd == 0) return tagStart;
      continue;
    }
    if (!isOfType(TYPE_BYTES)) return tagStart;
    if (fieldNumber == 2) hasSamples = true;
    else if (fieldNumber == 5) {
      metadataStart = valueStart;
      metadataEnd = valueEnd;
    } else hasOthers = true;
  }
  return buildLabels(refs, refsEnd, start);
}

/** The varints of the field read last, packed or single; the place after them, 0 when one cannot be read. */
function readRefs(to: u32): u32 {
  let p = valueStart;
  while (p < valueEnd) {
    p = readVarint(p, valueEnd);
    if (p == 0) return 0;
    store<u32>(to, varint >= (symbolCount as u64) ? u32.MAX_VALUE : (varint as u32));
    to += 4;
  }
  return to;
}

function buildLabels(refs: u32, refsEnd: u32, start: u32): u32 {
  if (((refsEnd - refs) & 4) != 0) return fault(ODD_REFERENCES, start);
  let to = ensureBuffer(LABELS, LABEL_BYTES_MAX, 0);
  if (to == 0) return 1;
  labels = to;
  let limit = (to as u64) + (LABEL_BYTES_MAX as u64);
  let symbols = bufferAt(SYMBOLS);
  for (; refs < refsEnd; refs += 8) {
    let name = load<u32>(refs);
    let value = load<u32>(refs, 4);
    if (name >= symbolCount || value >= symbolCount) return fault(SYMBOL_OUT_OF_RANGE, start);
    let nameLength = load<u32>(symbols + (name << 3), 4);
    let valueLength = load<u32>(symbols + (value << 3), 4);
    let size = 2 + (nameLength as u64) + (valueLength as u64) + (uvarintSize(nameLength) + uvarintSize(valueLength) as u64);
    if ((to as u64) + 1 + (uvarintSize(size) as u64) + size > limit) return fault(LABELS_TOO_LONG, start);
    store<u8>(to, 0x0a);
    to = putUvarint(to + 1, size);
    to = putText(to, 0x0a, load<u32>(symbols + (name << 3)), nameLength);
    to = putText(to, 0x12, load<u32>(symbols + (value << 3)), valueLength);
  }
  labelsLength = to - labels;
  if ((labelsLength as u64) > labelBudget) return fault(TOO_MANY_LABEL_BYTES, start);
  labelBudget -= labelsLength as u64;
  return 0;
}

function fault(reason: u32, p: u32): u32 {
  failed(reason);
  return p;
}

@inline function putText(to: u32, tag: u8, text: u32, length: u32): u32 {
  store<u8>(to, tag);
  to = putUvarint(to + 1, length as u64);
  // Both buffers end in SLACK, so that short texts are copied in whole vectors.
  if (length <= 64) for (let k: u32 = 0; k < length; k += 16) v128.store(to + k, v128.load(text + k));
  else memory.copy(to, text, length);
  return to + length;
}

/** Appends the samples not yet appended of the TimeSeries under way. */
function appendRest(): u32 {
  while (currentAt < currentEnd) {
    readField(currentAt, currentEnd);
    currentAt = valueEnd;
    if (fieldNumber != 2) continue;
    let event = appendOne(current, valueStart, valueEnd);
    if (event != NONE) return event;
  }
  current = 0;
  return NONE;
}

/** Appends the sample at p … sampleEnd, in the usual form: value, then time, nothing else. */
@inline function appendOne(rec: u32, p: u32, sampleEnd: u32): u32 {
  let t: i64;
  let v: u64;
  if (sampleEnd - p > 10 && load<u8>(p) == 0x09 && load<u8>(p, 9) == 0x10) {
    v = load<u64>(p, 1);
    if (readVarint(p + 10, sampleEnd) != sampleEnd) return appendOddly(rec, p, sampleEnd);
    t = varint as i64;
  } else return appendOddly(rec, p, sampleEnd);
  return judged(rec, t, v);
}

/** A sample in another form than the usual one. */
function appendOddly(rec: u32, p: u32, sampleEnd: u32): u32 {
  let t: i64 = 0;
  let v: u64 = 0;
  for (; p < sampleEnd; p = valueEnd) {
    if (!readField(p, sampleEnd)) return malformed(tagStart);
    if (fieldNumber == 1) {
      if (!isOfType(TYPE_FIXED64)) return malformed(tagStart);
      v = load<u64>(valueStart);
    } else if (fieldNumber == 2) {
      if (!isOfType(TYPE_VARINT)) return malformed(tagStart);
      readVarint(valueStart, valueEnd);
      t = varint as i64;
    }
  }
  return judged(rec, t, v);
}

@inline function judged(rec: u32, t: i64, v: u64): u32 {
  let outcome = appendSample(rec, t, v);
  if (outcome == OK) {
    countSamples(1, 0);
    return NONE;
  }
  return notAppended(rec, outcome, t, v);
}

function notAppended(rec: u32, outcome: u32, t: i64, v: u64): u32 {
  if (outcome == DUPLICATE) {
    countSamples(1, 1);
    return NONE;
  }
  if (outcome == NO_ROOM) return full();
  describeSample(slotOf(rec), outcome, t, v);
  return REFUSED_SAMPLE;
}

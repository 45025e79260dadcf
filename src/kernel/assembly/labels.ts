// The form of label bytes (encoding/label-bytes.ts): whether a request has it, and the order of label sets.

import { compareBytes } from './bytes';
import { TYPE_BYTES, fieldNumber, isOfType, readField, valueEnd, valueStart } from './wire';

/** 1 canonical, 0 another form, -1 does not parse (`wireReason`). */
export function canonicalForm(labels: u32, length: u32): i32 {
  return isCanonical(labels, labels + length) ? 1 : parses(labels, labels + length) ? 0 : -1;
}

let textAt: u32 = 0;
let textLength: u32 = 0;

function isCanonical(p: u32, end: u32): bool {
  let nameAt: u32 = 0;
  let nameLength: u32 = 0;
  while (p < end) {
    p = readText(p, end, 0x0a);
    if (p == 0) return false;
    let labelEnd = p;
    let q = readText(textAt, labelEnd, 0x0a);
    if (q == 0) return false;
    if (nameAt != 0 && compareBytes(nameAt, nameLength, textAt, textLength) >= 0) return false;
    nameAt = textAt;
    nameLength = textLength;
    q = readText(q, labelEnd, 0x12);
    if (q != labelEnd || textLength == 0) return false;
  }
  return true;
}

/** Reads tag, minimal length and contents; the place after them, 0 when it is not that. */
function readText(p: u32, end: u32, tag: u32): u32 {
  if (p >= end || load<u8>(p) != tag) return 0;
  p++;
  let length: u32 = 0;
  for (let shift: u32 = 0; ; shift += 7) {
    if (p >= end || shift > 21) return 0;
    let b = load<u8>(p++) as u32;
    length |= (b & 127) << shift;
    if (b < 128) {
      if (b == 0 && shift != 0) return 0;
      break;
    }
  }
  if (length > end - p) return 0;
  textAt = p;
  textLength = length;
  return p + length;
}

function parses(p: u32, end: u32): bool {
  while (p < end) {
    if (!readField(p, end) || !isOfType(TYPE_BYTES)) return false;
    let labelEnd = valueEnd;
    for (let q = valueStart; q < labelEnd; q = valueEnd) {
      if (!readField(q, labelEnd)) return false;
      if ((fieldNumber == 1 || fieldNumber == 2) && !isOfType(TYPE_BYTES)) return false;
    }
    p = labelEnd;
  }
  return true;
}

/** Orders two canonical label sets: pair by pair, name then value, the shorter set first. */
export function compareLabels(a: u32, aLength: u32, b: u32, bLength: u32): i32 {
  let aEnd = a + aLength;
  let bEnd = b + bLength;
  while (a < aEnd && b < bEnd) {
    let aNext = readText(a, aEnd, 0x0a);
    let aName = textAt;
    let bNext = readText(b, bEnd, 0x0a);
    let bName = textAt;
    if (aNext == 0 || bNext == 0) return 0;
    let order = compareText(aName, aNext, bName, bNext, 0x0a);
    if (order != 0) return order;
    order = compareText(afterA, aNext, afterB, bNext, 0x12);
    if (order != 0) return order;
    a = aNext;
    b = bNext;
  }
  return a < aEnd ? 1 : b < bEnd ? -1 : 0;
}

let afterA: u32 = 0;
let afterB: u32 = 0;

@inline function compareText(a: u32, aEnd: u32, b: u32, bEnd: u32, tag: u32): i32 {
  afterA = readText(a, aEnd, tag);
  let aAt = textAt;
  let aLength = textLength;
  afterB = readText(b, bEnd, tag);
  return compareBytes(aAt, aLength, textAt, textLength);
}

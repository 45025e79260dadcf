// What a target exposes, beside what it exposed the last time: the same lines in the same order, other values. As soon as
// anything else comes the answer is MISMATCH, and the body is read the long way.
//
//   text     the lines without their values, one after the other
//   records  u32 each: length of a part of the text, shifted left by one; the lowest bit is set when a value follows it
//
// A value stands behind one space and ends with the line. What is not a short decimal number is left to the caller: its
// place in the body, start and end, goes to a list.

import { equalBytes } from './bytes';
import { POWERS } from './layout';

const MISMATCH: i32 = -1;

const NEWLINE: u32 = 0x0a;
const SPACE: u32 = 0x20;
const PLUS: u32 = 0x2b;
const MINUS: u32 = 0x2d;
const POINT: u32 = 0x2e;
const ZERO: u32 = 0x30;

/** Digits of an integer that a float has exactly, whatever they are; so it has powers of ten up to 22. */
const DIGITS_MAX: u32 = 15;

/** Values left to the caller. */
export let oddCount: u32 = 0;

/** Powers of ten from 0 to 15, f64. */
export function initPowers(): void {
  let power: f64 = 1;
  for (let i: u32 = 0; i <= DIGITS_MAX; i++, power *= 10) store<f64>(POWERS + (i << 3), power);
}

/**
 * Values of the body's lines as f64, in their order; how many, or MISMATCH. An odd one is 0, and its number and place are in
 * the list, three u32. There is room for one of each per record.
 */
export function matchBody(
  body: u32,
  length: u32,
  text: u32,
  records: u32,
  recordCount: u32,
  values: u32,
  odd: u32,
): i32 {
  oddCount = 0;
  let p = body;
  let end = body + length;
  let count: u32 = 0;
  for (let i: u32 = 0; i < recordCount; i++) {
    let record = load<u32>(records + (i << 2));
    let size = record >> 1;
    if (size > end - p || !equalBytes(p, text, size)) return MISMATCH;
    p += size;
    text += size;
    if ((record & 1) == 0) continue;
    let lineEnd = takeValue(p, end, values + (count << 3));
    if (lineEnd == 0) {
      lineEnd = endOfOdd(p, end);
      if (lineEnd == 0) return MISMATCH;
      let place = odd + oddCount * 12;
      store<u32>(place, count);
      store<u32>(place, p + 1 - body, 4);
      store<u32>(place, lineEnd - 1 - body, 8);
      oddCount++;
    }
    p = lineEnd;
    count++;
  }
  return p == end ? (count as i32) : MISMATCH;
}

/** Reads a space, a decimal number and the end of the line; what follows, or 0 when it is something else. */
@inline function takeValue(p: u32, end: u32, value: u32): u32 {
  if (p >= end || load<u8>(p) != SPACE) return 0;
  p++;
  let sign = p < end ? (load<u8>(p) as u32) : 0;
  if (sign == MINUS || sign == PLUS) p++;
  let first = p;
  let mantissa: u64 = 0;
  let digit = digitAt(p, end);
  for (; digit < 10; digit = digitAt(++p, end)) mantissa = mantissa * 10 + (digit as u64);
  let digits = p - first;
  let scale: u32 = 0;
  if (digit == POINT - ZERO) {
    let point = ++p;
    for (digit = digitAt(p, end); digit < 10; digit = digitAt(++p, end)) mantissa = mantissa * 10 + (digit as u64);
    scale = p - point;
    digits += scale;
  }
  if (digits == 0 || digits > DIGITS_MAX || digit != NEWLINE - ZERO) return 0;
  let number = mantissa as f64;
  if (scale != 0) number /= load<f64>(POWERS + (scale << 3));
  store<f64>(value, sign == MINUS ? -number : number);
  return p + 1;
}

/** Below 10 for a digit; any other byte less ZERO, wrapped around; never that of a digit, point or line end at the end. */
@inline function digitAt(p: u32, end: u32): u32 {
  return p < end ? (load<u8>(p) as u32) - ZERO : 255;
}

/** Where the line ends of a value that is one word behind a space; 0 when there is more, or less. */
function endOfOdd(p: u32, end: u32): u32 {
  if (p >= end || load<u8>(p) != SPACE) return 0;
  let start = ++p;
  for (; p < end; p++) {
    let byte = load<u8>(p) as u32;
    if (byte == NEWLINE) return p == start ? 0 : p + 1;
    if (byte <= SPACE || byte == 0x7b || byte == 0x23) return 0;
  }
  return 0;
}

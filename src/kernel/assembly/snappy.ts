// Snappy blocks; drawing and twin in encoding/snappy.ts. Copies move 16 bytes at a time and may write up to SLACK bytes
// past the end of the output, and read as many past the input; every length is checked before it is used.

import { readVarint, varint } from './wire';

/** What is wrong, numbered as in bytes-kernel.ts. */
export const BAD_LENGTH: i32 = -1;
export const TOO_LARGE: i32 = -2;
export const BEYOND_EXPANSION: i32 = -3;
export const CUT_OFF: i32 = -4;
export const OUTPUT_LONGER: i32 = -5;
export const BAD_COPY: i32 = -6;
export const OUTPUT_SHORTER: i32 = -7;
const EXPANSION_MAX: u32 = 22;

/** Where the element that is wrong begins; after TOO_LARGE the size announced. */
export let faultOffset: u32 = 0;
/** Bytes of the length in front. */
let prefix: u32 = 0;

/** The size announced, or what is wrong with it. */
export function snappySize(source: u32, length: u32, sizeMax: u32): i32 {
  faultOffset = 0;
  let next = readVarint(source, source + length);
  if (next == 0 || next - source > 5 || varint > 0xffffffff) return BAD_LENGTH;
  prefix = next - source;
  if (varint > (sizeMax as u64)) {
    faultOffset = varint as u32;
    return TOO_LARGE;
  }
  if (varint > (length as u64) * (EXPANSION_MAX as u64)) return BEYOND_EXPANSION;
  return varint as i32;
}

@inline function copy16(to: u32, from: u32): void {
  v128.store(to, v128.load(from));
}

/** Decodes what `snappySize` just looked at; `target` has room for `size` bytes. 0, or what is wrong. */
export function snappyDecompress(source: u32, length: u32, target: u32, size: u32): i32 {
  let p = source + prefix;
  let end = source + length;
  let out = target;
  let outEnd = target + size;
  while (p < end) {
    let start = p;
    let tag = load<u8>(p++) as u32;
    let kind = tag & 3;
    let n = (tag >> 2) + 1;
    if (kind == 0) {
      if (n > 60) {
        let extra = n - 60;
        if (extra > end - p) return fault(CUT_OFF, start, source);
        let x = load<u32>(p);
        if (extra < 4) x &= ((1 as u32) << (extra << 3)) - 1;
        p += extra;
        if (x >= end - p) return fault(CUT_OFF, start, source);
        n = x + 1;
      } else if (n > end - p) return fault(CUT_OFF, start, source);
      if (n > outEnd - out) return fault(OUTPUT_LONGER, start, source);
      if (n <= 128) for (let k: u32 = 0; k < n; k += 16) copy16(out + k, p + k);
      else memory.copy(out, p, n);
      p += n;
      out += n;
      continue;
    }
    let offset: u32;
    if (kind == 1) {
      if (p == end) return fault(CUT_OFF, start, source);
      n = ((tag >> 2) & 7) + 4;
      offset = ((tag >> 5) << 8) | (load<u8>(p) as u32);
      p += 1;
    } else if (kind == 2) {
      if (end - p < 2) return fault(CUT_OFF, start, source);
      offset = load<u16>(p);
      p += 2;
    } else {
      if (end - p < 4) return fault(CUT_OFF, start, source);
      offset = load<u32>(p);
      p += 4;
    }
    if (offset == 0 || offset > out - target) return fault(BAD_COPY, start, source);
    if (n > outEnd - out) return fault(OUTPUT_LONGER, start, source);
    copyBack(out, offset, n);
    out += n;
  }
  return out == outEnd ? 0 : fault(OUTPUT_SHORTER, end, source);
}

@inline function fault(reason: i32, at: u32, source: u32): i32 {
  faultOffset = at - source;
  return reason;
}

/** Copies n ≤ 64 bytes from `offset` before; source and target overlap when `offset` < n. */
@inline function copyBack(out: u32, offset: u32, n: u32): void {
  let from = out - offset;
  if (offset >= 16) {
    copy16(out, from);
    if (n > 16) {
      copy16(out + 16, from + 16);
      if (n > 32) {
        copy16(out + 32, from + 32);
        if (n > 48) copy16(out + 48, from + 48);
      }
    }
  } else if (offset >= 8) {
    for (let k: u32 = 0; k < n; k += 8) store<u64>(out + k, load<u64>(from + k));
  } else {
    for (let k: u32 = 0; k < n; k++) store<u8>(out + k, load<u8>(from + k));
  }
}

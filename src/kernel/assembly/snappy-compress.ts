// Snappy's block form, as google/snappy writes it: matches found through a table of the last 64 KiB, skipping faster the
// longer nothing matches. Format in encoding/snappy.ts.

import { takeSlab } from './slabs';

const FRAGMENT: u32 = 65536;
const TABLE_BITS_MAX: u32 = 14;
/** A fragment's last bytes are literals: loads of 16 bytes stay inside. */
const MARGIN: u32 = 15;

let table: u32 = 0;

export function compressedMax(length: u32): u32 {
  return 32 + length + length / 6;
}

/** Compresses into `out`, which has room for `compressedMax`; the length, 0 when memory is full. */
export function snappyCompress(source: u32, length: u32, out: u32): u32 {
  if (table == 0) table = takeSlab();
  if (table == 0) return 0;
  let to = out;
  for (let u = length; ; u >>= 7) {
    if (u < 128) {
      store<u8>(to++, u as u8);
      break;
    }
    store<u8>(to++, ((u & 127) | 128) as u8);
  }
  let end = source + length;
  for (let p = source; p < end; p += FRAGMENT) to = compressFragment(p, min(p + FRAGMENT, end), to);
  return to - out;
}

@inline function hash(p: u32, shift: u32): u32 {
  return (load<u32>(p) * 0x1e35a7bd) >> shift;
}

function compressFragment(start: u32, end: u32, to: u32): u32 {
  let pending = start;
  if (end - start >= MARGIN) {
    let bits: u32 = 8;
    while (bits < TABLE_BITS_MAX && ((1 as u32) << bits) < end - start) bits++;
    memory.fill(table, 0, (2 as u32) << bits);
    let shift = 32 - bits;
    let limit = end - MARGIN;
    let p = start + 1;
    while (true) {
      let skip: u32 = 32;
      let match: u32 = 0;
      for (;;) {
        if (p > limit) return putLiteral(to, pending, end - pending);
        let place = table + (hash(p, shift) << 1);
        match = start + (load<u16>(place) as u32);
        store<u16>(place, (p - start) as u16);
        if (load<u32>(p) == load<u32>(match)) break;
        p += skip >> 5;
        skip += skip >> 5;
      }
      to = putLiteral(to, pending, p - pending);
      do {
        let n = matchLength(p, match, end);
        to = putCopy(to, p - match, n);
        p += n;
        pending = p;
        if (p >= limit) return putLiteral(to, pending, end - pending);
        store<u16>(table + (hash(p - 1, shift) << 1), (p - 1 - start) as u16);
        let place = table + (hash(p, shift) << 1);
        match = start + (load<u16>(place) as u32);
        store<u16>(place, (p - start) as u16);
      } while (load<u32>(p) == load<u32>(match));
      p++;
    }
  }
  return putLiteral(to, pending, end - pending);
}

/** How far p … end agrees with what is at `match` < p; at least 4, known to agree. */
@inline function matchLength(p: u32, match: u32, end: u32): u32 {
  let n: u32 = 4;
  let most = end - p;
  for (; n + 8 <= most; n += 8) {
    let x = load<u64>(p + n) ^ load<u64>(match + n);
    if (x != 0) return n + ((ctz<u64>(x) >> 3) as u32);
  }
  while (n < most && load<u8>(p + n) == load<u8>(match + n)) n++;
  return n;
}

@inline function putLiteral(to: u32, from: u32, length: u32): u32 {
  if (length == 0) return to;
  let n = length - 1;
  if (n < 60) store<u8>(to++, (n << 2) as u8);
  else if (n < 256) {
    store<u8>(to, 60 << 2);
    store<u8>(to, n as u8, 1);
    to += 2;
  } else {
    store<u8>(to, 61 << 2);
    store<u16>(to, n as u16, 1);
    to += 3;
  }
  if (length <= 16) v128.store(to, v128.load(from));
  else memory.copy(to, from, length);
  return to + length;
}

/** Never leaves a rest shorter than 4. */
@inline function putCopy(to: u32, offset: u32, n: u32): u32 {
  for (; n >= 68; n -= 64) to = putTwoByteCopy(to, offset, 64);
  if (n > 64) {
    to = putTwoByteCopy(to, offset, 60);
    n -= 60;
  }
  if (n >= 12 || offset >= 2048) return putTwoByteCopy(to, offset, n);
  store<u8>(to, (((offset >> 8) << 5) | ((n - 4) << 2) | 1) as u8);
  store<u8>(to, offset as u8, 1);
  return to + 2;
}

@inline function putTwoByteCopy(to: u32, offset: u32, n: u32): u32 {
  store<u8>(to, (((n - 1) << 2) | 2) as u8);
  store<u16>(to, offset as u16, 1);
  return to + 3;
}

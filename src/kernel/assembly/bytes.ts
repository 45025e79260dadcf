// Comparing, hashing and turning bytes around. Nothing here reads outside the range it is given.

@inline export function swap(x: u64): u64 {
  let v = i64x2.splat(x as i64);
  return v128.extract_lane<u64>(v128.shuffle<u8>(v, v, 7, 6, 5, 4, 3, 2, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0), 0);
}

@inline export function storeBe64(p: u32, x: u64): void {
  store<u64>(p, swap(x));
}

@inline export function loadBe64(p: u32): u64 {
  return swap(load<u64>(p));
}

@inline function differ16(a: u32, b: u32): bool {
  return v128.any_true(v128.xor(v128.load(a), v128.load(b)));
}

/** Whether two ranges of the same length hold the same bytes. */
@inline export function equalBytes(a: u32, b: u32, length: u32): bool {
  if (length < 16) return equalShort(a, b, length);
  let end = a + length - 16;
  let bEnd = b + length - 16;
  for (; a < end; a += 16, b += 16) if (differ16(a, b)) return false;
  return !differ16(end, bEnd);
}

function equalShort(a: u32, b: u32, length: u32): bool {
  for (; length >= 4; length -= 4, a += 4, b += 4) if (load<u32>(a) != load<u32>(b)) return false;
  for (; length != 0; length--, a++, b++) if (load<u8>(a) != load<u8>(b)) return false;
  return true;
}

/** Orders byte strings, the shorter first where one begins with the other: < 0, 0, > 0. */
export function compareBytes(a: u32, aLength: u32, b: u32, bLength: u32): i32 {
  let length = min(aLength, bLength);
  let i: u32 = 0;
  for (; i + 8 <= length; i += 8) {
    let x = load<u64>(a + i);
    let y = load<u64>(b + i);
    if (x != y) return swap(x) < swap(y) ? -1 : 1;
  }
  for (; i < length; i++) {
    let x = load<u8>(a + i) as i32;
    let y = load<u8>(b + i) as i32;
    if (x != y) return x - y;
  }
  return (aLength as i32) - (bLength as i32);
}

const P1: u64 = 0x9e3779b185ebca87;
const P2: u64 = 0xc2b2ae3d27d4eb4f;
const P3: u64 = 0x165667b19e3779f9;
const P4: u64 = 0x85ebca77c2b2ae63;
const P5: u64 = 0x27d4eb2f165667c5;

@inline function round(acc: u64, lane: u64): u64 {
  return rotl<u64>(acc + lane * P2, 31) * P1;
}

@inline function mergeRound(h: u64, acc: u64): u64 {
  return (h ^ round(0, acc)) * P1 + P4;
}

/** xxHash64 (Yann Collet). */
export function hash64(p: u32, length: u32, seed: u64): u64 {
  let end = p + length;
  let h = seed + P5;
  if (length >= 32) {
    let a = seed + P1 + P2;
    let b = seed + P2;
    let c = seed;
    let d = seed - P1;
    let last = end - 32;
    for (; p <= last; p += 32) {
      a = round(a, load<u64>(p));
      b = round(b, load<u64>(p, 8));
      c = round(c, load<u64>(p, 16));
      d = round(d, load<u64>(p, 24));
    }
    h = rotl<u64>(a, 1) + rotl<u64>(b, 7) + rotl<u64>(c, 12) + rotl<u64>(d, 18);
    h = mergeRound(mergeRound(mergeRound(mergeRound(h, a), b), c), d);
  }
  h += length as u64;
  for (; p + 8 <= end; p += 8) h = rotl<u64>(h ^ round(0, load<u64>(p)), 27) * P1 + P4;
  if (p + 4 <= end) {
    h = rotl<u64>(h ^ ((load<u32>(p) as u64) * P1), 23) * P2 + P3;
    p += 4;
  }
  for (; p < end; p++) h = rotl<u64>(h ^ ((load<u8>(p) as u64) * P5), 11) * P1;
  h = (h ^ (h >> 33)) * P2;
  h = (h ^ (h >> 29)) * P3;
  return h ^ (h >> 32);
}

/** Bytes of a value as a varint. */
export function uvarintSize(value: u64): u32 {
  let size: u32 = 1;
  for (; value >= 128; value >>= 7) size++;
  return size;
}

/** Writes a varint and returns the place after it. */
@inline export function putUvarint(p: u32, value: u64): u32 {
  for (; value >= 128; value >>= 7) store<u8>(p++, ((value & 127) | 128) as u8);
  store<u8>(p++, value as u8);
  return p;
}

@inline export function zigzag(value: i64): u64 {
  return ((value << 1) ^ (value >> 63)) as u64;
}

@inline export function unzigzag(value: u64): i64 {
  return ((value >> 1) as i64) ^ -((value & 1) as i64);
}

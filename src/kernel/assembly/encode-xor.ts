// Columns of float64 times and raw 64-bit values → XOR chunks (drawing: chunkenc/xor.ts), to the byte as chunkenc's
// `XorAppender` writes them: a window of bits is used again as long as it is wide enough.

import { storeBe64, zigzag } from './bytes';

// Bits from the top of `word`, of which `used` are taken; whole words go to `at`.
let word: u64 = 0;
let used: u32 = 0;
let at: u32 = 0;

// Appends the low `n` (1 … 64) bits of `bits`, the others being 0.
@inline function emit(bits: u64, n: u32): void {
  let total = used + n;
  if (total < 64) {
    word |= bits << ((64 - total) as u64);
    used = total;
    return;
  }
  let rest = total - 64;
  storeBe64(at, word | (bits >> (rest as u64)));
  at += 8;
  word = rest != 0 ? bits << ((64 - rest) as u64) : 0;
  used = rest;
}

function emitUvarint(value: u64): void {
  for (; value >= 128; value >>= 7) emit((value & 127) | 128, 8);
  emit(value, 8);
}

const NO_WINDOW: u32 = 255;
let leadingKept: u32 = 0;
let trailingKept: u32 = 0;

// Bytes that a chunk of `n` samples takes at most, and a word more that may be written over.
export function xorSizeMax(n: u32): u32 {
  return 40 + 19 * n;
}

/** Writes samples 0 … n (1 … 65,535) at `out`; returns the number of bytes. Times are integers that do not go back. */
export function encodeXor(times: usize, values: usize, n: u32, out: usize): u32 {
  word = (n as u64) << 48;
  used = 16;
  at = out as u32;
  let t = load<f64>(times) as i64, v = load<u64>(values);
  emitUvarint(zigzag(t));
  emit(v, 64);
  leadingKept = NO_WINDOW;
  let delta: i64 = 0;
  for (let i: u32 = 1; i < n; i++) {
    times += 8;
    values += 8;
    let nextT = load<f64>(times) as i64, nextV = load<u64>(values);
    let nextDelta = nextT - t;
    if (i == 1) {
      emitUvarint(nextDelta as u64);
      emitValue(0, 0, nextV ^ v);
    } else emitNext(nextDelta - delta, nextV ^ v);
    t = nextT;
    v = nextV;
    delta = nextDelta;
  }
  if (used != 0) storeBe64(at, word);
  return at - (out as u32) + ((used + 7) >> 3);
}

@inline function emitNext(dod: i64, x: u64): void {
  if (dod == 0) emitValue(0, 1, x);
  else if (dod >= -8191 && dod <= 8192) emitValue(0x8000 | ((dod as u64) & 0x3fff), 16, x);
  else if (dod >= -65535 && dod <= 65536) emitValue(0xc0000 | ((dod as u64) & 0x1ffff), 20, x);
  else if (dod >= -524287 && dod <= 524288) emitValue(0xe00000 | ((dod as u64) & 0xfffff), 24, x);
  else {
    emit(15, 4);
    emit(dod as u64, 64);
    emitValue(0, 0, x);
  }
}

// The XOR `x`, in one go with the `n` (≤ 24) bits of `head` where 64 bits hold both.
function emitValue(head: u64, n: u32, x: u64): void {
  if (x == 0) {
    emit(head << 1, n + 1);
    return;
  }
  let leading = min<u32>(clz<u64>(x) as u32, 31), trailing = ctz<u64>(x) as u32;
  if (leadingKept != NO_WINDOW && leading >= leadingKept && trailing >= trailingKept) {
    let size = 64 - leadingKept - trailingKept;
    head = (head << 2) | 2;
    n += 2;
    x >>= trailingKept as u64;
    if (n + size <= 64) emit((head << (size as u64)) | x, n + size);
    else {
      emit(head, n);
      emit(x, size);
    }
    return;
  }
  leadingKept = leading;
  trailingKept = trailing;
  let size = 64 - leading - trailing;
  emit((head << 13) | (3 << 11) | ((leading as u64) << 6) | ((size & 63) as u64), n + 13);
  emit(x >> (trailing as u64), size);
}

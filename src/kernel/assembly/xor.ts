// The open chunk of a record: bits from the top of an accumulator into words, words into blocks linked backwards. The
// drawing of the bits is in chunkenc/xor.ts, the twin in plain-chunk.ts; the 2-byte count is added when it is copied out.

import { putUvarint, storeBe64, swap, uvarintSize, zigzag } from './bytes';
import { BLOCK_DATA, takeBlock } from './pools';
import { NO_LEADING, lastTime, lastValue, sampleCount } from './record';

const COUNT_SIZE: u32 = 2;

@inline export function newestBlock(rec: u32): u32 {
  return load<u32>(rec, 48);
}

/** Appends the low `n` (1 … 64) bits of `u`, the others being 0. */
@inline function emit(rec: u32, u: u64, n: u32): void {
  let used = load<u8>(rec, 53) as u32;
  let bits = load<u64>(rec, 24);
  let total = used + n;
  if (total < 64) {
    store<u64>(rec, bits | (u << ((64 - total) as u64)), 24);
    store<u8>(rec, total as u8, 53);
    return;
  }
  let rest = total - 64;
  pushWord(rec, bits | (u >> (rest as u64)));
  store<u64>(rec, rest != 0 ? u << ((64 - rest) as u64) : 0, 24);
  store<u8>(rec, rest as u8, 53);
}

/** A word that does not fit in a block is split: 4 bytes here, 4 in the next. */
function pushWord(rec: u32, word: u64): void {
  let words = load<u16>(rec, 56) as u32;
  let at = (words << 3) % BLOCK_DATA;
  let block = newestBlock(rec);
  let bytes = swap(word);
  store<u16>(rec, (words + 1) as u16, 56);
  if (at == 0) {
    block = takeBlock(block);
    store<u32>(rec, block, 48);
  }
  if (at <= BLOCK_DATA - 8) {
    store<u64>(block + 4 + at, bytes);
    return;
  }
  store<u32>(block + 4 + at, bytes as u32);
  block = takeBlock(block);
  store<u32>(rec, block, 48);
  store<u32>(block + 4, (bytes >> 32) as u32);
}

/** Appends a sample later than the newest one; at most one block is taken. */
@inline export function appendXor(rec: u32, t: i64, v: u64): void {
  let count = sampleCount(rec);
  if (count >= 2) appendNext(rec, t, v);
  else if (count == 1) appendSecond(rec, t, v);
  else appendFirst(rec, t, v);
  store<i64>(rec, t);
  store<u64>(rec, v, 8);
  store<u8>(rec, (count + 1) as u8, 52);
}

function appendFirst(rec: u32, t: i64, v: u64): void {
  emitUvarint(rec, zigzag(t));
  emit(rec, v, 64);
  store<u8>(rec, NO_LEADING, 54);
  store<i64>(rec, t, 32);
}

function appendSecond(rec: u32, t: i64, v: u64): void {
  let delta = (t - lastTime(rec)) as u32;
  emitUvarint(rec, delta as u64);
  store<u32>(rec, delta, 16);
  emitValue(rec, 0, 0, v);
}

function emitUvarint(rec: u32, value: u64): void {
  for (; value >= 128; value >>= 7) emit(rec, (value & 127) | 128, 8);
  emit(rec, value, 8);
}

@inline function appendNext(rec: u32, t: i64, v: u64): void {
  let delta = t - lastTime(rec);
  let dod = delta - (load<u32>(rec, 16) as i64);
  let head: u64 = 0;
  let n: u32 = 1;
  if (dod != 0) {
    if (dod >= -8191 && dod <= 8192) {
      head = 0x8000 | ((dod as u64) & 0x3fff);
      n = 16;
    } else if (dod >= -65535 && dod <= 65536) {
      head = 0xc0000 | ((dod as u64) & 0x1ffff);
      n = 20;
    } else if (dod >= -524287 && dod <= 524288) {
      head = 0xe00000 | ((dod as u64) & 0xfffff);
      n = 24;
    } else {
      emit(rec, 15, 4);
      emit(rec, dod as u64, 64);
      n = 0;
    }
    store<u32>(rec, delta as u32, 16);
  }
  emitValue(rec, head, n, v);
}

/** What telling a window costs. One that saves as much is told anew; Prometheus keeps the old one as long as it is wide enough. */
const WINDOW_BITS: u32 = 11;

/** The value, in one go with the `n` (≤ 24) bits of `head` where 64 bits hold both. */
@inline function emitValue(rec: u32, head: u64, n: u32, v: u64): void {
  let x = v ^ lastValue(rec);
  if (x == 0) {
    emit(rec, head << 1, n + 1);
    return;
  }
  let leading = min<u32>(clz<u64>(x) as u32, 31);
  let trailing = ctz<u64>(x) as u32;
  let oldLeading = load<u8>(rec, 54) as u32;
  let oldTrailing = load<u8>(rec, 55) as u32;
  if (
    oldLeading != NO_LEADING && leading >= oldLeading && trailing >= oldTrailing &&
    leading + trailing < oldLeading + oldTrailing + WINDOW_BITS
  ) {
    let size = 64 - oldLeading - oldTrailing;
    head = (head << 2) | 2;
    n += 2;
    if (n + size <= 64) {
      emit(rec, (head << (size as u64)) | (x >> (oldTrailing as u64)), n + size);
      return;
    }
    emit(rec, head, n);
    emit(rec, x >> (oldTrailing as u64), size);
    return;
  }
  store<u8>(rec, leading as u8, 54);
  store<u8>(rec, trailing as u8, 55);
  let size = 64 - leading - trailing;
  emit(rec, (head << 13) | (3 << 11) | ((leading as u64) << 6) | ((size & 63) as u64), n + 13);
  emit(rec, x >> (trailing as u64), size);
}

/** Bytes of the chunk's payload, count included. */
export function chunkSize(rec: u32): u32 {
  return COUNT_SIZE + ((load<u16>(rec, 56) as u32) << 3) + (((load<u8>(rec, 53) as u32) + 7) >> 3);
}

/** Writes the payload; there is room for 8 bytes more than `chunkSize`. */
export function copyChunk(rec: u32, to: u32): void {
  let count = sampleCount(rec);
  store<u8>(to, (count >> 8) as u8);
  store<u8>(to, count as u8, 1);
  to += COUNT_SIZE;
  let end = (load<u16>(rec, 56) as u32) << 3;
  store<u64>(to + end, swap(load<u64>(rec, 24)));
  let block = newestBlock(rec);
  for (let size = end % BLOCK_DATA; block != 0; size = 0) {
    if (size == 0) size = BLOCK_DATA;
    end -= size;
    memory.copy(to + end, block + 4, size);
    block = load<u32>(block);
  }
}

/** Bytes of a chunk of the newest sample alone. */
export function newestSize(rec: u32): u32 {
  return COUNT_SIZE + uvarintSize(zigzag(lastTime(rec))) + 8;
}

/** Writes a chunk of the newest sample alone, whose value must be known. */
export function copyNewest(rec: u32, to: u32): void {
  store<u16>(to, 1 << 8);
  storeBe64(putUvarint(to + COUNT_SIZE, zigzag(lastTime(rec))), lastValue(rec));
}

/** Empties the chunk; newest time and value, and its mint, stay. Blocks are given back by the caller. */
export function resetChunk(rec: u32): void {
  store<u64>(rec, 0, 24);
  store<u32>(rec, 0, 48);
  store<u16>(rec, 0, 52);
  store<u16>(rec, 0, 56);
}

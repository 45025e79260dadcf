// DEFLATE (RFC 1951). Whatever is wrong or unusual ends with FAULT and is left to zlib, which says why: here nothing is
// explained. Reads run up to 8 bytes past the input and copies up to 16 past the output, into the SLACK of buffers.ts.
//
// A table of codes has entries of 32 bits, looked up by the next bits of the input, the first bit lowest:
//
//   value (16) | what (8) | bits (8)      0 is no code
//
//   what  LITERAL  value is a byte         END    end of the block
//         LINK     value is where the table for the bits behind the first ones begins
//         0 … 13   value is the least length or distance, so many bits follow to be added

import { takeSlab } from './slabs';

const FAULT: i32 = -1;

const LITERAL: u32 = 0x80;
const LINK: u32 = 0x40;
const END: u32 = 0x20;

const LENGTH_BITS: u32 = 10;
const DISTANCE_BITS: u32 = 8;
const CODE_BITS_MAX: u32 = 15;
const LENGTHS: u32 = 288;
const DISTANCES: u32 = 32;

// One slab: table of lengths and literals, table of distances, lengths of codes (u8), codes by length (u16 each, 16 each).
const DISTANCE_TABLE: u32 = 32768;
const CODE_LENGTHS: u32 = 49152;
const COUNTS: u32 = 49664;
const NEXT_CODES: u32 = 49728;

let slab: u32 = 0;

// The input: bits that were taken from it and not used, the lowest first.
let bits: u64 = 0;
let bitCount: u32 = 0;
let next: u32 = 0;
let inputEnd: u32 = 0;

/** Inflates a whole stream into exactly `size` bytes at `target`; how many bytes of input it took, or a negative number. */
export function inflate(source: u32, length: u32, target: u32, size: u32): i32 {
  if (slab == 0) slab = takeSlab();
  if (slab == 0) return FAULT;
  bits = 0;
  bitCount = 0;
  next = source;
  inputEnd = source + length;
  let out = target;
  let outEnd = target + size;
  while (true) {
    refill();
    let isLast = take(1);
    let kind = take(2);
    if (kind == 0) out = copyStored(out, outEnd);
    else if (kind == 3 || !(kind == 1 ? makeFixed() : makeDynamic())) return FAULT;
    else out = inflateBlock(target, out, outEnd);
    if (out == 0) return FAULT;
    if (isLast != 0) break;
  }
  // Whole bytes that were taken ahead are given back.
  let used = next - (bitCount >> 3);
  return out != outEnd || used > inputEnd ? FAULT : ((used - source) as i32);
}

/** At least 56 bits are there afterwards; zeros, or what lies there, behind the end of the input. */
@inline function refill(): void {
  if (next > inputEnd) return;
  bits |= load<u64>(next) << (bitCount as u64);
  next += (63 - bitCount) >> 3;
  bitCount |= 56;
}

@inline function take(count: u32): u32 {
  let value = (bits as u32) & (((1 as u32) << count) - 1);
  bits >>= count as u64;
  bitCount -= count;
  return value;
}

/** More bits were used than there are: the stream is cut off. */
@inline function isBeyondEnd(): bool {
  return next - (bitCount >> 3) > inputEnd;
}

/** Where the output ends then; 0 when something is wrong. */
function copyStored(out: u32, outEnd: u32): u32 {
  if (isBeyondEnd()) return 0;
  let at = next - (bitCount >> 3);
  bits = 0;
  bitCount = 0;
  if (inputEnd - at < 4) return 0;
  let length = load<u16>(at) as u32;
  if ((length ^ 0xffff) != (load<u16>(at, 2) as u32)) return 0;
  at += 4;
  if (length > inputEnd - at || length > outEnd - out) return 0;
  memory.copy(out, at, length);
  next = at + length;
  return out + length;
}

/** Where the output ends then; 0 when something is wrong. */
function inflateBlock(target: u32, start: u32, outEnd: u32): u32 {
  let out = start;
  while (true) {
    refill();
    if (isBeyondEnd()) return 0;
    let code = find(slab, LENGTH_BITS);
    if (code == 0) return 0;
    let what = (code >> 8) & 255;
    if (what == LITERAL) {
      if (out >= outEnd) return 0;
      store<u8>(out++, (code >> 16) as u8);
      continue;
    }
    if (what == END) return out;
    let length = (code >> 16) + take(what);
    code = find(slab + DISTANCE_TABLE, DISTANCE_BITS);
    if (code == 0) return 0;
    let distance = (code >> 16) + take((code >> 8) & 255);
    if (distance > out - target || length > outEnd - out) return 0;
    copyMatch(out, distance, length);
    out += length;
  }
}

/** The code that comes next, its bits taken; 0 for none. At most 15 bits. */
@inline function find(table: u32, tableBits: u32): u32 {
  let code = load<u32>(table + (((bits as u32) & (((1 as u32) << tableBits) - 1)) << 2));
  if (((code >> 8) & LINK) != 0) {
    let below = (bits >> (tableBits as u64)) as u32 & (((1 as u32) << (CODE_BITS_MAX - tableBits)) - 1);
    code = load<u32>(table + (((code >> 16) + below) << 2));
  }
  take(code & 255);
  return code;
}

/** The last bytes may be written twice over, up to 16 past the end. */
@inline function copyMatch(out: u32, distance: u32, length: u32): void {
  let from = out - distance;
  let end = out + length;
  if (distance >= 16) for (; out < end; out += 16, from += 16) v128.store(out, v128.load(from));
  else if (distance == 1) memory.fill(out, load<u8>(from), length);
  else for (; out < end; out++, from++) store<u8>(out, load<u8>(from));
}

/** What the symbols of a code stand for. */
const PLAIN: u32 = 0;
const LENGTH: u32 = 1;
const DISTANCE: u32 = 2;

function makeFixed(): bool {
  let at = slab + CODE_LENGTHS;
  memory.fill(at, 8, 144);
  memory.fill(at + 144, 9, 112);
  memory.fill(at + 256, 7, 24);
  memory.fill(at + 280, 8, 8);
  if (!makeTable(at, LENGTHS, slab, LENGTH_BITS, LENGTH)) return false;
  memory.fill(at, 5, DISTANCES);
  return makeTable(at, DISTANCES, slab + DISTANCE_TABLE, DISTANCE_BITS, DISTANCE);
}

/** Codes of a block that brings its own; the code of their lengths stands where distances will. */
function makeDynamic(): bool {
  let at = slab + CODE_LENGTHS;
  let lengths = take(5) + 257;
  let distances = take(5) + 1;
  let given = take(4) + 4;
  if (lengths > 286 || distances > 30) return false;
  memory.fill(at, 0, ORDERED);
  for (let i: u32 = 0; i < given; i++) {
    refill();
    store<u8>(at + orderOf(i), take(3) as u8);
  }
  if (!makeTable(at, ORDERED, slab + DISTANCE_TABLE, ORDERED_BITS, PLAIN)) return false;
  return (
    readLengths(at, lengths + distances) &&
    makeTable(at, lengths, slab, LENGTH_BITS, LENGTH) &&
    makeTable(at + lengths, distances, slab + DISTANCE_TABLE, DISTANCE_BITS, DISTANCE)
  );
}

const ORDERED: u32 = 19;
const ORDERED_BITS: u32 = 7;

/** The order in which lengths of that code come: 16, 17, 18, 0, 8, 7, 9, 6, 10 … 1, 15. */
@inline function orderOf(i: u32): u32 {
  if (i < 4) return i == 3 ? 0 : 16 + i;
  return (i & 1) == 0 ? 6 + (i >> 1) : 8 - ((i - 3) >> 1);
}

function readLengths(at: u32, count: u32): bool {
  for (let i: u32 = 0; i < count; ) {
    refill();
    if (isBeyondEnd()) return false;
    let code = find(slab + DISTANCE_TABLE, ORDERED_BITS);
    if (code == 0) return false;
    let symbol = code >> 16;
    if (symbol < 16) {
      store<u8>(at + i++, symbol as u8);
      continue;
    }
    if (symbol == 16 && i == 0) return false;
    let length: u8 = symbol == 16 ? load<u8>(at + i - 1) : 0;
    let least: u32 = symbol == 18 ? 11 : 3;
    let times = least + take(symbol == 16 ? 2 : symbol == 17 ? 3 : 7);
    if (times > count - i) return false;
    memory.fill(at + i, length, times);
    i += times;
  }
  return true;
}

/**
 * The table of a canonical code whose lengths are the bytes at `lengths`; false when they make none. Codes of the same
 * length follow each other, so that tables behind the first bits are at most half as many as symbols, and one a length.
 */
function makeTable(lengths: u32, symbols: u32, table: u32, tableBits: u32, kind: u32): bool {
  if (!assignCodes(lengths, symbols)) return false;
  let size = (1 as u32) << tableBits;
  let belowSize = (1 as u32) << (CODE_BITS_MAX - tableBits);
  let free = size;
  memory.fill(table, 0, size << 2);
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    let length = load<u8>(lengths + symbol) as u32;
    if (length == 0) continue;
    let counter = slab + NEXT_CODES + (length << 1);
    let code = load<u16>(counter) as u32;
    store<u16>(counter, (code + 1) as u16);
    let meaning = meaningOf(symbol, kind);
    if (meaning == 0) continue;
    let entry = meaning | length;
    let place = reversed(code, length);
    if (length <= tableBits) {
      for (; place < size; place += (1 as u32) << length) store<u32>(table + (place << 2), entry);
      continue;
    }
    let first = table + ((place & (size - 1)) << 2);
    if (load<u32>(first) == 0) {
      memory.fill(table + (free << 2), 0, belowSize << 2);
      store<u32>(first, (free << 16) | (LINK << 8));
      free += belowSize;
    }
    let below = load<u32>(first) >> 16;
    place >>= tableBits;
    for (; place < belowSize; place += (1 as u32) << (length - tableBits))
      store<u32>(table + ((below + place) << 2), entry);
  }
  return true;
}

/** Finds the first code of every length; false when there are more codes than fit. */
function assignCodes(lengths: u32, symbols: u32): bool {
  let counts = slab + COUNTS;
  memory.fill(counts, 0, 32);
  for (let symbol: u32 = 0; symbol < symbols; symbol++) {
    let at = counts + ((load<u8>(lengths + symbol) as u32) << 1);
    store<u16>(at, load<u16>(at) + 1);
  }
  store<u16>(counts, 0);
  let code: u32 = 0;
  let left: i32 = 1;
  for (let length: u32 = 1; length <= CODE_BITS_MAX; length++) {
    left = (left << 1) - (load<u16>(counts + (length << 1)) as i32);
    if (left < 0) return false;
    code = (code + (load<u16>(counts + ((length - 1) << 1)) as u32)) << 1;
    store<u16>(slab + NEXT_CODES + (length << 1), code as u16);
  }
  return true;
}

@inline function reversed(code: u32, length: u32): u32 {
  let result: u32 = 0;
  for (; length != 0; length--, code >>= 1) result = (result << 1) | (code & 1);
  return result;
}

/** The upper 24 bits of an entry; 0 for symbols that stand for nothing. */
function meaningOf(symbol: u32, kind: u32): u32 {
  if (kind == PLAIN || (kind == LENGTH && symbol < 256)) return (symbol << 16) | (LITERAL << 8);
  if (kind == LENGTH) return symbol == 256 ? END << 8 : symbol > 285 ? 0 : lengthOf(symbol);
  if (symbol > 29) return 0;
  if (symbol < 4) return (symbol + 1) << 16;
  let extra = (symbol >> 1) - 1;
  return ((((2 + (symbol & 1)) << extra) + 1) << 16) | (extra << 8);
}

function lengthOf(symbol: u32): u32 {
  if (symbol == 285) return 258 << 16;
  if (symbol < 265) return (symbol - 254) << 16;
  let extra = (symbol - 261) >> 2;
  return ((((4 + ((symbol - 265) & 3)) << extra) + 3) << 16) | (extra << 8);
}

// The shortest decimal that reads back as the same float64 (Schubfach, by Raffaello Giulietti), in the form
// of Prometheus' JSON: plain digits, or an exponent of two digits at least when below 1e-6 or from 1e21 on.
// Twin: encoding/number-text.ts.

// 617 powers of ten, 10^-292 … 10^324, as 128-bit significands rounded up: high and low word, 16 bytes each.
// Filled in by TypeScript at start.
const POWER_MIN: i32 = -292;
let powers: usize = 0;
export function setPowers(at: usize): void { powers = at; }

@inline function mulHigh(a: u64, b: u64): u64 {
  let aLow = a & 0xffffffff, aHigh = a >> 32, bLow = b & 0xffffffff, bHigh = b >> 32;
  let low = aLow * bLow, mid1 = aHigh * bLow, mid2 = aLow * bHigh;
  let carry = (low >> 32) + (mid1 & 0xffffffff) + (mid2 & 0xffffffff);
  return aHigh * bHigh + (mid1 >> 32) + (mid2 >> 32) + (carry >> 32);
}

// The top of power · cp, the lowest bit set when anything was cut off.
@inline function roundToOdd(high: u64, low: u64, cp: u64): u64 {
  let x = mulHigh(low, cp);
  let y0 = high * cp, y1 = mulHigh(high, cp);
  y0 += x;
  if (y0 < x) y1++;
  return y1 | ((y0 > 1) as u64);
}

// Result of shortest: value = digits · 10^exponent.
let digits: u64 = 0;
let exponent: i32 = 0;

function shortest(bits: u64): void {
  let significand = bits & 0xfffffffffffff;
  let biased = ((bits >> 52) & 0x7ff) as i32;
  let c: u64, q: i32;
  if (biased != 0) { c = significand | 0x10000000000000; q = biased - 1075; }
  else { c = significand; q = -1074; }
  let even = (c & 1) == 0;
  let closer = significand == 0 && biased > 1;
  let k = (q * 1262611 - (closer ? 524031 : 0)) >> 22;
  let h = q + ((-k * 1741647) >> 19) + 1;
  let power = powers + (((-k - POWER_MIN) as usize) << 4);
  let high = load<u64>(power), low = load<u64>(power, 8);
  let lower = roundToOdd(high, low, ((c << 2) - 2 + (closer as u64)) << (h as u64));
  let value = roundToOdd(high, low, (c << 2) << (h as u64));
  let upper = roundToOdd(high, low, ((c << 2) + 2) << (h as u64));
  if (!even) { lower++; upper--; }
  let s = value >> 2;
  if (s >= 10) {
    let tens = s / 10;
    let below = lower <= 40 * tens, above = 40 * tens + 40 <= upper;
    if (below != above) { digits = tens + (above as u64); exponent = k + 1; return; }
  }
  let below = lower <= (s << 2), above = (s << 2) + 4 <= upper;
  exponent = k;
  if (below != above) { digits = s + (above as u64); return; }
  let middle = (s << 2) + 2;
  digits = s + ((value > middle || (value == middle && (s & 1) != 0)) as u64);
}

// Most gauges have a few decimals. Two decimals of at most 15 digits never read as the same float64, so one that reads as
// this value is the shortest: 30 instead of 80 ns.
@inline function threeDecimals(magnitude: f64): bool {
  let thousandths = nearest(magnitude * 1000);
  if (thousandths >= 1e15 || thousandths / 1000 != magnitude) return false;
  digits = thousandths as u64;
  exponent = -3;
  return true;
}

@inline function digitCount(x: u64): u32 {
  let n: u32 = 1;
  if (x >= 10000000000) { x /= 10000000000; n += 10; }
  if (x >= 100000) { x /= 100000; n += 5; }
  if (x >= 1000) { x /= 1000; n += 3; }
  if (x >= 100) n += 2;
  else if (x >= 10) n += 1;
  return n;
}

// Writes x in `count` digits, padded with zeros.
@inline function writeDigits(x: u64, count: u32, out: usize): void {
  let p = out + count;
  while (x > 0xffffffff) {
    let rest = x / 100000000;
    let part = (x - rest * 100000000) as u32;
    x = rest;
    for (let i = 0; i < 4; i++) { p -= 2; let tail = part % 100; part /= 100; store<u16>(p, pair(tail)); }
  }
  let y = x as u32;
  while (p >= out + 2) { p -= 2; let rest = y / 100; store<u16>(p, pair(y - rest * 100)); y = rest; }
  if (p > out) store<u8>(p - 1, 48 + y);
}

@inline function pair(x: u32): u32 {
  let tens = (x * 103) >> 10;
  return 0x3030 + tens + ((x - tens * 10) << 8);
}

export function writeUint(x: u64, out: usize): usize {
  let count = digitCount(x);
  writeDigits(x, count, out);
  return out + count;
}

// At most 25 bytes; returns the end.
export function writeFloat(v: f64, out: usize): usize {
  if (v != v) { store<u16>(out, 0x614e); store<u8>(out, 0x4e, 2); return out + 3; }
  let bits = reinterpret<u64>(v);
  if ((bits >> 63) != 0) store<u8>(out++, 45);
  let magnitude = abs(v);
  if (magnitude == Infinity) {
    if (v > 0) store<u8>(out++, 43);
    store<u16>(out, 0x6e49); store<u8>(out, 0x66, 2);
    return out + 3;
  }
  if (magnitude < 9007199254740992 && trunc(magnitude) == magnitude) return writeUint(magnitude as u64, out);
  if (!threeDecimals(magnitude)) shortest(bits);
  let d = digits, e = exponent;
  for (let shorter = d / 10; shorter * 10 == d; shorter = d / 10) { d = shorter; e++; }
  let n = digitCount(d) as i32;
  if (magnitude < 1e-6 || magnitude >= 1e21) return writeExponential(d, n, e, out);
  let point = n + e;
  if (e >= 0) {
    writeDigits(d, n, out);
    memory.fill(out + n, 48, e);
    return out + point;
  }
  if (point > 0) {
    writeDigits(d, n, out + 1);
    for (let i = 0; i < point; i++) store<u8>(out + i, load<u8>(out + i, 1));
    store<u8>(out + point, 46);
    return out + n + 1;
  }
  store<u16>(out, 0x2e30);
  memory.fill(out + 2, 48, -point);
  writeDigits(d, n, out + 2 - point);
  return out + 2 - point + n;
}

function writeExponential(d: u64, n: i32, e: i32, out: usize): usize {
  writeDigits(d, n, out + 1);
  store<u8>(out, load<u8>(out, 1));
  out++;
  if (n > 1) { store<u8>(out, 46); out += n; }
  e += n - 1;
  store<u8>(out, 101);
  store<u8>(out, e < 0 ? 45 : 43, 1);
  out += 2;
  let size: u32 = abs(e) as u32;
  if (size >= 100) { store<u8>(out++, 48 + size / 100); size %= 100; }
  store<u16>(out, pair(size));
  return out + 2;
}

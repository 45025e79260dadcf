import type { BitReader, BitWriter } from './bits.ts';

/**
 * Integers in 1 to 72 bits, the shorter the nearer to zero; used in histogram chunks.
 *
 *   prefix    bits   signed range           unsigned range
 *   0            0   0                      0
 *   10           3   -3 … 4                 … 7
 *   110          6   -31 … 32               … 63
 *   1110         9   -255 … 256             … 511
 *   11110       12   -2047 … 2048           … 4095
 *   111110      18   -131071 … 131072       … 262143
 *   1111110     25   -16777215 … 16777216   … 33554431
 *   11111110    56   -(2⁵⁵-1) … 2⁵⁵         … 2⁵⁶-1
 *   11111111    64   all                    all
 *
 * Signed values are the low bits of two's complement, the highest pattern being positive. JavaScript numbers carry
 * integers exactly up to 2⁵³; larger ones come out rounded.
 */
const SIZES = [0, 3, 6, 9, 12, 18, 25, 56, 64] as const;
const TWO_32 = 2 ** 32;

export function writeVarbitInt(out: BitWriter, value: number): void {
  let rung = 0;
  while (rung < 8 && !fitsSigned(value, SIZES[rung])) rung++;
  write(out, value, rung);
}

export function writeVarbitUint(out: BitWriter, value: number): void {
  let rung = 0;
  while (rung < 8 && value >= 2 ** SIZES[rung]) rung++;
  write(out, value, rung);
}

export function readVarbitInt(from: BitReader): number {
  const size = SIZES[readRung(from)];
  if (size === 0) return 0;
  if (size <= 32) {
    const value = from.read(size);
    return value > 2 ** (size - 1) ? value - 2 ** size : value;
  }
  const high = from.read(size - 32);
  const low = from.read(32);
  // The sign first: high·2³² of a small negative number would not be exact.
  const isNegative = size === 64 ? high >= 2 ** 31 : high > 2 ** 23 || (high === 2 ** 23 && low > 0);
  return (isNegative ? high - 2 ** (size - 32) : high) * TWO_32 + low;
}

export function readVarbitUint(from: BitReader): number {
  const size = SIZES[readRung(from)];
  if (size === 0) return 0;
  if (size <= 32) return from.read(size);
  const high = from.read(size - 32);
  return high * TWO_32 + from.read(32);
}

function fitsSigned(value: number, size: number): boolean {
  if (size === 0) return value === 0;
  const half = 2 ** (size - 1);
  return -(half - 1) <= value && value <= half;
}

function write(out: BitWriter, value: number, rung: number): void {
  if (rung === 8) out.write(0xff, 8);
  else out.write((2 ** rung - 1) * 2, rung + 1);
  const size = SIZES[rung];
  if (size <= 32) out.write(value, size);
  else out.write64(Math.floor(value / TWO_32), value >>> 0, size);
}

function readRung(from: BitReader): number {
  let rung = 0;
  while (rung < 8 && from.bit() === 1) rung++;
  return rung;
}

// Snappy and CRC-32C for large arrays: what kernel/bytes-kernel.ts calls.

import { IN, OUT, bufferAt, ensureBuffer } from '../buffers';
import { crc32c as crc, initCrc } from '../crc32c';
import { snappyDecompress, snappySize } from '../snappy';
import { compressedMax, snappyCompress } from '../snappy-compress';

export { faultOffset } from '../snappy';

export function init(): void {
  initCrc();
}
/** Room for `size` bytes of input; its address, 0 when memory is full. */
export function input(size: u32): u32 {
  return ensureBuffer(IN, size, 0);
}
export function output(): u32 {
  return bufferAt(OUT);
}
/** The length of what is in the output then, or a reason of snappy.ts; -8 when memory is full. */
export function decompress(length: u32, sizeMax: u32): i32 {
  let size = snappySize(bufferAt(IN), length, sizeMax);
  if (size < 0) return size;
  let out = ensureBuffer(OUT, size as u32, 0);
  if (out == 0) return -8;
  let fault = snappyDecompress(bufferAt(IN), length, out, size as u32);
  return fault != 0 ? fault : size;
}
export function compress(length: u32): i32 {
  let out = ensureBuffer(OUT, compressedMax(length), 0);
  return out == 0 ? -8 : (snappyCompress(bufferAt(IN), length, out) as i32);
}
export function crc32c(length: u32, seed: u32): u32 {
  return crc(bufferAt(IN), length, seed);
}

// CRC-32C, slicing by 8; the twin is encoding/crc32c.ts.

import { CRC_TABLE } from './layout';

export function initCrc(): void {
  for (let i: u32 = 0; i < 256; i++) {
    let c = i;
    for (let k = 0; k < 8; k++) c = (c & 1) != 0 ? (c >> 1) ^ 0x82f63b78 : c >> 1;
    store<u32>(CRC_TABLE + (i << 2), c);
  }
  for (let i: u32 = 256; i < 2048; i++) {
    let c = load<u32>(CRC_TABLE + ((i - 256) << 2));
    store<u32>(CRC_TABLE + (i << 2), load<u32>(CRC_TABLE + ((c & 255) << 2)) ^ (c >> 8));
  }
}

@inline function entry(k: u32, byte: u32): u32 {
  return load<u32>(CRC_TABLE + (k << 10) + ((byte & 255) << 2));
}

export function crc32c(p: u32, length: u32, seed: u32): u32 {
  let c: u32 = ~seed;
  for (; length >= 8; length -= 8, p += 8) {
    let a = load<u32>(p) ^ c;
    let b = load<u32>(p, 4);
    c = entry(7, a) ^ entry(6, a >> 8) ^ entry(5, a >> 16) ^ entry(4, a >> 24);
    c ^= entry(3, b) ^ entry(2, b >> 8) ^ entry(1, b >> 16) ^ entry(0, b >> 24);
  }
  for (; length != 0; length--, p++) c = entry(0, c ^ load<u8>(p)) ^ (c >> 8);
  return ~c;
}

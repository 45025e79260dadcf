import { xxhash64 } from '../../encoding/xxhash64.ts';
import type { Labels } from '../../model/labels.ts';

const encoder = new TextEncoder();

/**
 * Prometheus' hash of a label set as a share of all hashes, in [0, 1]: XXH64 over name and value of each label, each
 * preceded by its length (one byte, or 255 and three bytes, little endian).
 */
export function labelHashRatio(labels: Labels): number {
  const parts = labels.flat.map((text) => encoder.encode(text));
  const bytes: number[] = [];
  for (const part of parts) {
    if (part.length < 255) bytes.push(part.length);
    else bytes.push(255, part.length & 255, (part.length >> 8) & 255, (part.length >> 16) & 255);
    for (const byte of part) bytes.push(byte);
  }
  return Number(xxhash64(Uint8Array.from(bytes))) / 2 ** 64;
}

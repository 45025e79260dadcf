import type { ByteRange, LabelColumn } from './label-column.ts';

const range: ByteRange = { bytes: new Uint8Array(), start: 0, end: 0 };

/** A hash of a row's labels, uniform in [0, 1) (FNV-1a with a final mix). The same labels give the same number everywhere. */
export function labelHashRatio(column: LabelColumn, row: number): number {
  column.bytesOf(row, range);
  let hash = 0x811c9dc5;
  for (let i = range.start; i < range.end; i++) hash = Math.imul(hash ^ range.bytes[i], 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}

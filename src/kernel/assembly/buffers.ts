// Buffers that grow by doubling, in runs of slabs. The last SLACK bytes are never part of what callers see: vector loads
// and stores may run over the end of the contents.

import { BUFFERS } from './layout';
import { SLAB, giveRun, takeRun, takeSlab } from './slabs';

export const SLACK: u32 = 64;
const SIZE_MAX: u32 = 0x7fffffff;

/** What comes in: a compressed request, label bytes, slots, a record to replay. */
export const IN: u32 = 0;
/** The decoded request. */
export const BODY: u32 = 1;
/** Samples record under way. */
export const LOG: u32 = 2;
/** Closed chunks under way. */
export const CLOSED: u32 = 3;
/** Label bytes put together from parts. */
export const LABELS: u32 = 4;
/** Symbols of a 2.0 request: address u32, length u32. */
export const SYMBOLS: u32 = 5;
/** Label references of one 2.0 TimeSeries, u32. */
export const REFS: u32 = 6;
/** What goes out: gathered columns, slots, and scratch of sorting. */
export const OUT: u32 = 7;

@inline export function bufferAt(buffer: u32): u32 {
  return load<u32>(BUFFERS + (buffer << 3));
}

@inline export function bufferCapacity(buffer: u32): u32 {
  return load<u32>(BUFFERS + (buffer << 3), 4);
}

/** Makes room for `size` bytes, keeping the first `kept`. The address, 0 when memory is full. */
export function ensureBuffer(buffer: u32, size: u32, kept: u32): u32 {
  let at = bufferAt(buffer);
  let capacity = bufferCapacity(buffer);
  if (at != 0 && size <= capacity) return at;
  if (size > SIZE_MAX) return 0;
  let slabs: u32 = 1;
  while ((slabs << 16) - SLACK < size) slabs <<= 1;
  let larger = slabs == 1 ? takeSlab() : takeRun(slabs);
  if (larger == 0) return 0;
  if (kept != 0) memory.copy(larger, at, kept);
  if (at != 0) giveRun(at, (capacity + SLACK) / SLAB);
  store<u32>(BUFFERS + (buffer << 3), larger);
  store<u32>(BUFFERS + (buffer << 3), (slabs << 16) - SLACK, 4);
  return larger;
}

// The samples record under way; its drawing is at HeadMemory.takeSamplesRecord.

import { LOG, bufferAt, bufferCapacity, ensureBuffer } from './buffers';
import { putUvarint, storeBe64, zigzag } from './bytes';

const SAMPLE_MAX: u32 = 28;
const HEADER: u32 = 17;

/** Where the next sample goes, and the last place where one fits. */
let at: u32 = 0;
let last: u32 = 0;
let firstRef: u64 = 0;
let firstTime: i64 = 0;

@inline export function logReady(): bool {
  return at < last;
}

/** Makes room; false when memory is full. */
export function growLog(): bool {
  let used = at == 0 ? 0 : at - bufferAt(LOG);
  let log = ensureBuffer(LOG, used + HEADER + 2 * SAMPLE_MAX, used);
  if (log == 0) return false;
  at = log + used;
  last = log + bufferCapacity(LOG) - HEADER - SAMPLE_MAX;
  return true;
}

/** `logReady` held. */
@inline export function logSample(ref: u64, t: i64, v: u64): void {
  let p = at;
  if (p == bufferAt(LOG)) {
    firstRef = ref;
    firstTime = t;
    store<u8>(p, 2);
    store<u64>(p, bswap<u64>(ref), 1);
    store<u64>(p, bswap<u64>(t as u64), 9);
    p += HEADER;
  }
  p = putUvarint(p, zigzag((ref - firstRef) as i64));
  p = putUvarint(p, zigzag(t - firstTime));
  storeBe64(p, v);
  at = p + 8;
}

/** Empties the record; its length. It stays readable at bufferAt(LOG) until the next sample. */
export function takeLog(): u32 {
  if (at == 0) return 0;
  let length = at - bufferAt(LOG);
  at -= length;
  return length;
}

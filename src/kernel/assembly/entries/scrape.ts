// Bodies of scrapes: what kernel/scrape-kernel.ts calls.

import { BODY, IN, LABELS, OUT, REFS, SYMBOLS, bufferAt, ensureBuffer } from '../buffers';
import { inflate as inflateStream } from '../inflate';
import { initPowers, matchBody } from '../known-body';

export { oddCount } from '../known-body';

export function init(): void {
  initPowers();
}
/** Room for `size` bytes of something compressed; its address, 0 when memory is full. So the others. */
export function input(size: u32): u32 {
  return ensureBuffer(IN, size, 0);
}
export function body(size: u32): u32 {
  return ensureBuffer(BODY, size, 0);
}
export function text(size: u32): u32 {
  return ensureBuffer(LABELS, size, 0);
}
/** Of records, u32 each; values and places of odd ones have room then, too. */
export function records(count: u32): u32 {
  if (ensureBuffer(OUT, count << 3, 0) == 0 || ensureBuffer(REFS, count * 12, 0) == 0) return 0;
  return ensureBuffer(SYMBOLS, count << 2, 0);
}
export function values(): u32 {
  return bufferAt(OUT);
}
export function odd(): u32 {
  return bufferAt(REFS);
}
/** Inflates the input from `offset` on into the body, which has `size` bytes; bytes of input taken, or a negative number. */
export function inflate(offset: u32, length: u32, size: u32): i32 {
  return inflateStream(bufferAt(IN) + offset, length - offset, bufferAt(BODY), size);
}
/** How many values the body has, or a negative number. */
export function match(length: u32, recordCount: u32): i32 {
  return matchBody(bufferAt(BODY), length, bufferAt(LABELS), bufferAt(SYMBOLS), recordCount, bufferAt(OUT), bufferAt(REFS));
}

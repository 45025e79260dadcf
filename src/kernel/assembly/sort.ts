// Slots in the order of their label sets: merge sort, bottom up, over records.

import { IN, OUT, bufferAt, ensureBuffer } from './buffers';
import { entryLabels, entryLength } from './label-arena';
import { compareLabels } from './labels';
import { entryOf, recordOf, slotOf } from './record';

const RUN: u32 = 8;

/** Sorts the `count` slots in IN, all in use, in place. False when memory is full. */
export function sortSlots(count: u32): bool {
  let a = bufferAt(IN);
  let b = ensureBuffer(OUT, count << 2, 0);
  if (b == 0) return false;
  for (let i: u32 = 0; i < count; i++) store<u32>(a + (i << 2), recordOf(load<u32>(a + (i << 2))));
  for (let i: u32 = 0; i < count; i += RUN) sortRun(a + (i << 2), a + (min(i + RUN, count) << 2));
  for (let width = RUN; width < count; width <<= 1) {
    for (let i: u32 = 0; i < count; i += 2 * width)
      merge(a + (i << 2), a + (min(i + width, count) << 2), a + (min(i + 2 * width, count) << 2), b + (i << 2));
    let other = a;
    a = b;
    b = other;
  }
  let to = bufferAt(IN);
  for (let i: u32 = 0; i < count; i++) store<u32>(to + (i << 2), slotOf(load<u32>(a + (i << 2))));
  return true;
}

/** Whether the labels of x come after those of y. */
function isAfter(x: u32, y: u32): bool {
  let a = entryOf(x);
  let b = entryOf(y);
  return compareLabels(entryLabels(a), entryLength(a), entryLabels(b), entryLength(b)) > 0;
}

function sortRun(start: u32, end: u32): void {
  for (let p = start + 4; p < end; p += 4) {
    let rec = load<u32>(p);
    let q = p;
    for (; q > start && isAfter(load<u32>(q - 4), rec); q -= 4) store<u32>(q, load<u32>(q - 4));
    store<u32>(q, rec);
  }
}

function merge(left: u32, right: u32, end: u32, to: u32): void {
  let middle = right;
  while (left < middle && right < end) {
    if (isAfter(load<u32>(left), load<u32>(right))) {
      store<u32>(to, load<u32>(right));
      right += 4;
    } else {
      store<u32>(to, load<u32>(left));
      left += 4;
    }
    to += 4;
  }
  memory.copy(to, left, middle - left);
  memory.copy(to + (middle - left), right, end - right);
}

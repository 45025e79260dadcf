/**
 * Postings: refs of series, ascending, without duplicates, as `Uint32Array`. None of these functions changes its input;
 * the result may be one of them.
 */

/** In both. Cost follows the shorter list. */
export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (a.length > b.length) [a, b] = [b, a];
  const out = new Uint32Array(a.length);
  let count = 0;
  let at = 0;
  for (const ref of a) {
    at = seek(b, ref, at);
    if (at === b.length) break;
    if (b[at] === ref) out[count++] = ref;
  }
  return out.subarray(0, count);
}

/** In any. */
export function merge(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 1) return lists[0];
  if (lists.length === 2) return mergeTwo(lists[0], lists[1]);
  let length = 0;
  for (const list of lists) length += list.length;
  const all = new Uint32Array(length);
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return dropRepeats(all.sort());
}

/** In `a` but not in `b`. */
export function without(a: Uint32Array, b: Uint32Array): Uint32Array {
  if (b.length === 0) return a;
  const out = new Uint32Array(a.length);
  let count = 0;
  let at = 0;
  for (const ref of a) {
    at = seek(b, ref, at);
    if (at === b.length || b[at] !== ref) out[count++] = ref;
  }
  return out.subarray(0, count);
}

/** First place ≥ `from` whose ref is ≥ `ref`: doubling steps, then halving. */
export function seek(list: Uint32Array, ref: number, from: number): number {
  if (from >= list.length || list[from] >= ref) return from;
  let step = 1;
  let low = from;
  while (low + step < list.length && list[low + step] < ref) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step, list.length);
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (list[middle] < ref) low = middle;
    else high = middle;
  }
  return high;
}

function mergeTwo(a: Uint32Array, b: Uint32Array): Uint32Array {
  const out = new Uint32Array(a.length + b.length);
  let i = 0;
  let k = 0;
  let count = 0;
  while (i < a.length && k < b.length) {
    const x = a[i];
    const y = b[k];
    out[count++] = Math.min(x, y);
    if (x <= y) i++;
    if (y <= x) k++;
  }
  while (i < a.length) out[count++] = a[i++];
  while (k < b.length) out[count++] = b[k++];
  return out.subarray(0, count);
}

function dropRepeats(sorted: Uint32Array): Uint32Array {
  let count = 0;
  for (let i = 0; i < sorted.length; i++)
    if (i === 0 || sorted[i] !== sorted[i - 1]) sorted[count++] = sorted[i];
  return sorted.subarray(0, count);
}

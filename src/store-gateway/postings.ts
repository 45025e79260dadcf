import { crc32c } from '../encoding/crc32c.ts';
import { VeronaError } from '../model/errors.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';

/**
 * Series references of one postings list at the start of `bytes`, ascending:
 * `length 4 │ count 4 │ reference 4 … │ crc32c 4`, big endian. Throws `corrupt`.
 */
export function decodePostings(bytes: Uint8Array): Uint32Array {
  const reader = new ByteReader(bytes);
  const length = reader.be32();
  if (length > reader.left - 4)
    throw new VeronaError('corrupt', `postings list of ${length} bytes is cut off`);
  const contentStart = reader.at;
  const count = reader.be32();
  if (4 + count * 4 !== length) throw new VeronaError('corrupt', `${count} postings in ${length} bytes`);
  const refs = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    refs[i] = reader.be32();
    if (i > 0 && refs[i] <= refs[i - 1]) throw new VeronaError('corrupt', `postings not ascending at ${i}`);
  }
  if (crc32c(bytes, contentStart, contentStart + length) !== reader.be32())
    throw new VeronaError('corrupt', 'bad checksum of a postings list');
  return refs;
}

/** Bytes of the list that begins with `bytes`. */
export function postingsSize(bytes: Uint8Array): number {
  return 4 + new ByteReader(bytes).be32() + 4;
}

/** What is in any of the lists, ascending. */
export function union(lists: readonly Uint32Array[]): Uint32Array {
  if (lists.length === 1) return lists[0];
  const all = new Uint32Array(lists.reduce((count, list) => count + list.length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  all.sort();
  let kept = 0;
  for (let i = 0; i < all.length; i++) if (i === 0 || all[i] !== all[i - 1]) all[kept++] = all[i];
  return all.slice(0, kept);
}

/** What is in both, ascending. */
export function intersect(a: Uint32Array, b: Uint32Array): Uint32Array {
  const [few, many] = a.length <= b.length ? [a, b] : [b, a];
  const both = new Uint32Array(few.length);
  let kept = 0;
  let at = 0;
  for (const ref of few) {
    at = seek(many, ref, at);
    if (many[at] === ref) both[kept++] = ref;
  }
  return both.slice(0, kept);
}

/** What is in `a` only, ascending. */
export function subtract(a: Uint32Array, b: Uint32Array): Uint32Array {
  const rest = new Uint32Array(a.length);
  let kept = 0;
  let at = 0;
  for (const ref of a) {
    at = seek(b, ref, at);
    if (b[at] !== ref) rest[kept++] = ref;
  }
  return rest.slice(0, kept);
}

/** First place at or after `from` that holds `ref` or more: steps that double, then halves. */
function seek(list: Uint32Array, ref: number, from: number): number {
  let step = 1;
  let low = from;
  while (low + step < list.length && list[low + step] < ref) {
    low += step;
    step *= 2;
  }
  let high = Math.min(list.length, low + step + 1);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (list[middle] < ref) low = middle + 1;
    else high = middle;
  }
  return low;
}

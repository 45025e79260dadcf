import { VeronaError, wrapError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Gate } from '../objstore/gate.ts';
import type { RequestBudget } from './limits.ts';

/** Bytes start … end (exclusive) of an object. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** What reading of one request shares: the bucket, how many reads at once, how much it may take. */
export interface RangeSource {
  readonly ctx: BucketContext;
  readonly bucket: Bucket;
  readonly gate: Gate;
  readonly budget: RequestBudget;
}

/** Bytes between two wanted ranges that are rather read along than asked for separately. */
const GAP_BYTES_MAX = 128 * 1024;
const NOTHING = new Uint8Array(0);
const READ_BYTES_MAX = 16 * 1024 * 1024;
/** An entry that claims to be longer is damage: a postings list this long names 64 million series. */
const ENTRY_BYTES_MAX = 256 * 1024 * 1024;

/** Fewer, larger ranges that cover all of `ranges`, ascending. A range longer than a read may be stays whole. */
export function coalesce(ranges: readonly ByteRange[], gapBytesMax = GAP_BYTES_MAX): ByteRange[] {
  const sorted = [...ranges].sort((a, b) => a.start - b.start);
  const joined: { start: number; end: number }[] = [];
  for (const { start, end } of sorted) {
    const last = joined.at(-1);
    const near = last !== undefined && start - last.end <= gapBytesMax;
    if (near && Math.max(end, last.end) - last.start <= READ_BYTES_MAX) last.end = Math.max(end, last.end);
    else if (last === undefined || end > last.end) joined.push({ start, end });
  }
  return joined;
}

/** The parts of one object that were read. */
export class FetchedRanges {
  readonly key: string;
  readonly #parts: { readonly start: number; readonly bytes: Uint8Array }[] = [];

  private constructor(key: string) {
    this.key = key;
  }

  /** Reads one range. */
  static async of(source: RangeSource, key: string, range: ByteRange): Promise<FetchedRanges> {
    const fetched = new FetchedRanges(key);
    await fetched.#read(source, [range]);
    return fetched;
  }

  /**
   * Reads entries of an object in as few requests as is sensible. Where an entry begins is known, where it ends is a
   * guess; `sizeOf` tells from an entry's first bytes how long it is, and those that were cut off are read again. What is in
   * `ahead` already is not read.
   */
  static async entries(
    source: RangeSource,
    key: string,
    guesses: readonly ByteRange[],
    sizeOf: (bytes: Uint8Array) => number,
    ahead?: FetchedRanges,
  ): Promise<FetchedRanges> {
    const fetched = new FetchedRanges(key);
    if (ahead) fetched.#parts.push(...ahead.#parts);
    await fetched.#read(
      source,
      ahead ? guesses.filter(({ start }) => ahead.from(start).length === 0) : guesses,
    );
    const short: ByteRange[] = [];
    for (const { start } of guesses) {
      const bytes = fetched.from(start);
      const size = bytes.length === 0 ? 0 : fetched.#sizeAt(start, bytes, sizeOf);
      if (size > bytes.length) short.push({ start, end: start + size });
    }
    if (short.length > 0) await fetched.#read(source, short);
    return fetched;
  }

  #sizeAt(start: number, bytes: Uint8Array, sizeOf: (bytes: Uint8Array) => number): number {
    try {
      const size = sizeOf(bytes);
      if (size <= ENTRY_BYTES_MAX) return size;
      throw new VeronaError('corrupt', `${size} bytes, at most ${ENTRY_BYTES_MAX} are read`);
    } catch (error) {
      throw wrapError(`${this.key}: entry at ${start}`, error);
    }
  }

  async #read(source: RangeSource, ranges: readonly ByteRange[]): Promise<void> {
    const wanted = coalesce(ranges);
    const parts = await Promise.all(wanted.map((range) => readRange(source, this.key, range)));
    for (const [i, bytes] of parts.entries()) this.#parts.push({ start: wanted[i].start, bytes });
    this.#parts.sort((a, b) => a.start - b.start || a.bytes.length - b.bytes.length);
  }

  /** Whether one part has what begins at both offsets. */
  holdsBetween(first: number, last: number): boolean {
    return this.#parts.some(({ start, bytes }) => start <= first && last < start + bytes.length);
  }

  /** What is there from `offset` on, up to the end of its part; empty when it was not read. A view. */
  from(offset: number): Uint8Array {
    let low = 0;
    let high = this.#parts.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#parts[middle].start <= offset) low = middle + 1;
      else high = middle;
    }
    // Entries do not overlap, so the part that begins last before the entry holds it, unless that part is one entry
    // read again; then it is in the part before.
    const further = this.#endOf(low - 2) > this.#endOf(low - 1) ? low - 2 : low - 1;
    const part = this.#parts[further];
    return part && this.#endOf(further) > offset ? part.bytes.subarray(offset - part.start) : NOTHING;
  }

  #endOf(i: number): number {
    return i < 0 ? 0 : this.#parts[i].start + this.#parts[i].bytes.length;
  }
}

async function readRange(
  { ctx, bucket, gate, budget }: RangeSource,
  key: string,
  range: ByteRange,
): Promise<Uint8Array> {
  const length = range.end - range.start;
  budget.takeBytes(length);
  return gate.run(ctx.signal, `read ${key}`, () => bucket.getRange(ctx, key, range.start, length));
}

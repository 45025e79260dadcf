import type { BlockRef } from '../blocks/layout.ts';
import { INDEX_FILE } from '../blocks/layout.ts';
import type { BlockMeta } from '../blocks/meta.ts';
import { wrapError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import { SERIES_ALIGN } from '../tsdb/index/index-format.ts';
import { intersect, merge, without } from '../tsdb/index/postings.ts';
import type { ByteCache } from './byte-cache.ts';
import type { IndexHeader } from './index-header.ts';
import { decodePostings, postingsSize } from './postings.ts';
import { planPostings } from './postings-plan.ts';
import { type ByteRange, FetchedRanges, type RangeSource } from './ranges.ts';
import { decodeSeriesEntry, type EntryWish, type SeriesEntry, seriesEntrySize } from './series-entry.ts';

/** What an entry takes, when nobody said: labels, and this much for each chunk. */
const LABELS_BYTES = 384;
const CHUNK_META_BYTES = 12;
const SERIES_GUESS_BYTES_MAX = 16 * 1024;
/** A list is asked for whole up to this size; the length of a longer one is looked at first. */
const LIST_GUESS_BYTES_MAX = 16 * 1024 * 1024;
const LIST_GUESS_BYTES = 64 * 1024;

/** Postings lists by block and offset, shared by all queries. */
export type PostingsCache = ByteCache<Uint32Array>;

/** What matchers select of a block, as far as the lists of its index tell. */
export interface SelectedSeries {
  /** References of series, ascending, which is the order of their labels. */
  readonly refs: Uint32Array;
  /** Matchers that the series are yet to be asked: their lists were not worth reading. */
  readonly lazy: readonly Matcher[];
  /** Entries that were read along. */
  readonly ahead: FetchedRanges | undefined;
}

/** The index of one block in the bucket: matchers → references → series, by ranged reads. */
export class BlockIndex {
  readonly header: IndexHeader;
  readonly #key: string;
  readonly #cache: PostingsCache;
  /** What an entry takes, about. */
  readonly entryGuessBytes: number;

  constructor(
    { folder }: BlockRef,
    meta: Pick<BlockMeta, 'chunkCount' | 'seriesCount' | 'indexStats'>,
    header: IndexHeader,
    cache: PostingsCache,
  ) {
    this.header = header;
    this.#key = `${folder}/${INDEX_FILE}`;
    this.#cache = cache;
    this.entryGuessBytes = entryGuess(meta);
  }

  /**
   * The series that all matchers select. When the series of the metric asked for lie together, they are read at once with the
   * lists that tell which of them it will be, up to `aheadBytesMax`: a round trip less.
   */
  async select(
    source: RangeSource,
    matchers: readonly Matcher[],
    aheadBytesMax: number,
  ): Promise<SelectedSeries> {
    const plan = planPostings(this.header, matchers, (list) => this.#cache.has(this.#cacheKey(list.start)));
    if (plan.wanted.some(({ lists }) => lists.length === 0))
      return { refs: new Uint32Array(0), lazy: [], ahead: undefined };
    const isSmall = plan.ahead && plan.ahead.end - plan.ahead.start <= aheadBytesMax;
    const ahead = isSmall ? FetchedRanges.of(source, this.#key, plan.ahead) : undefined;
    // Not waited for when the lists fail.
    ahead?.catch(() => {});
    const lists = await this.#lists(
      source,
      [...plan.wanted, ...plan.unwanted].flatMap((group) => group.lists),
    );
    const joined = (group: { readonly lists: readonly ByteRange[] }) =>
      merge(group.lists.map(({ start }) => lists.get(start) as Uint32Array));
    const included = plan.wanted.map(joined).sort((a, b) => a.length - b.length);
    const selected = included.reduce((a, b) => intersect(a, b));
    const refs = plan.unwanted.map(joined).reduce(without, selected);
    return { refs, lazy: plan.lazy, ahead: await ahead };
  }

  /** How many of `refs` from `at` on have entries of about `bytes` together; at least one. */
  countWithin(refs: Uint32Array, at: number, bytes: number): number {
    let sum = 0;
    for (let i = at; i < refs.length; i++) {
      sum += this.#guessOf(refs, i).bytes;
      if (sum > bytes && i > at) return i - at;
    }
    return refs.length - at;
  }

  /** Reads the entries of ascending references, but for those that are in `ahead`. */
  async fetchSeries(source: RangeSource, refs: Uint32Array, ahead?: FetchedRanges): Promise<FetchedRanges> {
    // What was read ahead ends with an entry, so that no entry in it can be cut off.
    if (ahead?.holdsBetween(refs[0] * SERIES_ALIGN, refs[refs.length - 1] * SERIES_ALIGN)) return ahead;
    const guesses = Array.from(refs, (_, i) => {
      const { start, bytes } = this.#guessOf(refs, i);
      return { start, end: start + bytes };
    });
    return FetchedRanges.entries(source, this.#key, guesses, seriesEntrySize, ahead);
  }

  /** The wanted series of references whose entries were read. */
  decodeSeries(fetched: FetchedRanges, refs: Uint32Array, wish: EntryWish): SeriesEntry[] {
    const found: SeriesEntry[] = [];
    for (const ref of refs) {
      const start = ref * SERIES_ALIGN;
      const entry = this.#decode('series', start, () => decodeSeriesEntry(fetched.from(start), wish, ref));
      if (entry) found.push(entry);
    }
    return found;
  }

  /** An entry ends at the latest where the next one wanted begins. */
  #guessOf(refs: Uint32Array, i: number): { readonly start: number; readonly bytes: number } {
    const start = refs[i] * SERIES_ALIGN;
    const next = i + 1 < refs.length ? refs[i + 1] * SERIES_ALIGN : Number.POSITIVE_INFINITY;
    return { start, bytes: Math.min(next - start, this.entryGuessBytes) };
  }

  /** Postings lists by the offset where they begin, from the cache or the bucket. */
  async #lists(source: RangeSource, ranges: readonly ByteRange[]): Promise<Map<number, Uint32Array>> {
    const lists = new Map<number, Uint32Array>();
    const missing = new Map<number, ByteRange>();
    for (const range of ranges) {
      const known = this.#cache.get(this.#cacheKey(range.start));
      if (known) lists.set(range.start, known);
      else missing.set(range.start, range);
    }
    const guesses = [...missing.values()].map(guessOf);
    const fetched = await FetchedRanges.entries(source, this.#key, guesses, postingsSize);
    for (const { start } of guesses) {
      const list = this.#decode('postings', start, () => decodePostings(fetched.from(start)));
      lists.set(start, list);
      this.#cache.set(this.#cacheKey(start), list, list.byteLength);
    }
    return lists;
  }

  #cacheKey(start: number): string {
    return `${this.#key}:${start}`;
  }

  #decode<T>(what: string, start: number, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      throw wrapError(`${this.#key}: ${what} at ${start}`, error);
    }
  }
}

/** What an entry takes at most, as said by whoever made the block, else about. One that is longer costs another round trip. */
function entryGuess({
  chunkCount,
  seriesCount,
  indexStats,
}: Pick<BlockMeta, 'chunkCount' | 'seriesCount' | 'indexStats'>) {
  const chunks = Math.ceil(chunkCount / Math.max(1, seriesCount));
  const guess = indexStats?.seriesMaxBytes || LABELS_BYTES + CHUNK_META_BYTES * chunks;
  return Math.min(SERIES_GUESS_BYTES_MAX, guess);
}

function guessOf({ start, end }: ByteRange): ByteRange {
  return end - start <= LIST_GUESS_BYTES_MAX ? { start, end } : { start, end: start + LIST_GUESS_BYTES };
}

import { type BlockRef, INDEX_FILE } from '../blocks/layout.ts';
import { wrapError } from '../model/errors.ts';
import type { Matcher } from '../model/matcher.ts';
import { SERIES_ALIGN } from '../tsdb/index/index-format.ts';
import { intersect, merge, without } from '../tsdb/index/postings.ts';
import type { ByteCache } from './byte-cache.ts';
import type { IndexHeader } from './index-header.ts';
import { decodePostings, postingsSize } from './postings.ts';
import { type ByteRange, FetchedRanges, type RangeSource } from './ranges.ts';
import { decodeSeriesEntry, type SeriesEntry, seriesEntrySize } from './series-entry.ts';

const SERIES_GUESS_BYTES = 512;
/** A list is asked for whole up to this size; the length of a longer one is looked at first. */
const LIST_GUESS_BYTES_MAX = 16 * 1024 * 1024;
const LIST_GUESS_BYTES = 64 * 1024;

/** Postings lists by block and offset, shared by all queries. */
export type PostingsCache = ByteCache<Uint32Array>;

/** The index of one block in the bucket: matchers → references → series, by ranged reads. */
export class BlockIndex {
  readonly header: IndexHeader;
  readonly #key: string;
  readonly #cache: PostingsCache;

  constructor({ folder }: BlockRef, header: IndexHeader, cache: PostingsCache) {
    this.header = header;
    this.#key = `${folder}/${INDEX_FILE}`;
    this.#cache = cache;
  }

  /** References of the series that all matchers select, ascending, which is the order of their labels. */
  async select(source: RangeSource, matchers: readonly Matcher[]): Promise<Uint32Array> {
    const { wanted, unwanted } = this.#plan(matchers);
    if (wanted.some((lists) => lists.length === 0)) return new Uint32Array(0);
    const lists = await this.#lists(source, [...wanted, ...unwanted].flat());
    const joined = (ranges: readonly ByteRange[]) =>
      merge(ranges.map(({ start }) => lists.get(start) as Uint32Array));
    const included = wanted.map(joined).sort((a, b) => a.length - b.length);
    const selected = included.reduce((a, b) => intersect(a, b));
    return unwanted.map(joined).reduce(without, selected);
  }

  /** Decodes the series of ascending references, with their chunks that touch mint … maxt. */
  async series(source: RangeSource, refs: Uint32Array, mint: number, maxt: number): Promise<SeriesEntry[]> {
    const guesses = Array.from(refs, (ref, i) => {
      const start = ref * SERIES_ALIGN;
      const next = i + 1 < refs.length ? refs[i + 1] * SERIES_ALIGN : Number.POSITIVE_INFINITY;
      return { start, end: Math.min(next, start + SERIES_GUESS_BYTES) };
    });
    const fetched = await FetchedRanges.entries(source, this.#key, guesses, seriesEntrySize);
    return guesses.map(({ start }) =>
      this.#decode('series', start, () => decodeSeriesEntry(fetched.from(start), mint, maxt)),
    );
  }

  /** Lists to unite per matcher that wants a value, and per matcher that also takes series without the label those to leave out. */
  #plan(matchers: readonly Matcher[]): { wanted: ByteRange[][]; unwanted: ByteRange[][] } {
    const wanted: ByteRange[][] = [];
    const unwanted: ByteRange[][] = [];
    for (const matcher of matchers) {
      if (!matcher.matchesEmpty) wanted.push(this.#listsOf(matcher));
      else {
        const others = this.header.postingsWhere(matcher.name, (value) => !matcher.matches(value));
        if (others.length > 0) unwanted.push(others);
      }
    }
    if (wanted.length === 0) {
      const all = this.header.postings('', '');
      wanted.push(all ? [all] : []);
    }
    return { wanted, unwanted };
  }

  #listsOf(matcher: Matcher): ByteRange[] {
    const { setMatches } = matcher;
    if (!setMatches) return this.header.postingsWhere(matcher.name, (value) => matcher.matches(value));
    return setMatches.flatMap((value) => this.header.postings(matcher.name, value) ?? []);
  }

  /** Postings lists by the offset where they begin, from the cache or the bucket. */
  async #lists(source: RangeSource, ranges: readonly ByteRange[]): Promise<Map<number, Uint32Array>> {
    const lists = new Map<number, Uint32Array>();
    const missing = new Map<number, ByteRange>();
    for (const range of ranges) {
      const known = this.#cache.get(`${this.#key}:${range.start}`);
      if (known) lists.set(range.start, known);
      else missing.set(range.start, range);
    }
    const guesses = [...missing.values()].map(guessOf);
    const fetched = await FetchedRanges.entries(source, this.#key, guesses, postingsSize);
    for (const { start } of guesses) {
      const list = this.#decode('postings', start, () => decodePostings(fetched.from(start)));
      lists.set(start, list);
      this.#cache.set(`${this.#key}:${start}`, list, list.byteLength);
    }
    return lists;
  }

  #decode<T>(what: string, start: number, decode: () => T): T {
    try {
      return decode();
    } catch (error) {
      throw wrapError(`${this.#key}: ${what} at ${start}`, error);
    }
  }
}

function guessOf({ start, end }: ByteRange): ByteRange {
  return end - start <= LIST_GUESS_BYTES_MAX ? { start, end } : { start, end: start + LIST_GUESS_BYTES };
}

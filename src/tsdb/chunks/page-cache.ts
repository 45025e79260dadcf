import type { Disk, DiskFile } from '../../platform/disk.ts';

/** Small enough that scattered chunks do not read much too much, large enough to hold a good many. */
export const CACHE_PAGE_BYTES = 16 * 1024;
/** Missing pages at most this far apart are read in one go. */
const GAP_PAGES_MAX = 2;
/** One read asks for at most this many pages. */
const READ_PAGES_MAX = 64;
/** Reads of one `prefetch` that run at once. */
const READS_AT_ONCE = 4;

/** Entries are told apart by where they begin, divided by this: no entry is shorter. */
const PLACE_BYTES = 4;

/** A page of a file, and which of the entries that it holds as a whole had the right checksum. */
export class Page {
  readonly bytes: Uint8Array;
  /** A bit per place. */
  #checked: Uint8Array | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  isChecked(at: number): boolean {
    if (this.#checked === undefined) return false;
    const place = Math.floor(at / PLACE_BYTES);
    return (this.#checked[place >> 3] & (1 << (place & 7))) !== 0;
  }

  setChecked(at: number): void {
    this.#checked ??= new Uint8Array(CACHE_PAGE_BYTES / PLACE_BYTES / 8);
    const place = Math.floor(at / PLACE_BYTES);
    this.#checked[place >> 3] |= 1 << (place & 7);
  }
}

const NO_PAGE = new Page(new Uint8Array(0));

/** Pages of many files, the least recently used ones going first when they exceed `bytesMax`. */
export class PageCache {
  readonly #bytesMax: number;
  readonly #pages = new Map<number, Page>();
  #bytes = 0;
  #nextFile = 1;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  get bytesMax(): number {
    return this.#bytesMax;
  }

  /** A number for the keys of one file's pages; pages of files that are gone age out. */
  newFile(): number {
    return this.#nextFile++ * 2 ** 26;
  }

  get(key: number): Page | undefined {
    const page = this.#pages.get(key);
    if (page) {
      this.#pages.delete(key);
      this.#pages.set(key, page);
    }
    return page;
  }

  has(key: number): boolean {
    return this.#pages.has(key);
  }

  put(key: number, page: Page): void {
    this.drop(key);
    this.#pages.set(key, page);
    this.#bytes += page.bytes.length;
    for (const [oldest, { bytes }] of this.#pages) {
      if (this.#bytes <= this.#bytesMax || oldest === key) break;
      this.#pages.delete(oldest);
      this.#bytes -= bytes.length;
    }
  }

  drop(key: number): void {
    this.#bytes -= this.#pages.get(key)?.bytes.length ?? 0;
    this.#pages.delete(key);
  }
}

/** A file read through a `PageCache`. The file may grow, but bytes once written stay. */
export class CachedFile {
  readonly path: string;
  readonly #file: DiskFile;
  readonly #cache: PageCache;
  readonly #key: number;
  /** The page read last, which ordered reads mostly want again. */
  #lastNumber = -1;
  #lastPage = NO_PAGE;

  constructor(disk: Disk, path: string, cache: PageCache) {
    this.path = path;
    this.#file = disk.openSync(path, 'read');
    this.#cache = cache;
    this.#key = cache.newFile();
  }

  size(): Promise<number> {
    return this.#file.size();
  }

  /** The bytes start … start + length, fewer at the end of the file: a view into a page, or a copy if they span pages. */
  read(start: number, length: number): Uint8Array {
    const first = Math.floor(start / CACHE_PAGE_BYTES);
    const inPage = start - first * CACHE_PAGE_BYTES;
    if (inPage + length <= CACHE_PAGE_BYTES)
      return this.#page(first, inPage + length).subarray(inPage, inPage + length);
    return this.#readAcross(start, length);
  }

  /** Loads what reads of up to `length` bytes at `offsets` (ascending) will need, neighbours together. */
  async prefetch(offsets: ArrayLike<number>, length: number): Promise<void> {
    const runs = this.#missingRuns(offsets, length);
    let next = 0;
    const most = Math.max(0, ...runs.map((run) => run.count));
    const work = async () => {
      // One buffer for all its reads: memory touched for the first time costs more than the read.
      const buffer = new Uint8Array(most * CACHE_PAGE_BYTES);
      while (next < runs.length) await this.#loadRun(runs[next++], buffer);
    };
    await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE, runs.length) }, work));
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  #readAcross(start: number, length: number): Uint8Array {
    const out = new Uint8Array(length);
    let done = 0;
    while (done < length) {
      const page = Math.floor((start + done) / CACHE_PAGE_BYTES);
      const inPage = start + done - page * CACHE_PAGE_BYTES;
      const wanted = Math.min(length - done, CACHE_PAGE_BYTES - inPage);
      const part = this.#page(page, inPage + wanted).subarray(inPage, inPage + wanted);
      out.set(part, done);
      done += part.length;
      if (part.length < wanted) break;
    }
    return out.subarray(0, done);
  }

  /**
   * Whether the entry that begins at `start`, within the page read last, was found to have the right checksum since that page
   * was loaded. What is in memory is not checked again each time: it was a fifth of reading chunks.
   */
  isChecked(start: number): boolean {
    const inPage = start - this.#lastNumber * CACHE_PAGE_BYTES;
    return inPage >= 0 && inPage < CACHE_PAGE_BYTES && this.#lastPage.isChecked(inPage);
  }

  /** Says so of the entry start … end, when the page read last has all of it. */
  setChecked(start: number, end: number): void {
    const inPage = start - this.#lastNumber * CACHE_PAGE_BYTES;
    if (inPage >= 0 && end - start + inPage <= this.#lastPage.bytes.length) this.#lastPage.setChecked(inPage);
  }

  /** A page that reaches to `end` if the file does; a page kept from when the file was shorter is read again. */
  #page(number: number, end: number): Uint8Array {
    if (number !== this.#lastNumber || this.#lastPage.bytes.length < end) {
      this.#lastPage = this.#load(number, end);
      this.#lastNumber = number;
    }
    return this.#lastPage.bytes;
  }

  #load(number: number, end: number): Page {
    const kept = this.#cache.get(this.#key + number);
    if (kept && kept.bytes.length >= end) return kept;
    const bytes = new Uint8Array(CACHE_PAGE_BYTES);
    const read = bytes.subarray(0, this.#file.readAtSync(bytes, number * CACHE_PAGE_BYTES));
    const page = new Page(read);
    this.#cache.put(this.#key + number, page);
    return page;
  }

  #missingRuns(offsets: ArrayLike<number>, length: number): { first: number; count: number }[] {
    const runs: { first: number; count: number }[] = [];
    let next = 0;
    for (let i = 0; i < offsets.length; i++) {
      const last = Math.floor((offsets[i] + length - 1) / CACHE_PAGE_BYTES);
      for (let page = Math.max(next, Math.floor(offsets[i] / CACHE_PAGE_BYTES)); page <= last; page++) {
        next = page + 1;
        if (this.#cache.has(this.#key + page)) continue;
        const run = runs.at(-1);
        if (run && page - run.first - run.count <= GAP_PAGES_MAX && page - run.first < READ_PAGES_MAX)
          run.count = page - run.first + 1;
        else runs.push({ first: page, count: 1 });
      }
    }
    return runs;
  }

  async #loadRun({ first, count }: { first: number; count: number }, buffer: Uint8Array): Promise<void> {
    const bytes = buffer.subarray(0, count * CACHE_PAGE_BYTES);
    const length = await this.#file.readAt(bytes, first * CACHE_PAGE_BYTES);
    for (let i = 0; i < count; i++) {
      const start = i * CACHE_PAGE_BYTES;
      // Pages are copied apart, so that one that stays does not keep its neighbours in memory.
      if (start < length)
        this.#cache.put(
          this.#key + first + i,
          new Page(bytes.slice(start, Math.min(start + CACHE_PAGE_BYTES, length))),
        );
    }
  }
}

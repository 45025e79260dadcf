import { crc32 } from 'node:zlib';
import { VeronaError } from '../model/errors.ts';
import type { Disk } from '../platform/disk.ts';
import { CACHE_PAGE_BYTES, CachedFile, type PageCache } from '../tsdb/chunks/page-cache.ts';
import type { HeaderPlaces } from './header-places.ts';

/** An index-header on the local disk: a page that is not what was written throws `corrupt`. Whoever opens it closes it. */
export class HeaderFile {
  readonly path: string;
  readonly #file: CachedFile;
  readonly #places: HeaderPlaces;
  /** Pages that were compared with their checksums. */
  readonly #checked: Uint8Array;
  readonly #damaged: () => void;

  private constructor(file: CachedFile, places: HeaderPlaces, damaged: () => void) {
    this.path = file.path;
    this.#file = file;
    this.#places = places;
    this.#checked = new Uint8Array(places.pageSums.length);
    this.#damaged = damaged;
  }

  /** Throws `corrupt` when the file is not of the size it should have. `damaged` is told before a page throws. */
  static async open(
    disk: Disk,
    path: string,
    pages: PageCache,
    places: HeaderPlaces,
    damaged: () => void,
  ): Promise<HeaderFile> {
    const file = new CachedFile(disk, path, pages);
    const sizeBytes = await file.size().catch(() => -1);
    if (sizeBytes === places.headerBytes) return new HeaderFile(file, places, damaged);
    await file.close();
    throw new VeronaError('corrupt', `${path}: ${sizeBytes} bytes instead of ${places.headerBytes}`);
  }

  /** A view, or a copy where it spans pages; fewer bytes at the end of the file. */
  read(start: number, length: number): Uint8Array {
    const end = Math.min(start + length, this.#places.headerBytes);
    const last = Math.floor((end - 1) / CACHE_PAGE_BYTES);
    for (let page = Math.floor(start / CACHE_PAGE_BYTES); page <= last; page++)
      if (!this.#checked[page]) this.#check(page);
    return this.#file.read(start, Math.max(0, end - start));
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Once: what the file held then it holds now, as for every file that nobody writes. */
  #check(page: number): void {
    const { headerBytes, pageSums } = this.#places;
    const start = page * CACHE_PAGE_BYTES;
    const length = Math.min(CACHE_PAGE_BYTES, headerBytes - start);
    const bytes = this.#file.read(start, length);
    if (bytes.length === length && crc32(bytes) === pageSums[page]) {
      this.#checked[page] = 1;
      return;
    }
    this.#damaged();
    throw new VeronaError('corrupt', `${this.path}: bad checksum of the page at ${start}; it is made again`);
  }
}

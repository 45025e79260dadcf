import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import {
  BLOCK_CHUNKS_MAGIC,
  CHUNK_FILE_HEADER_BYTES,
  CHUNK_READ_BYTES,
  type ChunkFolder,
  checkFileHeader,
  chunkFileName,
  HEAD_CHUNKS_MAGIC,
  readBlockChunk,
  readHeadChunk,
  refOffset,
  refSequence,
  type StoredChunk,
} from './chunk-format.ts';
import { ChunkWindow } from './chunk-window.ts';
import { CachedFile, type PageCache } from './page-cache.ts';

/** Of a file that is read from front to back so much is in memory. */
const WALK_BYTES = 1024 * 1024;
/** Chunks whose pages are fetched together. */
const SLICE_CHUNKS = 8192;

/**
 * Reads chunks by ref from a folder of chunk files (`<ulid>/chunks` or `chunks_head`), many at a time: sorted by place,
 * neighbouring pages in one read. Knows nothing but the folder, so any thread can have one. Open files are kept.
 */
export class ChunkReader {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #folder: ChunkFolder;
  readonly #cache: PageCache;
  readonly #files = new Map<number, CachedFile>();

  constructor(disk: Disk, dir: string, folder: ChunkFolder, cache: PageCache) {
    this.#disk = disk;
    this.#dir = dir;
    this.#folder = folder;
    this.#cache = cache;
  }

  /**
   * Calls `visit` with each chunk, in the order of their places, `i` being the index into `refs`. The data are a view,
   * valid during the call. Throws `corrupt` for a damaged chunk and `not_found` when its file is gone.
   */
  async readAll(refs: ArrayLike<number>, visit: (i: number, chunk: StoredChunk) => void): Promise<void> {
    const order = orderByRef(refs);
    for (let from = 0; from < order.length; from += SLICE_CHUNKS) {
      const slice = order.subarray(from, from + SLICE_CHUNKS);
      await this.#prefetch(refs, slice);
      for (const i of slice) visit(i, this.read(refs[i]));
    }
  }

  /** One chunk, on this thread; the data are a view, valid until the next read. */
  read(ref: number): StoredChunk {
    const file = this.#file(refSequence(ref));
    return this.#folder === 'block'
      ? readBlockChunk(file, refOffset(ref))
      : readHeadChunk(file, refOffset(ref));
  }

  /** Reads the chunks of a block's folder from front to back, apart from everything else. Whoever asks for it closes it. */
  walk(): ChunkWindow {
    return new ChunkWindow(this.#disk, this.#dir, WALK_BYTES);
  }

  /** Lets go of files before `sequence`, which are about to be removed. */
  async forgetBefore(sequence: number): Promise<void> {
    for (const [key, file] of this.#files)
      if (key < sequence) {
        this.#files.delete(key);
        await file.close();
      }
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
    this.#files.clear();
  }

  /** Loads what `read` of these chunks will need, as far as that can be told: those of more than some thousand chunks may go again. */
  prefetch(refs: ArrayLike<number>): Promise<void> {
    return this.#prefetch(refs, orderByRef(refs));
  }

  async #prefetch(refs: ArrayLike<number>, slice: Uint32Array): Promise<void> {
    let start = 0;
    while (start < slice.length) {
      const sequence = refSequence(refs[slice[start]]);
      let end = start;
      while (end < slice.length && refSequence(refs[slice[end]]) === sequence) end++;
      const offsets = Float64Array.from(slice.subarray(start, end), (i) => refOffset(refs[i]));
      await this.#file(sequence).prefetch(offsets, CHUNK_READ_BYTES);
      start = end;
    }
  }

  #file(sequence: number): CachedFile {
    const known = this.#files.get(sequence);
    if (known) return known;
    const path = `${this.#dir}/${chunkFileName(this.#folder, sequence)}`;
    let file: CachedFile;
    try {
      file = new CachedFile(this.#disk, path, this.#cache);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
      throw new VeronaError('not_found', `${path}: no such chunk file`, { cause });
    }
    const magic = this.#folder === 'block' ? BLOCK_CHUNKS_MAGIC : HEAD_CHUNKS_MAGIC;
    try {
      checkFileHeader(file.read(0, CHUNK_FILE_HEADER_BYTES), magic, path);
    } catch (error) {
      void file.close();
      throw error;
    }
    this.#files.set(sequence, file);
    return file;
  }
}

/** Indexes into `refs` by ascending ref; already ordered refs cost one pass. */
function orderByRef(refs: ArrayLike<number>): Uint32Array {
  const order = Uint32Array.from({ length: refs.length }, (_, i) => i);
  for (let i = 1; i < refs.length; i++)
    if (refs[i] < refs[i - 1]) return order.sort((a, b) => refs[a] - refs[b]);
  return order;
}

import type { BlockRef } from '../blocks/layout.ts';
import { VeronaError } from '../model/errors.ts';
import { type FileBytes, readBlockChunk, type StoredChunk } from '../tsdb/chunks/chunk-format.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { type ByteRange, FetchedRanges, type RangeSource } from './ranges.ts';
import type { ChunkMeta } from './series-entry.ts';

/** What a chunk takes at most when nobody said; one that is longer costs another round trip. */
const CHUNK_GUESS_BYTES = 4096;
const CHUNK_BYTES_MAX = 64 * 1024;

/** The chunks of one block in the bucket, by ranged reads. */
export class BlockChunks {
  readonly #folder: string;
  readonly #sizes: ReadonlyMap<string, number>;
  readonly #guessBytes: number;

  /** `sizes` are those of the block's objects; `chunkMaxBytes` is what a chunk takes at most, 0 when nobody said. */
  constructor({ folder }: BlockRef, sizes: ReadonlyMap<string, number>, chunkMaxBytes = 0) {
    this.#folder = folder;
    this.#sizes = sizes;
    this.#guessBytes = Math.min(CHUNK_BYTES_MAX, chunkMaxBytes || CHUNK_GUESS_BYTES);
  }

  /** What reading a chunk will bring, about. */
  bytesOf({ offset, end }: ChunkMeta): number {
    return end === undefined ? this.#guessBytes : Math.min(end - offset, CHUNK_BYTES_MAX);
  }

  /** Fetches all of `metas`; afterwards the returned function gives each without waiting (a view), or throws `corrupt`. */
  async fetch(source: RangeSource, metas: readonly ChunkMeta[]): Promise<(meta: ChunkMeta) => StoredChunk> {
    const bySegment = Map.groupBy(metas, ({ segment }) => segment);
    const files = new Map<number, FileBytes>();
    await Promise.all(
      [...bySegment].map(async ([segment, chunks]) => {
        files.set(segment, await this.#fetchSegment(source, segment, chunks));
      }),
    );
    return ({ segment, offset }) => readBlockChunk(files.get(segment) as FileBytes, offset);
  }

  async #fetchSegment(source: RangeSource, segment: number, metas: readonly ChunkMeta[]): Promise<FileBytes> {
    const file = `chunks/${String(segment + 1).padStart(6, '0')}`;
    const path = `${this.#folder}/${file}`;
    const sizeBytes = this.#sizes.get(file);
    if (sizeBytes === undefined)
      throw new VeronaError('corrupt', `${path}: missing, but the index refers to it`);
    const guesses = this.#guessesOf(path, metas, sizeBytes);
    const fetched = await FetchedRanges.entries(source, path, guesses, chunkSize);
    return { path, read: (start, length) => fetched.from(start).subarray(0, length) };
  }

  /** A chunk ends at the latest where the next one of its series, or the next wanted one, begins. */
  #guessesOf(path: string, metas: readonly ChunkMeta[], sizeBytes: number): ByteRange[] {
    const sorted = metas.toSorted((a, b) => a.offset - b.offset);
    return sorted.map((meta, i) => {
      const start = meta.offset;
      if (start >= sizeBytes)
        throw new VeronaError('corrupt', `${path}: chunk at ${start} of ${sizeBytes} bytes`);
      const next = sorted[i + 1]?.offset > start ? sorted[i + 1].offset : sizeBytes;
      return { start, end: Math.min(next, sizeBytes, start + this.bytesOf(meta)) };
    });
  }
}

/** Bytes of the chunk that begins with `bytes`: length, encoding, data, checksum. */
function chunkSize(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  const length = reader.uvarint();
  return reader.at + 1 + length + 4;
}

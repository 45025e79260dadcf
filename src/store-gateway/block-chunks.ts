import type { BlockRef } from '../blocks/layout.ts';
import { VeronaError } from '../model/errors.ts';
import { type FileBytes, readBlockChunk, type StoredChunk } from '../tsdb/chunks/chunk-format.ts';
import { ByteReader } from '../tsdb/format/byte-reader.ts';
import { type ByteRange, FetchedRanges, type RangeSource } from './ranges.ts';
import type { ChunkMeta } from './series-entry.ts';

const CHUNK_GUESS_BYTES = 4096;

/** The chunks of one block in the bucket, by ranged reads. */
export class BlockChunks {
  readonly #folder: string;
  readonly #sizes: ReadonlyMap<string, number>;

  /** `sizes` are those of the block's objects. */
  constructor({ folder }: BlockRef, sizes: ReadonlyMap<string, number>) {
    this.#folder = folder;
    this.#sizes = sizes;
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
    const guesses = guessesOf(path, metas, sizeBytes);
    const fetched = await FetchedRanges.entries(source, path, guesses, chunkSize);
    return { path, read: (start, length) => fetched.from(start).subarray(0, length) };
  }
}

/** A chunk ends at the latest where the next wanted one begins. */
function guessesOf(path: string, metas: readonly ChunkMeta[], sizeBytes: number): ByteRange[] {
  const starts = Float64Array.from(metas, ({ offset }) => offset).sort();
  return Array.from(starts, (start, i) => {
    if (start >= sizeBytes)
      throw new VeronaError('corrupt', `${path}: chunk at ${start} of ${sizeBytes} bytes`);
    const next = starts[i + 1] > start ? starts[i + 1] : sizeBytes;
    return { start, end: Math.min(next, sizeBytes, start + CHUNK_GUESS_BYTES) };
  });
}

/** Bytes of the chunk that begins with `bytes`: length, encoding, data, checksum. */
function chunkSize(bytes: Uint8Array): number {
  const reader = new ByteReader(bytes);
  const length = reader.uvarint();
  return reader.at + 1 + length + 4;
}

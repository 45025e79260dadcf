import { wrapError } from '../../model/errors.ts';
import { assert } from '../../platform/assert.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import { ByteWriter } from '../format/byte-writer.ts';
import { syncFile } from '../format/sync-file.ts';
import {
  CHUNK_FILE_HEADER_BYTES,
  checkFileHeader,
  chunkFileName,
  chunkRef,
  encodeFileHeader,
  encodeHeadChunk,
  HEAD_CHUNKS_MAGIC,
  type HeadChunk,
  readHeadChunk,
  refOffset,
  refSequence,
} from './chunk-format.ts';

/** A file of `chunks_head/` grows to this size at most. */
export const HEAD_FILE_BYTES_MAX = 128 * 1024 * 1024;

interface Pending {
  readonly sequence: number;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Writes `chunks_head/`. Bytes count as appended at once and can be read here until they are written; `flush` writes
 * them. A failed write keeps them, and the next `flush` tries again at the same place.
 *
 * A file gets bytes only when the one before is durable: where a later chunk of a series is found, the log's samples
 * before it are taken to be in chunks too.
 */
export class HeadChunkWriter {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #pending: Pending[] = [];
  readonly #entry = new ByteWriter(1024);
  #pendingBytes = 0;
  #sequence: number;
  #offset = 0;
  #file: { sequence: number; file: DiskFile } | undefined;
  #flushing: Promise<void> | undefined;

  private constructor(disk: Disk, dir: string, sequence: number) {
    this.#disk = disk;
    this.#dir = dir;
    this.#sequence = sequence;
    this.#begin();
  }

  /** Begins a new file after the last one present, which is made durable. */
  static async open(disk: Disk, dir: string): Promise<HeadChunkWriter> {
    await disk.makeDir(dir);
    const last = (await listHeadFiles(disk, dir)).at(-1);
    if (last !== undefined) await syncFile(disk, last.path);
    return new HeadChunkWriter(disk, dir, (last?.sequence ?? 0) + 1);
  }

  /** Where the next appended byte will be. */
  get position(): { readonly sequence: number; readonly offset: number } {
    return { sequence: this.#sequence, offset: this.#offset };
  }

  /** Appended but not written. The caller stops appending when this grows beyond what it allows. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** Whether `size` more bytes fit into this file. */
  hasRoom(size: number): boolean {
    return this.#offset + size <= HEAD_FILE_BYTES_MAX;
  }

  /** Begins the next file; what is appended from now on goes there. */
  cut(): void {
    this.#sequence++;
    this.#begin();
  }

  /** Appends ready-made entries (copied) at the position announced before. Entries of one call lie in one file. */
  append(bytes: Uint8Array): void {
    assert(this.hasRoom(bytes.length), 'chunks fit into the file they were made for');
    this.#push(bytes.slice());
  }

  /** Appends one chunk, in a new file when this one is full; returns its ref. */
  add(chunk: HeadChunk): number {
    this.#entry.clear();
    encodeHeadChunk(this.#entry, chunk);
    if (!this.hasRoom(this.#entry.length)) this.cut();
    const ref = chunkRef(this.#sequence, this.#offset);
    this.append(this.#entry.view());
    return ref;
  }

  /** The chunk at `ref` when it waits to be written; its data are a view of immutable memory. */
  readPending(ref: number): HeadChunk | undefined {
    const sequence = refSequence(ref);
    const offset = refOffset(ref);
    for (const { sequence: s, offset: start, bytes } of this.#pending)
      if (s === sequence && offset >= start && offset < start + bytes.length)
        return readHeadChunk(memoryFile(this.#path(sequence), bytes, start), offset);
    return undefined;
  }

  /** Whether the chunk at `ref` can be read from its file. */
  isWritten(ref: number): boolean {
    const first = this.#pending[0];
    return !first || ref < chunkRef(first.sequence, first.offset);
  }

  /** Resolves when everything appended before is written (not synced: the log can make it again). */
  async flush(): Promise<void> {
    while (this.#pending.length > 0) {
      this.#flushing ??= this.#writeAll().finally(() => {
        this.#flushing = undefined;
      });
      await this.#flushing;
    }
  }

  /** Removes files that hold only chunks before `sequence`. The one being written stays. */
  async truncate(sequence: number): Promise<void> {
    for (const file of await listHeadFiles(this.#disk, this.#dir))
      if (file.sequence < Math.min(sequence, this.#sequence)) await this.#disk.remove(file.path);
  }

  async close(): Promise<void> {
    try {
      await this.flush();
      await this.#file?.file.sync();
    } finally {
      await this.#file?.file.close();
      this.#file = undefined;
    }
  }

  #begin(): void {
    this.#offset = 0;
    this.#push(encodeFileHeader(HEAD_CHUNKS_MAGIC));
  }

  #push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#pending.push({ sequence: this.#sequence, offset: this.#offset, bytes });
    this.#offset += bytes.length;
    this.#pendingBytes += bytes.length;
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const { sequence, offset } = this.#pending[0];
      const run = this.#pending.filter((entry) => entry.sequence === sequence);
      try {
        const file = await this.#open(sequence);
        await file.writeAt(
          run.map((entry) => entry.bytes),
          offset,
        );
      } catch (error) {
        throw wrapError(`write ${this.#path(sequence)}`, error, 'unavailable');
      }
      for (const entry of this.#pending.splice(0, run.length)) this.#pendingBytes -= entry.bytes.length;
    }
  }

  async #open(sequence: number): Promise<DiskFile> {
    if (this.#file?.sequence === sequence) return this.#file.file;
    await this.#file?.file.sync();
    const file = await this.#disk.open(this.#path(sequence), 'write');
    await this.#file?.file.close();
    this.#file = { sequence, file };
    return file;
  }

  #path(sequence: number): string {
    return `${this.#dir}/${chunkFileName('head', sequence)}`;
  }
}

/** What is wrong with a file of `chunks_head/`: nothing after `offset` was read. */
export interface HeadChunkDamage {
  readonly path: string;
  readonly sequence: number;
  readonly offset: number;
  readonly reason: string;
}

/**
 * Calls `visit` for every chunk in `chunks_head/`, checksums verified, in the order of refs; the chunk is valid during the
 * call. The first damage ends the reading: that file and all later ones are reported, and can be moved away with
 * `setAsideHeadFiles`, since the write-ahead log makes their samples again.
 */
export async function scanHeadChunks(
  disk: Disk,
  dir: string,
  visit: (ref: number, chunk: HeadChunk) => void,
): Promise<HeadChunkDamage[]> {
  const files = await listHeadFiles(disk, dir);
  for (const [i, { path, sequence }] of files.entries()) {
    const previous = files[i - 1];
    if (previous && sequence !== previous.sequence + 1)
      return [{ path, sequence, offset: 0, reason: `files after ${previous.sequence} are missing` }];
    const bytes = await disk.readFile(path);
    const damage = scanFile(memoryFile(path, bytes, 0), bytes.length, sequence, visit);
    if (damage) return [{ path, sequence, ...damage }];
  }
  return [];
}

/** Moves a damaged file aside as `<file>.corrupt`, with its readable beginning, and removes the later ones. */
export async function setAsideHeadFiles(disk: Disk, dir: string, damage: HeadChunkDamage): Promise<void> {
  for (const { path, sequence } of await listHeadFiles(disk, dir)) {
    if (sequence === damage.sequence) await disk.rename(path, `${path}.corrupt`);
    if (sequence > damage.sequence) await disk.remove(path);
  }
  await disk.syncDir(dir);
}

function scanFile(
  file: { path: string; read(start: number, length: number): Uint8Array },
  size: number,
  sequence: number,
  visit: (ref: number, chunk: HeadChunk) => void,
): { offset: number; reason: string } | undefined {
  let offset = 0;
  try {
    // A file whose header was never written holds nothing.
    if (size === 0) return undefined;
    checkFileHeader(file.read(0, CHUNK_FILE_HEADER_BYTES), HEAD_CHUNKS_MAGIC, file.path);
    offset = CHUNK_FILE_HEADER_BYTES;
    while (offset < size) {
      // Prometheus allocates files ahead; a series ref of zero means that the rest is empty.
      if (isZero(file.read(offset, size - offset))) return undefined;
      const chunk = readHeadChunk(file, offset);
      visit(chunkRef(sequence, offset), chunk);
      offset = chunk.end;
    }
    return undefined;
  } catch (error) {
    return { offset, reason: (error as Error).message };
  }
}

async function listHeadFiles(disk: Disk, dir: string): Promise<{ path: string; sequence: number }[]> {
  const entries = await disk.list(dir);
  return entries
    .filter(({ name }) => /^\d{6,}$/.test(name))
    .map(({ name }) => ({ path: `${dir}/${name}`, sequence: Number(name) }))
    .sort((a, b) => a.sequence - b.sequence);
}

function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

function memoryFile(path: string, bytes: Uint8Array, origin: number) {
  return {
    path,
    read: (start: number, length: number) => bytes.subarray(start - origin, start - origin + length),
  };
}

import { assert } from '../../platform/assert.ts';
import type { Disk } from '../../platform/disk.ts';
import { FileWriter } from '../format/file-writer.ts';
import {
  BLOCK_CHUNKS_MAGIC,
  chunkFileName,
  chunkRef,
  encodeBlockChunk,
  encodeFileHeader,
  type StoredChunk,
} from './chunk-format.ts';

/** A file of a block's chunks grows to this size at most. */
const CHUNK_FILE_BYTES_MAX = 512 * 1024 * 1024;
/** Length, encoding and checksum of an entry. */
const ENTRY_EXTRA_BYTES = 10;

/** Writes the chunk files of a block, one after the other. Before each chunk ask `hasRoom`, after it `isFull`. */
export class ChunkFiles {
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #bytesMax: number;
  #file: FileWriter | undefined;
  #count = 0;

  constructor(disk: Disk, dir: string, bytesMax = CHUNK_FILE_BYTES_MAX) {
    this.#disk = disk;
    this.#dir = dir;
    this.#bytesMax = bytesMax;
  }

  /** Whether entries of this many bytes still fit into the current file. */
  hasRoom(sizeBytes: number): boolean {
    const file = this.#file;
    return file !== undefined && file.position + sizeBytes + ENTRY_EXTRA_BYTES <= this.#bytesMax;
  }

  async nextFile(): Promise<void> {
    await this.#file?.finish();
    this.#file = undefined;
    const path = `${this.#dir}/${chunkFileName('block', this.#count)}`;
    this.#file = new FileWriter(await this.#disk.open(path, 'create'));
    this.#file.out.bytes(encodeFileHeader(BLOCK_CHUNKS_MAGIC));
    this.#count++;
  }

  /** Writes a chunk; returns its ref. */
  append(chunk: StoredChunk): number {
    const file = this.#current();
    const ref = chunkRef(this.#count - 1, file.position);
    encodeBlockChunk(file.out, chunk);
    return ref;
  }

  /** Copies entries of another block's chunk file, whose checksums were verified; returns the ref of the first one. */
  copy(bytes: Uint8Array): number {
    const file = this.#current();
    const ref = chunkRef(this.#count - 1, file.position);
    file.out.bytes(bytes);
    return ref;
  }

  get isFull(): boolean {
    return this.#file?.isFull === true;
  }

  async drain(): Promise<void> {
    await this.#file?.drain();
  }

  async finish(): Promise<void> {
    await this.#file?.finish();
    this.#file = undefined;
  }

  async abort(): Promise<void> {
    await this.#file?.file.close();
  }

  #current(): FileWriter {
    assert(this.#file !== undefined, 'chunks are written after hasRoom or nextFile');
    return this.#file;
  }
}

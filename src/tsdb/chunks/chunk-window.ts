import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { FileWindow } from '../format/file-window.ts';
import {
  BLOCK_CHUNKS_MAGIC,
  CHUNK_FILE_HEADER_BYTES,
  checkFileHeader,
  refOffset,
  refSequence,
} from './chunk-format.ts';
import { chunkFileName } from './chunk-reader.ts';

const VARINT_BYTES_MAX = 5;
/** What is read at least for an entry: most end within. */
const ENTRY_GUESS_BYTES = 512;
const CHUNK_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Reads the chunks of a block in the order of their places, entry by entry, each verified by its checksum. After `open` the
 * fields describe the entry; `bytes` and what is cut from it are valid until the next `open`.
 */
export class ChunkWindow {
  encoding = 0;
  /** The whole entry: length, encoding, data, checksum. */
  entry: Uint8Array = new Uint8Array(0);
  /** Where in the entry the data begin; they end 4 bytes before its end. */
  dataStart = 0;
  readonly #disk: Disk;
  readonly #dir: string;
  readonly #windowBytes: number;
  #file: FileWindow | undefined;
  #sequence = -1;

  /** `dir` is the folder of the chunk files. */
  constructor(disk: Disk, dir: string, windowBytes: number) {
    this.#disk = disk;
    this.#dir = dir;
    this.#windowBytes = windowBytes;
  }

  /** Whether `ref` can be read without `openFile`. */
  isOpen(ref: number): boolean {
    return refSequence(ref) === this.#sequence;
  }

  /** Opens the file of `ref`. Throws `corrupt` when it is missing or none. */
  async openFile(ref: number): Promise<void> {
    await this.close();
    const path = `${this.#dir}/${chunkFileName('block', refSequence(ref))}`;
    if (!(await this.#disk.stat(path))) throw new VeronaError('corrupt', `${path}: missing`);
    this.#file = await FileWindow.open(this.#disk, path, this.#windowBytes);
    checkFileHeader(this.#file.read(0, CHUNK_FILE_HEADER_BYTES), BLOCK_CHUNKS_MAGIC, path);
    this.#sequence = refSequence(ref);
  }

  /** Reads the entry at `ref`, whose file is open. Throws `corrupt`. */
  open(ref: number): void {
    const file = this.#file as FileWindow;
    const offset = refOffset(ref);
    let entry = file.read(offset, ENTRY_GUESS_BYTES);
    let length = 0;
    let at = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= entry.length || at >= VARINT_BYTES_MAX) throw this.#wrong('no chunk length', offset);
      const byte = entry[at++];
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const size = at + 1 + length + 4;
    if (size > entry.length && length <= CHUNK_BYTES_MAX) entry = file.read(offset, size);
    if (size > entry.length) throw this.#wrong('chunk cut off', offset);
    const end = size - 4;
    const sum =
      (entry[end] * 2 ** 24 + (entry[end + 1] << 16) + (entry[end + 2] << 8) + entry[end + 3]) >>> 0;
    if (crc32c(entry, at, end) !== sum) throw this.#wrong('bad chunk checksum', offset);
    this.entry = entry.length === size ? entry : entry.subarray(0, size);
    this.encoding = entry[at];
    this.dataStart = at + 1;
  }

  /** The payload after the encoding byte, a view. */
  get data(): Uint8Array {
    return this.entry.subarray(this.dataStart, this.entry.length - 4);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#sequence = -1;
  }

  #wrong(what: string, offset: number): VeronaError {
    return new VeronaError('corrupt', `${this.#file?.path}: ${what} at ${offset}`);
  }
}

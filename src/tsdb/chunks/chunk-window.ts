import { storedSampleCount } from '../../chunkenc/chunk.ts';
import { crc32cOfView } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';
import { FileWindow } from '../format/file-window.ts';
import {
  BLOCK_CHUNKS_MAGIC,
  CHUNK_FILE_HEADER_BYTES,
  checkFileHeader,
  chunkFileName,
  refOffset,
  refSequence,
} from './chunk-format.ts';

const VARINT_BYTES_MAX = 5;
/** What is read at least for an entry: most end within. */
const ENTRY_GUESS_BYTES = 512;
const CHECKSUM_BYTES = 4;
const CHUNK_BYTES_MAX = 256 * 1024 * 1024;

/**
 * Reads the chunks of a block in the order of their places, entry by entry, each verified by its checksum. After `open` the
 * properties describe the entry; what is cut from it is valid until the next `open`.
 */
export class ChunkWindow {
  encoding = 0;
  /** Where in the entry the data begin; they end 4 bytes before its end. */
  dataStart = 0;
  /** Bytes of the whole entry. */
  sizeBytes = 0;
  /** Where the entry begins in the window of its file. */
  #at = 0;
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
    let begin = file.locate(offset, ENTRY_GUESS_BYTES);
    const { bytes, loadedEnd } = file;
    let length = 0;
    let at = begin;
    for (let scale = 1; ; scale *= 128) {
      if (at >= loadedEnd || at >= begin + VARINT_BYTES_MAX) throw this.#wrong('no chunk length', offset);
      const byte = bytes[at++];
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const lengthBytes = at - begin;
    const size = lengthBytes + 1 + length + CHECKSUM_BYTES;
    if (begin + size > loadedEnd) {
      if (length > CHUNK_BYTES_MAX || offset + size > file.sizeBytes)
        throw this.#wrong('chunk cut off', offset);
      begin = file.locate(offset, size);
      if (begin + size > file.loadedEnd) throw this.#wrong('chunk cut off', offset);
    }
    this.#verify(file.view, begin + lengthBytes, begin + size - CHECKSUM_BYTES, offset);
    this.encoding = file.bytes[begin + lengthBytes];
    this.dataStart = lengthBytes + 1;
    this.sizeBytes = size;
    this.#at = begin;
  }

  /** The whole entry: length, encoding, data, checksum. A view. */
  get entry(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#at + this.sizeBytes);
  }

  /** The payload after the encoding byte, a view. */
  get data(): Uint8Array {
    const end = this.#at + this.sizeBytes - CHECKSUM_BYTES;
    return this.#bytes.subarray(this.#at + this.dataStart, end);
  }

  /** How many samples the chunk says it has. */
  get sampleCount(): number {
    return storedSampleCount(this.encoding, this.#bytes, this.#at + this.dataStart);
  }

  get #bytes(): Uint8Array {
    return (this.#file as FileWindow).bytes;
  }

  #verify(view: DataView, start: number, end: number, offset: number): void {
    if (crc32cOfView(view, start, end) !== view.getUint32(end))
      throw this.#wrong('bad chunk checksum', offset);
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

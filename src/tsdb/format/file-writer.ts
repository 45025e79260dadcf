import type { DiskFile } from '../../platform/disk.ts';
import { ByteWriter } from './byte-writer.ts';

/** Bytes collected before a write. */
const BUFFER_BYTES = 1024 * 1024;

/** Appends to a new file through a buffer. `out` takes bytes at any time; `flush` or `drain` writes them. */
export class FileWriter {
  readonly file: DiskFile;
  readonly out = new ByteWriter(64 * 1024);
  #written = 0;

  constructor(file: DiskFile) {
    this.file = file;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#written + this.out.length;
  }

  /** The file offset of the first byte in `out`. */
  get origin(): number {
    return this.#written;
  }

  get isFull(): boolean {
    return this.out.length >= BUFFER_BYTES;
  }

  async drain(): Promise<void> {
    if (this.isFull) await this.flush();
  }

  async flush(): Promise<void> {
    await this.file.writeAt([this.out.view()], this.#written);
    this.#written += this.out.length;
    this.out.clear();
  }

  /** Writes what is left, makes it durable and closes; closes in any case. */
  async finish(): Promise<void> {
    try {
      await this.flush();
      await this.file.sync();
    } finally {
      await this.file.close();
    }
  }
}

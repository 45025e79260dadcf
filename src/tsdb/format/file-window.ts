import type { Disk, DiskFile } from '../../platform/disk.ts';

/**
 * Reads a file that is read from front to back: one window of it is in memory. Reads are on this thread; a view is valid
 * until the next read. Whoever opens it closes it.
 */
export class FileWindow {
  readonly path: string;
  readonly sizeBytes: number;
  readonly #file: DiskFile;
  #bytes: Uint8Array;
  #view: DataView;
  /** The window holds `#length` bytes of the file from `#start` on. */
  #start = 0;
  #length = 0;

  private constructor(file: DiskFile, sizeBytes: number, windowBytes: number) {
    this.path = file.path;
    this.#file = file;
    this.sizeBytes = sizeBytes;
    this.#bytes = new Uint8Array(Math.min(windowBytes, Math.max(sizeBytes, 1)));
    this.#view = new DataView(this.#bytes.buffer);
  }

  static async open(disk: Disk, path: string, windowBytes: number): Promise<FileWindow> {
    const file = await disk.open(path, 'read');
    return new FileWindow(file, await file.size(), windowBytes);
  }

  /** The bytes start … start + length, fewer at the end of the file. */
  read(start: number, length: number): Uint8Array {
    const wanted = Math.max(0, Math.min(length, this.sizeBytes - start));
    const at = this.locate(start, wanted);
    return this.#bytes.subarray(at, Math.min(at + wanted, this.#length));
  }

  /**
   * As `read`, without a view: the place in `bytes` where the bytes begin; those wanted and within the file are there. Bytes before
   * `loadedEnd` are of the file too.
   */
  locate(start: number, length: number): number {
    const wanted = Math.max(0, Math.min(length, this.sizeBytes - start));
    if (start < this.#start || start + wanted > this.#start + this.#length) this.#move(start, wanted);
    return start - this.#start;
  }

  /** The window; valid until the next read. */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** The same bytes. */
  get view(): DataView {
    return this.#view;
  }

  /** Where in `bytes` the loaded part ends. */
  get loadedEnd(): number {
    return this.#length;
  }

  /** Nothing: the next read fetches. */
  async prefetch(): Promise<void> {}

  close(): Promise<void> {
    return this.#file.close();
  }

  #move(start: number, wanted: number): void {
    if (wanted > this.#bytes.length) {
      this.#bytes = new Uint8Array(wanted);
      this.#view = new DataView(this.#bytes.buffer);
    }
    this.#start = start;
    const room = Math.min(this.#bytes.length, this.sizeBytes - start);
    this.#length = this.#file.readAtSync(this.#bytes.subarray(0, Math.max(0, room)), start);
  }
}

import { createHash, type Hash } from 'node:crypto';
import { VeronaError } from '../../model/errors.ts';
import type { Disk } from '../../platform/disk.ts';

const FILES_MAX = 10_000;
const DEPTH_MAX = 16;

/** Files that a program reads its configuration from: single ones, and all in some folders and below them. */
export class WatchedFiles {
  readonly #disk: Disk;
  readonly #files: readonly string[];
  readonly #folders: readonly string[];

  constructor(disk: Disk, files: readonly string[], folders: readonly string[]) {
    this.#disk = disk;
    this.#files = files;
    this.#folders = folders;
  }

  get isEmpty(): boolean {
    return this.#files.length === 0 && this.#folders.length === 0;
  }

  /** Changes whenever a file came, went, or was written; cheap, and blind to a write within the clock's tick. */
  async signature(): Promise<string> {
    const hash = createHash('sha256');
    for (const path of await this.#paths()) {
      const stat = await this.#disk.stat(path);
      hash.update(`${path}\0${stat?.sizeBytes}\0${stat?.modifiedMs}\0`);
    }
    return hash.digest('hex');
  }

  /** Adds names and contents of all files; rejects when one cannot be read. */
  async addTo(hash: Hash): Promise<void> {
    for (const path of await this.#paths()) {
      hash.update(`${path}\0`);
      hash.update(await this.#disk.readFile(path));
    }
  }

  async #paths(): Promise<string[]> {
    const found = [...this.#files];
    for (const folder of this.#folders) await this.#walk(folder, 0, found);
    return found;
  }

  /** A link to a file counts as the file; links to folders are not followed, since they may lead in a circle. */
  async #walk(folder: string, depth: number, found: string[]): Promise<void> {
    if (depth > DEPTH_MAX)
      throw new VeronaError('limit', `${folder} lies more than ${DEPTH_MAX} folders deep`);
    for (const { name, isDirectory } of await this.#disk.list(folder)) {
      const path = `${folder}/${name}`;
      if (isDirectory) await this.#walk(path, depth + 1, found);
      else if ((await this.#disk.stat(path))?.isDirectory === false) found.push(path);
      if (found.length > FILES_MAX)
        throw new VeronaError('limit', `${folder} has more than ${FILES_MAX} files to watch`);
    }
  }
}

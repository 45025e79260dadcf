import { wrapError } from '../model/errors.ts';
import type { Disk, DiskLock } from '../platform/disk.ts';
import type { Service } from '../server/lifecycle.ts';

/** Keeps other processes off the data folder, from before the first tenant until everything else has stopped. */
export class DataLock implements Service {
  readonly name = 'data folder';
  readonly #disk: Disk;
  readonly #dir: string;
  #lock: DiskLock | undefined;

  constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  /** Rejects with `unavailable` when another process has the folder or it cannot be written, naming it. */
  async start(): Promise<void> {
    try {
      await this.#disk.makeDir(this.#dir);
      this.#lock = await this.#disk.lock(`${this.#dir}/lock`);
    } catch (error) {
      throw wrapError(`open the data folder ${this.#dir}`, error, 'unavailable');
    }
  }

  async stop(): Promise<void> {
    await this.#lock?.release();
  }
}

import { dirname } from 'node:path';
import { type Clock, sleep } from '../src/platform/clock.ts';
import type { Disk, DiskEntry, DiskFile, DiskLock, DiskStat, OpenMode } from '../src/platform/disk.ts';
import type { Random } from '../src/platform/random.ts';
import { type Life, NEVER } from './life.ts';

/** How slow the disk is; may be changed at any time. */
export interface DiskPace {
  /** Share of operations that take time, and the most they take (ms). */
  slow: number;
  delayMsMax: number;
}

/**
 * The disk as one simulated process sees it. The process may die in any operation: then the operation was done, or not,
 * or (a write) in part. Compound operations are taken apart, so that death finds every state between their steps.
 */
export class ProcessDisk implements Disk {
  readonly #disk: Disk;
  readonly #life: Life;
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #pace: DiskPace;
  #nextTemporary = 1;

  constructor(disk: Disk, life: Life, random: Random, clock: Clock, pace: DiskPace) {
    this.#disk = disk;
    this.#life = life;
    this.#random = random;
    this.#clock = clock;
    this.#pace = pace;
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new ProcessFile(this, await this.run(() => this.#disk.open(path, mode)));
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    this.checkAlive();
    return new ProcessFile(this, this.#disk.openSync(path, mode));
  }

  readFile(path: string): Promise<Uint8Array> {
    return this.run(() => this.#disk.readFile(path));
  }

  async writeFileAtomic(path: string, data: Uint8Array): Promise<void> {
    const temporary = `${path}.${Math.floor(this.#random.next() * 1e6)}-${this.#nextTemporary++}.tmp`;
    try {
      const file = await this.open(temporary, 'create');
      await file.writeAt([data], 0);
      await file.sync();
      await file.close();
      await this.rename(temporary, path);
    } catch (error) {
      await this.remove(temporary).catch(() => {});
      throw error;
    }
    await this.syncDir(dirname(path));
  }

  list(path: string): Promise<readonly DiskEntry[]> {
    return this.run(() => this.#disk.list(path));
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.run(() => this.#disk.stat(path));
  }

  makeDir(path: string): Promise<void> {
    return this.run(() => this.#disk.makeDir(path));
  }

  rename(from: string, to: string): Promise<void> {
    return this.run(() => this.#disk.rename(from, to));
  }

  link(from: string, to: string): Promise<void> {
    return this.run(() => this.#disk.link(from, to));
  }

  async remove(path: string): Promise<void> {
    const found = await this.stat(path);
    if (found?.isDirectory)
      for (const { name } of await this.list(path)) await this.remove(`${path}/${name}`);
    if (found) await this.run(() => this.#disk.remove(path));
  }

  removeEmptyDir(path: string): Promise<boolean> {
    return this.run(() => this.#disk.removeEmptyDir(path));
  }

  syncDir(path: string): Promise<void> {
    return this.run(() => this.#disk.syncDir(path));
  }

  async lock(path: string): Promise<DiskLock> {
    return this.run(async () => {
      const lock = await this.#disk.lock(path);
      this.#life.onEnd(() => void lock.release());
      return lock;
    });
  }

  freeBytes(path: string): Promise<number> {
    return this.run(() => this.#disk.freeBytes(path));
  }

  checkAlive(): void {
    if (this.#life.isOver) throw new Error('the process is dead');
  }

  /** Runs one operation, after a while. `partly` is what may be left of it when the process dies in it. */
  async run<T>(operation: () => Promise<T>, partly: () => Promise<unknown> = operation): Promise<T> {
    await this.#pause();
    if (this.#life.isOver) return NEVER;
    if (!this.#life.isLastOperation()) return operation();
    if (this.#random.next() < 0.5) await partly().catch(() => undefined);
    this.#life.end();
    return NEVER;
  }

  /** A place inside a write of `length` bytes where it may break off. */
  cutOff(length: number): number {
    return Math.floor(this.#random.next() * (length + 1));
  }

  async #pause(): Promise<void> {
    if (this.#random.next() < 0.3) await new Promise((resolve) => setImmediate(resolve));
    const { slow, delayMsMax } = this.#pace;
    if (slow > 0 && this.#random.next() < slow) await sleep(this.#clock, this.#random.next() * delayMsMax);
  }
}

class ProcessFile implements DiskFile {
  readonly #disk: ProcessDisk;
  readonly #file: DiskFile;

  constructor(disk: ProcessDisk, file: DiskFile) {
    this.#disk = disk;
    this.#file = file;
  }

  get path(): string {
    return this.#file.path;
  }

  size(): Promise<number> {
    return this.#disk.run(() => this.#file.size());
  }

  readAt(into: Uint8Array, offset: number): Promise<number> {
    return this.#disk.run(() => this.#file.readAt(into, offset));
  }

  readAtSync(into: Uint8Array, offset: number): number {
    this.#disk.checkAlive();
    return this.#file.readAtSync(into, offset);
  }

  writeAt(buffers: readonly Uint8Array[], offset: number): Promise<void> {
    return this.#disk.run(
      () => this.#file.writeAt(buffers, offset),
      () => {
        const all = Buffer.concat(buffers);
        return this.#file.writeAt([all.subarray(0, this.#disk.cutOff(all.length))], offset);
      },
    );
  }

  truncate(sizeBytes: number): Promise<void> {
    return this.#disk.run(() => this.#file.truncate(sizeBytes));
  }

  sync(): Promise<void> {
    return this.#disk.run(() => this.#file.sync());
  }

  close(): Promise<void> {
    return this.#disk.run(() => this.#file.close());
  }
}

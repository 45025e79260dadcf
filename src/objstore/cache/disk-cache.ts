import { createHash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Cache } from './cache.ts';

export interface DiskCacheOptions {
  readonly dir: string;
  readonly sizeBytesMax: number;
}

/** `until 8`, ms since the epoch, big endian, before the value. */
const HEAD_BYTES = 8;

/**
 * A cache in a folder of its own, a file per value; it survives restarts. The least recently used go first, in the order of
 * their making after a restart. One process at a time. Nothing is synced: what a crash of the machine leaves of a value may be
 * anything of its length, which whoever reads it notices by its checksum (`framed-value.ts`).
 */
export class DiskCache implements Cache {
  readonly #options: DiskCacheOptions;
  readonly #disk: Disk;
  readonly #clock: Clock;
  /** File sizes by name, least recently used first. */
  readonly #files = new Map<string, number>();
  #sizeBytes = 0;
  #writes = 0;

  private constructor(options: DiskCacheOptions, disk: Disk, clock: Clock) {
    this.#options = options;
    this.#disk = disk;
    this.#clock = clock;
  }

  static async open(options: DiskCacheOptions, disk: Disk, clock: Clock): Promise<DiskCache> {
    const cache = new DiskCache(options, disk, clock);
    await cache.#scan();
    return cache;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    await Promise.all(
      keys.map(async (key) => {
        const value = await this.#read(nameOf(key));
        if (value) found.set(key, value);
      }),
    );
    return found;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    const name = nameOf(key);
    const data = new Uint8Array(HEAD_BYTES + value.length);
    new DataView(data.buffer).setFloat64(0, this.#clock.now() + ttlMs);
    data.set(value, HEAD_BYTES);
    if (data.length > this.#options.sizeBytesMax) return;
    await this.#write(name, data);
    this.#forget(name);
    this.#files.set(name, data.length);
    this.#sizeBytes += data.length;
    await this.#makeRoom();
  }

  async close(): Promise<void> {}

  async #scan(): Promise<void> {
    const { dir } = this.#options;
    await this.#disk.makeDir(dir);
    const files: { name: string; sizeBytes: number; modifiedMs: number }[] = [];
    for (const { name, isDirectory } of await this.#disk.list(dir)) {
      if (isDirectory) continue;
      if (!/^[0-9a-f]{64}$/.test(name)) await this.#disk.remove(`${dir}/${name}`);
      else {
        const found = await this.#disk.stat(`${dir}/${name}`);
        if (found) files.push({ name, sizeBytes: found.sizeBytes, modifiedMs: found.modifiedMs });
      }
    }
    for (const { name, sizeBytes } of files.sort((a, b) => a.modifiedMs - b.modifiedMs)) {
      this.#files.set(name, sizeBytes);
      this.#sizeBytes += sizeBytes;
    }
    await this.#makeRoom();
  }

  async #read(name: string): Promise<Uint8Array | undefined> {
    const sizeBytes = this.#files.get(name);
    if (sizeBytes === undefined) return undefined;
    const path = `${this.#options.dir}/${name}`;
    const data = await this.#disk.readFile(path).catch(() => undefined);
    const isGood = data !== undefined && data.length === sizeBytes && sizeBytes >= HEAD_BYTES;
    if (!isGood || new DataView(data.buffer, data.byteOffset).getFloat64(0) <= this.#clock.now()) {
      this.#forget(name);
      await this.#disk.remove(path);
      return undefined;
    }
    this.#files.delete(name);
    this.#files.set(name, sizeBytes);
    return data.subarray(HEAD_BYTES);
  }

  /** Who reads meanwhile finds the old value or the new one. */
  async #write(name: string, data: Uint8Array): Promise<void> {
    const path = `${this.#options.dir}/${name}`;
    const temporary = `${path}.${this.#writes++}.tmp`;
    try {
      const file = await this.#disk.open(temporary, 'create');
      try {
        await file.writeAt([data], 0);
      } finally {
        await file.close();
      }
      await this.#disk.rename(temporary, path);
    } catch (error) {
      await this.#disk.remove(temporary);
      throw error;
    }
  }

  async #makeRoom(): Promise<void> {
    for (const oldest of this.#files.keys()) {
      if (this.#sizeBytes <= this.#options.sizeBytesMax) return;
      this.#forget(oldest);
      await this.#disk.remove(`${this.#options.dir}/${oldest}`);
    }
  }

  #forget(name: string): void {
    this.#sizeBytes -= this.#files.get(name) ?? 0;
    this.#files.delete(name);
  }
}

/** Client text never reaches a path. */
function nameOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

import type { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { ListedObjects } from '../objstore/cache/listed-objects.ts';
import { Gate } from '../objstore/gate.ts';
import type { Logger } from '../platform/log.ts';
import type { ObjectEntry } from './block-scan.ts';

const FETCHES_AT_ONCE = 16;

/** A file that was read, valid as long as listings show the same object. */
interface Kept {
  readonly version: string;
  readonly value: unknown;
}

/** Small files of a bucket, each read and decoded once for as long as it does not change. */
export class SmallFiles {
  readonly #bucket: Bucket;
  readonly #log: Logger;
  readonly #gate = new Gate(FETCHES_AT_ONCE);
  #kept = new Map<string, Kept>();
  #used = new Map<string, Kept>();

  constructor(bucket: Bucket, log: Logger) {
    this.#bucket = bucket;
    this.#log = log;
  }

  /**
   * The decoded file; undefined when it does not decode (a warning, once), or is gone since the listing. `kept` may have it
   * from an earlier start.
   */
  async read<T>(
    ctx: BucketContext,
    entry: ObjectEntry,
    sizeBytesMax: number,
    decode: (data: Uint8Array) => T,
    kept?: ListedObjects,
  ): Promise<T | undefined> {
    const version = `${entry.sizeBytes} ${entry.modifiedMs}`;
    const known = this.#used.get(entry.key) ?? this.#kept.get(entry.key);
    if (known?.version === version) {
      this.#used.set(entry.key, known);
      return known.value as T | undefined;
    }
    const data = await this.#fetch(ctx, entry, sizeBytesMax, kept);
    if (data === 'gone') return undefined;
    const value = data && this.#decode(entry.key, data, decode);
    this.#used.set(entry.key, { version, value });
    return value;
  }

  /** What somebody has read before of an object; used as long as listings show that very object. */
  prime(key: string, sizeBytes: number, modifiedMs: number, value: unknown): void {
    this.#kept.set(key, { version: `${sizeBytes} ${modifiedMs}`, value });
  }

  /** Forgets what was not read since the last call. */
  endRound(): void {
    this.#kept = this.#used;
    this.#used = new Map();
  }

  /** Undefined when it is too large to be what it should be. */
  async #fetch(
    ctx: BucketContext,
    entry: ObjectEntry,
    sizeBytesMax: number,
    kept: ListedObjects | undefined,
  ): Promise<Uint8Array | undefined | 'gone'> {
    const { key } = entry;
    try {
      const get = () =>
        kept ? kept.get(ctx, entry, sizeBytesMax) : this.#bucket.get(ctx, key, sizeBytesMax);
      return await this.#gate.run(ctx.signal, `read ${key}`, get);
    } catch (error) {
      const { code, message } = error as VeronaError;
      if (code === 'not_found') return 'gone';
      if (code !== 'too_large') throw error;
      this.#warn(key, message);
      return undefined;
    }
  }

  #decode<T>(key: string, data: Uint8Array, decode: (data: Uint8Array) => T): T | undefined {
    try {
      return decode(data);
    } catch (error) {
      if ((error as VeronaError).code !== 'corrupt') throw error;
      this.#warn(key, (error as VeronaError).message);
      return undefined;
    }
  }

  #warn(key: string, error: string): void {
    this.#log.warn('a file in the bucket is broken', { key, error });
  }
}

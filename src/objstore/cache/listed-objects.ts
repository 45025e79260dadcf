import { SingleFlight } from '../../platform/single-flight.ts';
import type { Bucket, BucketContext } from '../bucket.ts';
import type { CachingRules } from './caching-bucket.ts';
import { frame, unframe } from './framed-value.ts';
import type { GuardedCache } from './guarded-cache.ts';

/** An object as a listing showed it. */
export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly modifiedMs: number;
}

/**
 * Small objects that a listing showed, such as the `meta.json` of blocks, kept in a cache for the next start and for other
 * processes. They are kept under size and time of the listing: one that was written anew is another one as soon as it is listed, so
 * what is read is never older than the listing. Callers at once share one read. The bytes are only lent. Before `start` and
 * after `stop`, and when the cache cannot be opened, all is read from the bucket.
 */
export class ListedObjects {
  readonly name = 'kept small files';
  readonly #bucket: Bucket;
  readonly #open: () => Promise<GuardedCache | undefined>;
  readonly #rules: CachingRules;
  readonly #flights = new SingleFlight<Uint8Array>();
  #cache: GuardedCache | undefined;

  constructor(bucket: Bucket, rules: CachingRules, open: () => Promise<GuardedCache | undefined>) {
    this.#bucket = bucket;
    this.#rules = rules;
    this.#open = open;
  }

  async start(): Promise<void> {
    this.#cache = await this.#open();
  }

  async stop(): Promise<void> {
    await this.#cache?.close();
    this.#cache = undefined;
  }

  /** The whole object; errors as of `Bucket.get`. */
  async get(ctx: BucketContext, object: ListedObject, sizeBytesMax: number): Promise<Uint8Array> {
    const { key, sizeBytes, modifiedMs } = object;
    const cache = this.#cache;
    if (cache === undefined || sizeBytes > Math.min(sizeBytesMax, this.#rules.metaBytesMax))
      return this.#bucket.get(ctx, key, sizeBytesMax);
    const name = `${this.#bucket.name} listed ${sizeBytes} ${modifiedMs} ${key}`;
    return this.#flights.run(name, () => this.#load(ctx, cache, name, object, sizeBytesMax));
  }

  async #load(
    ctx: BucketContext,
    cache: GuardedCache,
    name: string,
    { key, sizeBytes }: ListedObject,
    sizeBytesMax: number,
  ): Promise<Uint8Array> {
    const kept = unframe(name, (await cache.getMany('meta', [name])).get(name));
    if (kept?.length === sizeBytes) return kept;
    const data = await this.#bucket.get(ctx, key, sizeBytesMax);
    // Another length: it was written anew after the listing, and belongs to the next one.
    if (data.length === sizeBytes) cache.set('meta', name, frame(name, data), this.#rules.metaTtlMs);
    return data;
  }
}

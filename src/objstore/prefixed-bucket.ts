import {
  assertKey,
  assertPrefix,
  type Bucket,
  type BucketContext,
  type ListEntry,
  type ListOptions,
  type ObjectAttributes,
  type UploadBody,
} from './bucket.ts';

/** The part of a bucket below a folder, seen as a bucket of its own. Closing it closes the bucket. */
export class PrefixedBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #prefix: string;

  /** `prefix` without `/` at its ends. */
  constructor(bucket: Bucket, prefix: string) {
    assertKey(prefix);
    this.#bucket = bucket;
    this.#prefix = `${prefix}/`;
    this.name = `${bucket.name}/${prefix}`;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#bucket.get(ctx, this.#prefix + key, sizeBytesMax);
  }

  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#bucket.getRange(ctx, this.#prefix + key, offset, length);
  }

  async link(ctx: BucketContext, key: string, path: string): Promise<boolean> {
    return (await this.#bucket.link?.(ctx, this.#prefix + key, path)) ?? false;
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#bucket.upload(ctx, this.#prefix + key, body);
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#bucket.create(ctx, this.#prefix + key, body);
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#bucket.exists(ctx, this.#prefix + key);
  }

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#bucket.attributes(ctx, this.#prefix + key);
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#bucket.delete(ctx, this.#prefix + key);
  }

  async *list(ctx: BucketContext, prefix: string, options: ListOptions = {}): AsyncGenerator<ListEntry> {
    assertPrefix(prefix);
    const startAfter = options.startAfter === undefined ? undefined : this.#prefix + options.startAfter;
    const entries = this.#bucket.list(ctx, this.#prefix + prefix, { ...options, startAfter });
    for await (const entry of entries) yield { ...entry, key: entry.key.slice(this.#prefix.length) };
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }
}

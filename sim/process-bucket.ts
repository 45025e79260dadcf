import type {
  Bucket,
  BucketContext,
  ListEntry,
  ListOptions,
  ObjectAttributes,
  UploadBody,
} from '../src/objstore/bucket.ts';
import type { Random } from '../src/platform/random.ts';
import { type Life, NEVER } from './life.ts';

/** The bucket as one simulated process sees it: a call in which the process dies was served, or not. */
export class ProcessBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #life: Life;
  readonly #random: Random;

  constructor(bucket: Bucket, life: Life, random: Random) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#life = life;
    this.#random = random;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#run(() => this.#bucket.get(ctx, key, sizeBytesMax));
  }

  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#run(() => this.#bucket.getRange(ctx, key, offset, length));
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#run(() => this.#bucket.upload(ctx, key, body));
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#run(() => this.#bucket.create(ctx, key, body));
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#run(() => this.#bucket.exists(ctx, key));
  }

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#run(() => this.#bucket.attributes(ctx, key));
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#run(() => this.#bucket.delete(ctx, key));
  }

  async *list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncGenerator<ListEntry> {
    await this.#run(async () => {});
    for await (const entry of this.#bucket.list(ctx, prefix, options)) {
      if (this.#life.isOver) await NEVER;
      yield entry;
    }
  }

  async close(): Promise<void> {}

  async #run<T>(call: () => Promise<T>): Promise<T> {
    if (this.#life.isOver) return NEVER;
    if (this.#life.isLastOperation()) {
      if (this.#random.next() < 0.5) call().catch(() => undefined);
      this.#life.end();
      return NEVER;
    }
    const result = await call().catch((error: unknown) => {
      if (this.#life.isOver) return NEVER;
      throw error;
    });
    return this.#life.isOver ? NEVER : result;
  }
}

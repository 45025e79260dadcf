import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type {
  Bucket,
  BucketContext,
  ListEntry,
  ListOptions,
  ObjectAttributes,
  UploadBody,
} from './bucket.ts';
import type { Operation, StoreCounts } from './store-counts.ts';

/** Answers of the store, or the caller's own doing: no failures of an operation. */
const EXPECTED_CODES = new Set(['not_found', 'conflict', 'canceled', 'bad_data']);

/** Counts and times every operation on a bucket. A listing is one operation, from its first entry to its end. */
export class MeteredBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #counts: StoreCounts;

  constructor(bucket: Bucket, clock: Clock, counts: StoreCounts) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#clock = clock;
    this.#counts = counts;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#read('get', () => this.#bucket.get(ctx, key, sizeBytesMax));
  }

  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#read('get_range', () => this.#bucket.getRange(ctx, key, offset, length));
  }

  /** Not counted: nothing is read. */
  async link(ctx: BucketContext, key: string, path: string): Promise<boolean> {
    return (await this.#bucket.link?.(ctx, key, path)) ?? false;
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#measure('upload', () => this.#bucket.upload(ctx, key, this.#counted(body)));
  }

  async create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    await this.#measure('create', () => this.#bucket.create(ctx, key, body));
    this.#counts.transferred('create', body.length);
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#measure('exists', () => this.#bucket.exists(ctx, key));
  }

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#measure('attributes', () => this.#bucket.attributes(ctx, key));
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#measure('delete', () => this.#bucket.delete(ctx, key));
  }

  async *list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncGenerator<ListEntry> {
    this.#counts.asked('list');
    const start = this.#clock.monotonic();
    try {
      yield* this.#bucket.list(ctx, prefix, options);
      this.#counts.took('list', this.#clock.monotonic() - start);
    } catch (error) {
      this.#countFailure('list', error);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  async #read(operation: 'get' | 'get_range', run: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const data = await this.#measure(operation, run);
    this.#counts.transferred(operation, data.length);
    return data;
  }

  /** A body whose bytes are counted as the store takes them. */
  #counted(body: UploadBody): UploadBody {
    if (body instanceof Uint8Array) {
      this.#counts.transferred('upload', body.length);
      return body;
    }
    const counts = this.#counts;
    return (async function* () {
      for await (const piece of body) {
        counts.transferred('upload', piece.length);
        yield piece;
      }
    })();
  }

  async #measure<T>(operation: Operation, run: () => Promise<T>): Promise<T> {
    this.#counts.asked(operation);
    const start = this.#clock.monotonic();
    try {
      const result = await run();
      this.#counts.took(operation, this.#clock.monotonic() - start);
      return result;
    } catch (error) {
      this.#countFailure(operation, error);
      throw error;
    }
  }

  #countFailure(operation: Operation, error: unknown): void {
    if (!(error instanceof VeronaError && EXPECTED_CODES.has(error.code))) this.#counts.failed(operation);
  }
}

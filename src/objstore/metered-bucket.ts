import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Counter, Histogram, Metrics } from '../platform/metrics.ts';
import type {
  Bucket,
  BucketContext,
  ListEntry,
  ListOptions,
  ObjectAttributes,
  UploadBody,
} from './bucket.ts';

const DURATION_BUCKETS = [0.001, 0.01, 0.1, 0.3, 0.6, 1, 3, 6, 9, 20, 30, 60, 90, 120];

/** Answers of the store, or the caller's own doing: no failures of an operation. */
const EXPECTED_CODES = new Set(['not_found', 'conflict', 'canceled', 'bad_data']);

/** Counts and times every operation on a bucket. A listing is one operation, from its first entry to its end. */
export class MeteredBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #operations: Counter<'operation'>;
  readonly #failures: Counter<'operation'>;
  readonly #seconds: Histogram<'operation'>;

  constructor(bucket: Bucket, clock: Clock, metrics: Metrics) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#clock = clock;
    const labels = ['operation'] as const;
    this.#operations = metrics.counter(
      'verona_objstore_bucket_operations_total',
      'Operations asked of the bucket.',
      labels,
    );
    this.#failures = metrics.counter(
      'verona_objstore_bucket_operation_failures_total',
      'Operations on the bucket that failed; a missing or already present object is no failure.',
      labels,
    );
    this.#seconds = metrics.histogram(
      'verona_objstore_bucket_operation_duration_seconds',
      'Time that successful operations on the bucket took.',
      DURATION_BUCKETS,
      labels,
    );
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#measure('get', () => this.#bucket.get(ctx, key, sizeBytesMax));
  }

  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#measure('get_range', () => this.#bucket.getRange(ctx, key, offset, length));
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#measure('upload', () => this.#bucket.upload(ctx, key, body));
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#measure('create', () => this.#bucket.create(ctx, key, body));
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
    this.#operations.inc({ operation: 'list' });
    const start = this.#clock.monotonic();
    try {
      yield* this.#bucket.list(ctx, prefix, options);
      this.#seconds.observe({ operation: 'list' }, (this.#clock.monotonic() - start) / 1000);
    } catch (error) {
      this.#countFailure('list', error);
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  async #measure<T>(operation: string, run: () => Promise<T>): Promise<T> {
    this.#operations.inc({ operation });
    const start = this.#clock.monotonic();
    try {
      const result = await run();
      this.#seconds.observe({ operation }, (this.#clock.monotonic() - start) / 1000);
      return result;
    } catch (error) {
      this.#countFailure(operation, error);
      throw error;
    }
  }

  #countFailure(operation: string, error: unknown): void {
    if (!(error instanceof VeronaError && EXPECTED_CODES.has(error.code))) this.#failures.inc({ operation });
  }
}

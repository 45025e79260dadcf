import type {
  Bucket,
  BucketContext,
  ListEntry,
  ListOptions,
  ObjectAttributes,
  UploadBody,
} from '../../src/objstore/bucket.ts';
import { type Clock, sleep } from '../../src/platform/clock.ts';

export interface Request {
  readonly kind: string;
  readonly bytes: number;
  /** One more than that of the deepest request that had been answered when this one was made. */
  readonly round: number;
}

/** Names a request: by the operation, the key and the offset of a range. */
export type KindOf = (operation: string, key: string, offset: number) => string;

/** A bucket that is `latencyMs` further away, and notes what it is asked. */
export class WatchedBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #kindOf: KindOf;
  #answeredRound = 0;
  latencyMs = 0;
  requests: Request[] = [];

  constructor(bucket: Bucket, clock: Clock, kindOf: KindOf = (operation) => operation) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#clock = clock;
    this.#kindOf = kindOf;
  }

  /** What was asked since the last call. */
  take(): Request[] {
    const taken = this.requests;
    this.requests = [];
    this.#answeredRound = 0;
    return taken;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#watch(ctx, this.#kindOf('get', key, 0), () => this.#bucket.get(ctx, key, sizeBytesMax));
  }

  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    const kind = this.#kindOf('range', key, offset);
    return this.#watch(ctx, kind, () => this.#bucket.getRange(ctx, key, offset, length));
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#watch(ctx, 'upload', () => this.#bucket.upload(ctx, key, body));
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#watch(ctx, 'create', () => this.#bucket.create(ctx, key, body));
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#watch(ctx, 'exists', () => this.#bucket.exists(ctx, key));
  }

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#watch(ctx, 'attributes', () => this.#bucket.attributes(ctx, key));
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#watch(ctx, 'delete', () => this.#bucket.delete(ctx, key));
  }

  /** A page of a thousand entries is a request. */
  async *list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncGenerator<ListEntry> {
    let entries = 0;
    for await (const entry of this.#bucket.list(ctx, prefix, options)) {
      if (entries++ % 1000 === 0) await this.#watch(ctx, 'list', async () => {});
      yield entry;
    }
    if (entries === 0) await this.#watch(ctx, 'list', async () => {});
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  async #watch<T>(ctx: BucketContext, kind: string, run: () => Promise<T>): Promise<T> {
    const round = this.#answeredRound + 1;
    if (this.latencyMs > 0) await sleep(this.#clock, this.latencyMs, ctx.signal);
    const answer = await run();
    this.#answeredRound = Math.max(this.#answeredRound, round);
    this.requests.push({ kind, bytes: answer instanceof Uint8Array ? answer.length : 0, round });
    return answer;
  }
}

import { VeronaError } from '../model/errors.ts';
import { type Clock, sleep } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import {
  abortError,
  type Bucket,
  type BucketContext,
  type ListEntry,
  type ListOptions,
  listOf,
  type ObjectAttributes,
  type UploadBody,
} from './bucket.ts';

/** How often each fault happens, 0 (never) to 1 (always). All zero: the bucket behaves. */
export interface BucketFaults {
  /** The call fails and nothing happened. */
  readonly errors: number;
  /** The call did its work but its answer is lost: it fails all the same. */
  readonly lostAnswers: number;
  /**
   * A write fails and leaves the first part of a new object behind, as a store without atomic writes does; what was there
   * before stays, as every bucket promises.
   */
  readonly halfWrites: number;
  /** A listing leaves out some of the entries. */
  readonly staleLists: number;
  readonly delays: number;
  readonly delayMsMax: number;
}

export const NO_FAULTS: BucketFaults = {
  errors: 0,
  lostAnswers: 0,
  halfWrites: 0,
  staleLists: 0,
  delays: 0,
  delayMsMax: 0,
};

/** A bucket that fails on purpose, by chance that a seed decides. Its failures have the code `unavailable`. */
export class FailingBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #random: Random;
  readonly #clock: Clock;
  /** May be replaced at any time. */
  faults: BucketFaults;

  constructor(bucket: Bucket, random: Random, clock: Clock, faults: BucketFaults = NO_FAULTS) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#random = random;
    this.#clock = clock;
    this.faults = faults;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#call(ctx, `read ${key}`, () => this.#bucket.get(ctx, key, sizeBytesMax));
  }

  getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    return this.#call(ctx, `read ${key}`, () => this.#bucket.getRange(ctx, key, offset, length));
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#call(ctx, `upload ${key}`, async () => {
      if (this.#happens(this.faults.halfWrites)) await this.#halfWrite(ctx, key, body);
      await this.#bucket.upload(ctx, key, body);
    });
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#call(ctx, `create ${key}`, () => this.#bucket.create(ctx, key, body));
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#call(ctx, `look for ${key}`, () => this.#bucket.exists(ctx, key));
  }

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#call(ctx, `look at ${key}`, () => this.#bucket.attributes(ctx, key));
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#call(ctx, `delete ${key}`, () => this.#bucket.delete(ctx, key));
  }

  async *list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncGenerator<ListEntry> {
    await this.#call(ctx, listOf(prefix), async () => {});
    const stale = this.#happens(this.faults.staleLists);
    for await (const entry of this.#bucket.list(ctx, prefix, options)) {
      if (this.#happens(this.faults.errors / 10)) throw fault(listOf(prefix), 'broke off');
      if (!(stale && this.#happens(0.5))) yield entry;
    }
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  async #call<T>(ctx: BucketContext, what: string, run: () => Promise<T>): Promise<T> {
    if (this.#happens(this.faults.delays)) await this.#delay(ctx, what);
    if (this.#happens(this.faults.errors)) throw fault(what, 'refused');
    const result = await run();
    if (this.#happens(this.faults.lostAnswers)) throw fault(what, 'answer lost');
    return result;
  }

  async #delay(ctx: BucketContext, what: string): Promise<void> {
    try {
      await sleep(this.#clock, this.#random.next() * this.faults.delayMsMax, ctx.signal);
    } catch {
      throw abortError(ctx.signal, what);
    }
  }

  async #halfWrite(ctx: BucketContext, key: string, body: UploadBody): Promise<never> {
    const pieces: Uint8Array[] = [];
    if (body instanceof Uint8Array) pieces.push(body);
    else for await (const piece of body) pieces.push(piece.slice());
    const whole = new Uint8Array(Buffer.concat(pieces));
    const part = whole.slice(0, Math.floor(whole.length * this.#random.next()));
    if (!(await this.#bucket.exists(ctx, key))) await this.#bucket.upload(ctx, key, part);
    throw fault(`upload ${key}`, 'broke off');
  }

  #happens(probability: number): boolean {
    return probability > 0 && this.#random.next() < probability;
  }
}

function fault(what: string, how: string): VeronaError {
  return new VeronaError('unavailable', `${what}: ${how} on purpose`);
}

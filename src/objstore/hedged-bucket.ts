import { VeronaError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import {
  assertNotAborted,
  type Bucket,
  type BucketContext,
  type ListEntry,
  type ListOptions,
  type ObjectAttributes,
  type UploadBody,
} from './bucket.ts';
import type { StoreCounts } from './store-counts.ts';

export interface HedgingRules {
  /** A read that takes longer than this share of the last ones is asked a second time. */
  readonly quantile: number;
  /** Second questions are at most this share of all. */
  readonly shareMax: number;
}

export const HEDGING_RULES: HedgingRules = { quantile: 0.95, shareMax: 0.05 };

/** Durations that are remembered, and how many there must be before anything is hedged. */
const DURATIONS_KEPT = 256;
const DURATIONS_MIN = 32;
const DELAY_MS_MIN = 10;
const ANSWERS = ['first', 'second', 'none'] as const;

/**
 * A bucket whose slow range reads are asked a second time; the first answer counts and the other question is cancelled.
 * It cuts the tail of a store whose single answers are sometimes late, and costs at most `shareMax` more requests.
 */
export class HedgedBucket implements Bucket {
  readonly name: string;
  readonly #bucket: Bucket;
  readonly #clock: Clock;
  readonly #rules: HedgingRules;
  readonly #counts: StoreCounts | undefined;
  readonly #durations: number[] = [];
  #next = 0;
  #delayMs = Number.POSITIVE_INFINITY;
  #reads = 0;
  #hedged = 0;

  constructor(
    bucket: Bucket,
    { clock, counts }: { clock: Clock; counts?: StoreCounts | undefined },
    rules = HEDGING_RULES,
  ) {
    this.name = bucket.name;
    this.#bucket = bucket;
    this.#clock = clock;
    this.#rules = rules;
    this.#counts = counts;
  }

  async getRange(ctx: BucketContext, key: string, offset: number, length: number): Promise<Uint8Array> {
    assertNotAborted(ctx, `read ${key}`);
    const begin = this.#clock.monotonic();
    this.#reads++;
    const data = await this.#race(ctx, (signal) => this.#bucket.getRange({ signal }, key, offset, length));
    this.#remember(this.#clock.monotonic() - begin);
    return data;
  }

  get(ctx: BucketContext, key: string, sizeBytesMax?: number): Promise<Uint8Array> {
    return this.#bucket.get(ctx, key, sizeBytesMax);
  }

  upload(ctx: BucketContext, key: string, body: UploadBody): Promise<void> {
    return this.#bucket.upload(ctx, key, body);
  }

  create(ctx: BucketContext, key: string, body: Uint8Array): Promise<void> {
    return this.#bucket.create(ctx, key, body);
  }

  exists(ctx: BucketContext, key: string): Promise<boolean> {
    return this.#bucket.exists(ctx, key);
  }

  attributes(ctx: BucketContext, key: string): Promise<ObjectAttributes> {
    return this.#bucket.attributes(ctx, key);
  }

  delete(ctx: BucketContext, key: string): Promise<void> {
    return this.#bucket.delete(ctx, key);
  }

  list(ctx: BucketContext, prefix: string, options?: ListOptions): AsyncIterable<ListEntry> {
    return this.#bucket.list(ctx, prefix, options);
  }

  close(): Promise<void> {
    return this.#bucket.close();
  }

  #race<T>(ctx: BucketContext, ask: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const controllers: AbortController[] = [];
      let open = 0;
      let cancelTimer = () => {};
      const stop = () => {
        cancelTimer();
        for (const controller of controllers) controller.abort(ctx.signal.reason);
      };
      const settle = (done: () => void, but?: AbortController) => {
        cancelTimer();
        ctx.signal.removeEventListener('abort', stop);
        if (controllers.length > 1) this.#counts?.hedged(ANSWERS[but ? controllers.indexOf(but) : 2]);
        for (const controller of controllers)
          if (controller !== but) controller.abort(new VeronaError('canceled', 'another answer came first'));
        done();
      };
      const start = () => {
        const controller = new AbortController();
        controllers.push(controller);
        open++;
        ask(controller.signal).then(
          (value) => settle(() => resolve(value), controller),
          (error) => {
            if (--open === 0) settle(() => reject(error));
          },
        );
      };
      ctx.signal.addEventListener('abort', stop, { once: true });
      start();
      if (this.#mayHedge())
        cancelTimer = this.#clock.after(this.#delayMs, () => {
          if (open === 0 || !this.#mayHedge()) return;
          this.#hedged++;
          start();
        });
    });
  }

  #mayHedge(): boolean {
    return Number.isFinite(this.#delayMs) && this.#hedged < this.#reads * this.#rules.shareMax;
  }

  #remember(durationMs: number): void {
    this.#durations[this.#next] = durationMs;
    this.#next = (this.#next + 1) % DURATIONS_KEPT;
    if (this.#durations.length < DURATIONS_MIN || this.#next % 16 !== 0) return;
    const sorted = Float64Array.from(this.#durations).sort();
    this.#delayMs = Math.max(DELAY_MS_MIN, sorted[Math.floor((sorted.length - 1) * this.#rules.quantile)]);
  }
}

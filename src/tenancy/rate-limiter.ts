import type { Clock } from '../platform/clock.ts';

/**
 * A token bucket that is charged after the fact: how many samples a write holds is known only once it is read, so a
 * write is admitted while the bucket is not in debt and pays when it is done. Over time the rate holds exactly; at once
 * there may be one write more than the burst.
 */
export class TokenBucket {
  readonly #clock: Clock;
  #tokens = 0;
  #burst = 0;
  #updatedAt: number;

  /** Starts full. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#updatedAt = clock.monotonic();
  }

  /** ms until the bucket is out of debt; 0: go ahead. Rate is tokens per second, and may change between calls. */
  waitMs(rate: number, burst: number): number {
    this.#fill(rate, burst);
    return this.#tokens > 0 ? 0 : Math.ceil(((1 - this.#tokens) / rate) * 1000);
  }

  /** Takes what a write turned out to hold; may leave a debt. */
  take(count: number): void {
    this.#tokens -= count;
  }

  #fill(rate: number, burst: number): void {
    const now = this.#clock.monotonic();
    // A larger burst counts as filled at once, so that the first write finds a full bucket and an override helps now.
    this.#tokens += Math.max(0, burst - this.#burst);
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#updatedAt) / 1000) * rate);
    this.#burst = burst;
    this.#updatedAt = now;
  }
}

/** Buckets held at once; beyond, those of the tenants that wrote longest ago are forgotten (and start full again). */
const BUCKETS_MAX = 10_000;

/** One bucket per tenant. */
export class RateLimiter {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** ms this tenant has to wait; 0: go ahead. A rate of 0 never waits; a burst of 0 is twice the rate. */
  waitMs(tenant: string, rate: number, burst: number): number {
    if (rate <= 0) return 0;
    return this.#bucket(tenant).waitMs(rate, burst > 0 ? burst : 2 * rate);
  }

  take(tenant: string, count: number): void {
    this.#buckets.get(tenant)?.take(count);
  }

  #bucket(tenant: string): TokenBucket {
    const bucket = this.#buckets.get(tenant) ?? new TokenBucket(this.#clock);
    this.#buckets.delete(tenant);
    this.#buckets.set(tenant, bucket);
    if (this.#buckets.size > BUCKETS_MAX) this.#buckets.delete(this.#buckets.keys().next().value as string);
    return bucket;
  }
}

import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/log.ts';
import type { BucketBlock } from './block-catalog.ts';
import { writeBucketIndex } from './bucket-index.ts';

export interface BucketIndexWriterDeps {
  readonly bucket: Bucket;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Keeps the bucket indexes of tenants fresh for Cortex and Mimir, who answer nothing when theirs is an hour old, and for the next start. */
export class BucketIndexWriter {
  readonly #intervalMs: number;
  readonly #deps: BucketIndexWriterDeps;
  /** When each tenant's index was written last, by the monotonic clock. */
  readonly #written = new Map<string, number>();

  constructor(intervalMs: number, deps: BucketIndexWriterDeps) {
    this.#intervalMs = intervalMs;
    this.#deps = deps;
  }

  isDue(tenant: string): boolean {
    const last = this.#written.get(tenant) ?? Number.NEGATIVE_INFINITY;
    return this.#deps.clock.monotonic() - last >= this.#intervalMs;
  }

  /** `whole` are all blocks of the tenant, also those that are marked. Nothing of ours depends on it: a failure is a warning. */
  async write(ctx: BucketContext, tenant: string, whole: readonly BucketBlock[]): Promise<void> {
    const { bucket, clock, log } = this.#deps;
    const nowMs = clock.monotonic();
    try {
      await writeBucketIndex(ctx, bucket, tenant, whole, clock.now());
      this.#written.set(tenant, nowMs);
    } catch (error) {
      log.warn('a bucket index was not written', { tenant, error: String(error) });
    }
  }
}

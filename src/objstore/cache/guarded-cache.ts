import { messageOf } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';
import { Gate } from '../gate.ts';
import type { CachedItem, StoreCounts } from '../store-counts.ts';
import type { Cache } from './cache.ts';

export interface GuardRules {
  /** A question that takes longer counts as unanswered. */
  readonly timeoutMs: number;
  /** Values on their way into the cache, and their bytes; further ones are dropped. */
  readonly pendingMax: number;
  readonly pendingBytesMax: number;
  readonly writesAtOnceMax: number;
}

export const GUARD_RULES: GuardRules = {
  timeoutMs: 500,
  pendingMax: 10_000,
  pendingBytesMax: 64 * 1024 * 1024,
  writesAtOnceMax: 20,
};

/** Failures in a row after which the cache is left alone for a while. */
const FAILURES_MAX = 5;
const PAUSE_MS = 10_000;

/**
 * A cache that may be dead, slow or wrong without anybody waiting long for it: questions never fail, they find nothing;
 * after some failures it is not asked for a while; writes go in the background and are dropped when too many wait.
 */
export class GuardedCache {
  readonly #cache: Cache;
  readonly #rules: GuardRules;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #writes: Gate;
  readonly #counts: StoreCounts | undefined;
  readonly #closed = new AbortController();
  #failures = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  #pending = 0;
  #pendingBytes = 0;

  constructor(
    cache: Cache,
    {
      clock,
      log,
      counts,
      rules = GUARD_RULES,
    }: { clock: Clock; log: Logger; counts?: StoreCounts | undefined; rules?: GuardRules },
  ) {
    this.#cache = cache;
    this.#rules = rules;
    this.#clock = clock;
    this.#log = log;
    this.#writes = new Gate(rules.writesAtOnceMax);
    this.#counts = counts;
  }

  /** What is there of `keys`; nothing when the cache is not well. */
  async getMany(item: CachedItem, keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    this.#counts?.cacheAsked(item, keys.length);
    if (this.#isPaused) return NOTHING;
    try {
      const found = await this.#within(this.#cache.getMany(keys));
      this.#failures = 0;
      this.#counts?.cacheHit(item, found.size, bytesOf(found));
      return found;
    } catch (error) {
      this.#failed(item, error);
      return NOTHING;
    }
  }

  /** Keeps a value soon, or not at all. */
  set(item: CachedItem, key: string, value: Uint8Array, ttlMs: number): void {
    const { pendingMax, pendingBytesMax } = this.#rules;
    const isFull = this.#pending >= pendingMax || this.#pendingBytes + value.length > pendingBytesMax;
    if (isFull || this.#isPaused || this.#closed.signal.aborted) {
      this.#counts?.cacheDropped(item);
      return;
    }
    this.#pending++;
    this.#pendingBytes += value.length;
    this.#writes
      .run(this.#closed.signal, 'write to the cache', () => this.#within(this.#cache.set(key, value, ttlMs)))
      .catch((error: unknown) => this.#failed(item, error))
      .finally(() => {
        this.#pending--;
        this.#pendingBytes -= value.length;
      });
  }

  async close(): Promise<void> {
    this.#closed.abort();
    await this.#cache.close().catch(() => {});
  }

  get #isPaused(): boolean {
    return this.#clock.monotonic() < this.#pausedUntil;
  }

  #within<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const { timeoutMs } = this.#rules;
      const cancel = this.#clock.after(timeoutMs, () =>
        reject(new Error(`no answer within ${timeoutMs} ms`)),
      );
      answer.then(resolve, reject).finally(cancel);
    });
  }

  #failed(item: CachedItem, error: unknown): void {
    if (this.#closed.signal.aborted) return;
    this.#counts?.cacheFailed(item);
    if (++this.#failures < FAILURES_MAX) return;
    this.#failures = 0;
    this.#pausedUntil = this.#clock.monotonic() + PAUSE_MS;
    this.#log.warn('the cache is not well and is left alone for a while; everything comes from the bucket', {
      error: messageOf(error),
    });
  }
}

const NOTHING: ReadonlyMap<string, Uint8Array> = new Map();

function bytesOf(values: ReadonlyMap<string, Uint8Array>): number {
  let bytes = 0;
  for (const { length } of values.values()) bytes += length;
  return bytes;
}

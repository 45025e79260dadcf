import type { Clock } from '../../platform/clock.ts';
import type { Cache } from './cache.ts';

export interface MemoryCacheOptions {
  readonly sizeBytesMax: number;
  /** Larger values are not kept. */
  readonly itemBytesMax: number;
}

/** What one entry takes besides its key and value, about. */
const ENTRY_BYTES = 100;

/** A cache in this process' memory; the least recently used go first. */
export class MemoryCache implements Cache {
  readonly #options: MemoryCacheOptions;
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly value: Uint8Array; readonly until: number }>();
  #sizeBytes = 0;

  constructor(options: MemoryCacheOptions, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (!entry) continue;
      this.#remove(key);
      if (entry.until <= this.#clock.monotonic()) continue;
      this.#add(key, entry.value, entry.until);
      found.set(key, entry.value);
    }
    return found;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    this.#remove(key);
    if (value.length > this.#options.itemBytesMax || cost(key, value) > this.#options.sizeBytesMax) return;
    this.#add(key, value, this.#clock.monotonic() + ttlMs);
    for (const oldest of this.#entries.keys()) {
      if (this.#sizeBytes <= this.#options.sizeBytesMax) break;
      this.#remove(oldest);
    }
  }

  async close(): Promise<void> {
    this.#entries.clear();
    this.#sizeBytes = 0;
  }

  #add(key: string, value: Uint8Array, until: number): void {
    this.#entries.set(key, { value, until });
    this.#sizeBytes += cost(key, value);
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#sizeBytes -= cost(key, entry.value);
  }
}

function cost(key: string, value: Uint8Array): number {
  return 2 * key.length + value.length + ENTRY_BYTES;
}

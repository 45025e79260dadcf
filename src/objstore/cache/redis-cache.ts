import type { Redis } from 'ioredis';
import type { Cache } from './cache.ts';

export interface RedisOptions {
  /** `host:port`. */
  readonly addr: string;
  readonly username?: string;
  readonly password?: string;
  readonly db?: number;
  readonly dial_timeout_ms?: number;
  readonly read_timeout_ms?: number;
  readonly tls_enabled?: boolean;
}

const DIAL_TIMEOUT_MS = 5_000;
const READ_TIMEOUT_MS = 3_000;
const RECONNECT_MS_MAX = 10_000;

/** A cache in Redis or Valkey, which expires and evicts by itself. */
export class RedisCache implements Cache {
  readonly #client: Redis;

  private constructor(client: Redis) {
    this.#client = client;
  }

  /** Loads the library on first use. Waits until it is connected, or the first try has failed; further ones are in the background. */
  static async open(options: RedisOptions): Promise<RedisCache> {
    const { Redis: Client } = await import('ioredis');
    const at = options.addr.lastIndexOf(':');
    const client = new Client({
      host: options.addr.slice(0, at),
      port: Number(options.addr.slice(at + 1)),
      username: options.username || undefined,
      password: options.password || undefined,
      db: options.db ?? 0,
      connectTimeout: options.dial_timeout_ms || DIAL_TIMEOUT_MS,
      commandTimeout: options.read_timeout_ms || READ_TIMEOUT_MS,
      // While it is away calls fail at once: the bucket answers instead.
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: (times) => Math.min(RECONNECT_MS_MAX, 50 * 2 ** Math.min(times, 10)),
      ...(options.tls_enabled ? { tls: {} } : {}),
    });
    // Told by the calls that fail meanwhile.
    client.on('error', () => {});
    await new Promise<void>((resolve) => {
      for (const event of ['ready', 'error', 'close']) client.once(event, () => resolve());
    });
    return new RedisCache(client);
  }

  async getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const values = keys.length === 0 ? [] : await this.#client.mgetBuffer(...keys);
    const found = new Map<string, Uint8Array>();
    for (const [i, value] of values.entries()) if (value) found.set(keys[i], value);
    return found;
  }

  async set(key: string, value: Uint8Array, ttlMs: number): Promise<void> {
    await this.#client.set(
      key,
      Buffer.from(value.buffer, value.byteOffset, value.length),
      'PX',
      Math.ceil(ttlMs),
    );
  }

  async close(): Promise<void> {
    this.#client.disconnect();
  }
}

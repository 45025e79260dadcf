/**
 * Bytes by key, for as long as there is room and time. Never an authority: it may forget anything at any moment. Keys are
 * any text; values belong to the cache once given, and must not be changed once returned.
 */
export interface Cache {
  /** What is there of `keys`. Rejects when the cache is not well; whoever wraps it decides what that means. */
  getMany(keys: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Keeps a value for at most `ttlMs`. */
  set(key: string, value: Uint8Array, ttlMs: number): Promise<void>;
  close(): Promise<void>;
}

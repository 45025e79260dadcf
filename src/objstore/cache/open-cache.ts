import { messageOf } from '../../model/errors.ts';
import { assertNever } from '../../platform/assert.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { Bucket } from '../bucket.ts';
import type { StoreCounts } from '../store-counts.ts';
import type { Cache } from './cache.ts';
import { CACHING_RULES, CachingBucket, type CachingRules } from './caching-bucket.ts';
import { DiskCache } from './disk-cache.ts';
import { GUARD_RULES, GuardedCache } from './guarded-cache.ts';
import { ListedObjects } from './listed-objects.ts';
import { MemcachedCache, type MemcachedOptions } from './memcached-cache.ts';
import { MemoryCache, type MemoryCacheOptions } from './memory-cache.ts';
import { RedisCache, type RedisOptions } from './redis-cache.ts';

/** A cache by its configuration, as plain data; it can be sent to another thread. May hold a password: never log it. */
export type CacheOptions = { readonly rules: CachingRules } & (
  | { readonly type: 'IN-MEMORY'; readonly config: MemoryCacheOptions }
  | { readonly type: 'DISK'; readonly config: { readonly directory: string; readonly sizeBytesMax: number } }
  | { readonly type: 'MEMCACHED'; readonly config: MemcachedOptions }
  | { readonly type: 'REDIS'; readonly config: RedisOptions }
);

export interface CacheDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly counts?: StoreCounts | undefined;
  /** Tells apart who share a folder: each gets one of its own, and its part of the room. */
  readonly part?: { readonly number: number; readonly count: number };
}

/** The bucket with the cache before it; closing it closes both. Without the cache when that cannot be opened. */
export async function withCache(bucket: Bucket, options: CacheOptions, deps: CacheDeps): Promise<Bucket> {
  const cache = await openGuarded(options, deps);
  return cache ? new CachingBucket(bucket, cache, options.rules) : bucket;
}

/** What the small files of a bucket may take on this disk, and how long, where no cache is configured for others too. */
const META_ROOM_BYTES = 64 * 1024 * 1024;
const META_TTL_MS = 30 * 24 * 3_600_000;

/** Keeps small listed objects for the next start: in the configured cache when other processes see it too, otherwise in a folder of this process. */
export function listedObjects(
  bucket: Bucket,
  options: CacheOptions | undefined,
  directory: string,
  deps: CacheDeps,
): ListedObjects {
  const rules = options?.rules ?? { ...CACHING_RULES, metaTtlMs: META_TTL_MS };
  const isShared = options?.type === 'MEMCACHED' || options?.type === 'REDIS';
  const own = { type: 'DISK', config: { directory, sizeBytesMax: META_ROOM_BYTES }, rules } as const;
  return new ListedObjects(bucket, rules, () => openGuarded(isShared ? options : own, deps));
}

/** It makes reads fast, they do not depend on it: a cache that cannot be opened is told in the log. */
async function openGuarded(options: CacheOptions, deps: CacheDeps): Promise<GuardedCache | undefined> {
  try {
    const cache = await openCache(options, deps);
    const timeoutMs = options.type === 'MEMCACHED' ? options.config.timeoutMs : GUARD_RULES.timeoutMs;
    return new GuardedCache(cache, { ...deps, rules: { ...GUARD_RULES, timeoutMs } });
  } catch (error) {
    deps.log.error('the cache cannot be opened; everything is read from the bucket', {
      type: options.type,
      error: messageOf(error),
    });
    return undefined;
  }
}

async function openCache(options: CacheOptions, { disk, clock, part }: CacheDeps): Promise<Cache> {
  const { number, count } = part ?? { number: 0, count: 1 };
  switch (options.type) {
    case 'IN-MEMORY':
      return new MemoryCache(
        { ...options.config, sizeBytesMax: Math.floor(options.config.sizeBytesMax / count) },
        clock,
      );
    case 'DISK': {
      const { directory, sizeBytesMax } = options.config;
      const own = { dir: `${directory}/${number}`, sizeBytesMax: Math.floor(sizeBytesMax / count) };
      return DiskCache.open(own, disk, clock);
    }
    case 'MEMCACHED':
      return new MemcachedCache(options.config, clock);
    case 'REDIS':
      return RedisCache.open(options.config);
    default:
      return assertNever(options);
  }
}

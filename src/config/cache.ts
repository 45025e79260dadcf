import { z } from 'zod';
import { parseDuration } from '../model/duration.ts';
import { VeronaError } from '../model/errors.ts';
import { CACHING_RULES, type CachingRules } from '../objstore/cache/caching-bucket.ts';
import type { CacheOptions } from '../objstore/cache/open-cache.ts';
import { parseSize } from './units.ts';
import { parseYaml } from './yaml-file.ts';

const bytes = (defaultText: string) =>
  z
    .union([z.string(), z.number().transform(String)])
    .prefault(defaultText)
    .transform((text, context) => parseSize(text) ?? refuse(context, `not a size: ${JSON.stringify(text)}`));
const duration = (defaultText: string) =>
  z
    .string()
    .prefault(defaultText)
    .transform(
      (text, context) => parseDuration(text) ?? refuse(context, `not a duration: ${JSON.stringify(text)}`),
    );
const count = z.number().int().min(0).optional();

function refuse(context: z.core.$RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

/**
 * Thanos' settings of its caching bucket that have a counterpart here. Accepted without one: listings, and whether a small
 * file is there, are not kept, since both decide what is answered.
 */
const rules = {
  chunk_subrange_size: z.number().int().min(1024).prefault(CACHING_RULES.subrangeBytes),
  max_chunks_get_range_requests: z.number().int().min(1).prefault(CACHING_RULES.rangeRequestsMax),
  chunk_subrange_ttl: duration('24h'),
  chunk_object_attrs_ttl: duration('24h'),
  metafile_content_ttl: duration('24h'),
  metafile_max_size: bytes('1MiB'),
  blocks_iter_ttl: z.string().optional(),
  metafile_exists_ttl: z.string().optional(),
  metafile_doesnt_exist_ttl: z.string().optional(),
};

const memory = z
  .strictObject({ max_size: bytes('250MiB'), max_item_size: bytes('16MiB') })
  .prefault({})
  .transform(({ max_size, max_item_size }) => ({ sizeBytesMax: max_size, itemBytesMax: max_item_size }));

const disk = z
  .strictObject({ directory: z.string().min(1), max_size: bytes('10GiB') })
  .transform(({ directory, max_size }) => ({ directory, sizeBytesMax: max_size }));

const address = z.string().regex(/^.+:\d{1,5}$/, { error: 'is not host:port' });

const memcached = z
  .strictObject({
    addresses: z.array(address).min(1),
    timeout: duration('500ms'),
    max_item_size: bytes('1MiB'),
    max_idle_connections: count,
    max_async_concurrency: count,
    max_async_buffer_size: count,
    max_get_multi_concurrency: count,
    max_get_multi_batch_size: count,
    dns_provider_update_interval: z.string().optional(),
    auto_discovery: z.literal(false, { error: 'is not supported' }).optional(),
  })
  .transform(({ addresses, timeout, max_item_size }) => ({
    addresses,
    timeoutMs: timeout,
    itemBytesMax: max_item_size,
  }));

const redis = z
  .strictObject({
    addr: address,
    username: z.string().optional(),
    password: z.string().optional(),
    db: z.number().int().min(0).optional(),
    dial_timeout: duration('5s'),
    read_timeout: duration('3s'),
    write_timeout: z.string().optional(),
    tls_enabled: z.boolean().optional(),
    max_get_multi_concurrency: count,
    get_multi_batch_size: count,
    max_set_multi_concurrency: count,
    set_multi_batch_size: count,
    max_async_concurrency: count,
    max_async_buffer_size: count,
    cache_size: z.literal(0, { error: 'is not supported: there is no cache before the cache' }).optional(),
  })
  .transform(({ addr, username, password, db, dial_timeout, read_timeout, tls_enabled }) => ({
    addr,
    username,
    password,
    db,
    dial_timeout_ms: dial_timeout,
    read_timeout_ms: read_timeout,
    tls_enabled,
  }));

const cacheSchema = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('IN-MEMORY'), config: memory, ...rules }),
  z.strictObject({ type: z.literal('DISK'), config: disk, ...rules }),
  z.strictObject({ type: z.literal('MEMCACHED'), config: memcached, ...rules }),
  z.strictObject({ type: z.literal('REDIS'), config: redis, ...rules }),
]);

/** A cache out of a file like that of Thanos' `--store.caching-bucket.config`. Throws `bad_data` with file and line, and no value of the file. */
export function loadCacheOptions(
  source: { readonly file: string; readonly text: string },
  environment: Readonly<Record<string, string | undefined>>,
): CacheOptions {
  const { values, positionOf } = parseYaml(source, environment, { inParentheses: true });
  if (typeof values.type === 'string') values.type = values.type.toUpperCase();
  const parsed = cacheSchema.safeParse(values);
  if (!parsed.success)
    throw new VeronaError(
      'bad_data',
      parsed.error.issues.map((issue) => `${positionOf(issue)}: ${describe(issue)}`).join('\n'),
    );
  const { type, config } = parsed.data;
  const kept: CachingRules = {
    subrangeBytes: parsed.data.chunk_subrange_size,
    rangeRequestsMax: parsed.data.max_chunks_get_range_requests,
    subrangeTtlMs: parsed.data.chunk_subrange_ttl,
    attributesTtlMs: parsed.data.chunk_object_attrs_ttl,
    metaTtlMs: parsed.data.metafile_content_ttl,
    metaBytesMax: parsed.data.metafile_max_size,
  };
  return { type, config, rules: kept } as CacheOptions;
}

function describe(issue: z.core.$ZodIssue): string {
  const where = issue.path.join('.');
  if (issue.code === 'invalid_union') return 'type: must be IN-MEMORY, DISK, MEMCACHED or REDIS';
  if (issue.code === 'unrecognized_keys')
    return `unknown key ${[where, issue.keys.join(', ')].filter(Boolean).join('.')}`;
  return `${where}: ${issue.message}`;
}

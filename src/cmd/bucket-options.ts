import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCacheOptions } from '../config/cache.ts';
import { loadBucketOptions } from '../config/objstore.ts';
import type { Config } from '../config/schema.ts';
import type { Bucket } from '../objstore/bucket.ts';
import type { ListedObjects } from '../objstore/cache/listed-objects.ts';
import { type CacheDeps, type CacheOptions, listedObjects } from '../objstore/cache/open-cache.ts';
import type { BucketOptions } from '../objstore/open-bucket.ts';

/** The bucket that a configuration names; a folder in the data folder when it names none. */
export function bucketOptionsOf({ objstore }: Config, dataDir: string): BucketOptions {
  if (objstore.config !== '')
    return loadBucketOptions({ file: 'objstore.config', text: objstore.config }, process.env);
  if (objstore.config_file !== '')
    return loadBucketOptions(
      { file: objstore.config_file, text: readFileSync(objstore.config_file, 'utf8') },
      process.env,
    );
  return { type: 'FILESYSTEM', config: { directory: join(dataDir, 'bucket') } };
}

/** The cache that a configuration names; undefined when it names none. */
export function cacheOptionsOf({ cache }: Config): CacheOptions | undefined {
  if (cache.config !== '') return loadCacheOptions({ file: 'cache.config', text: cache.config }, process.env);
  if (cache.config_file === '') return undefined;
  const text = readFileSync(cache.config_file, 'utf8');
  return loadCacheOptions({ file: cache.config_file, text }, process.env);
}

/** Where `meta.json` of blocks is kept for the next start; undefined when the bucket is as near as that. */
export function metasOf(
  config: Config,
  bucket: Bucket,
  { type }: BucketOptions,
  directory: string,
  deps: CacheDeps,
): ListedObjects | undefined {
  if (type === 'FILESYSTEM' || type === 'MEMORY') return undefined;
  return listedObjects(bucket, cacheOptionsOf(config), directory, deps);
}

/** Names a bucket for people; holds no secret. */
export function bucketText(options: BucketOptions): string {
  switch (options.type) {
    case 'FILESYSTEM':
      return options.config.directory;
    case 'S3':
      return `s3 ${options.config.bucket} at ${options.config.endpoint}`;
    case 'GCS':
      return `gcs ${options.config.bucket}`;
    case 'AZURE':
      return `azure ${options.config.container} of ${options.config.storage_account}`;
    default:
      return 'in memory';
  }
}

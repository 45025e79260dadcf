import { assertNever } from '../platform/assert.ts';
import type { Clock } from '../platform/clock.ts';
import type { Disk } from '../platform/disk.ts';
import type { Random } from '../platform/random.ts';
import { AzureBucket } from './azure-bucket.ts';
import type { AzureOptions } from './azure-options.ts';
import type { Bucket } from './bucket.ts';
import { FilesystemBucket } from './filesystem-bucket.ts';
import { GcsBucket } from './gcs-bucket.ts';
import type { GcsOptions } from './gcs-options.ts';
import { MemoryBucket } from './memory-bucket.ts';
import { MeteredBucket } from './metered-bucket.ts';
import { PrefixedBucket } from './prefixed-bucket.ts';
import { S3Bucket } from './s3-bucket.ts';
import type { S3Options } from './s3-options.ts';
import type { StoreCounts } from './store-counts.ts';

/** An `objstore.yml` in Thanos' shape, as plain data; it can be sent to another thread. Holds secrets: never log it. */
export type BucketOptions = { readonly prefix?: string } & (
  | { readonly type: 'FILESYSTEM'; readonly config: { readonly directory: string } }
  | { readonly type: 'MEMORY'; readonly config?: object }
  | { readonly type: 'S3'; readonly config: S3Options }
  | { readonly type: 'GCS'; readonly config: GcsOptions }
  | { readonly type: 'AZURE'; readonly config: AzureOptions }
);

export interface BucketDeps {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly random: Random;
  /** Without it nothing is counted. */
  readonly counts?: StoreCounts;
}

/** The bucket of a configuration: counted, and seen below its prefix. Whoever opens it closes it. */
export async function openBucket(options: BucketOptions, deps: BucketDeps): Promise<Bucket> {
  const store = await openStore(options, deps);
  const counted = deps.counts ? new MeteredBucket(store, deps.clock, deps.counts) : store;
  const prefix = (options.prefix ?? '').replace(/^\/+|\/+$/g, '');
  return prefix === '' ? counted : new PrefixedBucket(counted, prefix);
}

async function openStore(options: BucketOptions, deps: BucketDeps): Promise<Bucket> {
  switch (options.type) {
    case 'FILESYSTEM':
      return new FilesystemBucket(options.config.directory.replace(/(.)\/+$/, '$1'), deps);
    case 'MEMORY':
      return new MemoryBucket(deps.clock);
    case 'S3':
      return S3Bucket.open(options.config, deps);
    case 'GCS':
      return GcsBucket.open(options.config, deps);
    case 'AZURE':
      return AzureBucket.open(options.config, deps);
    default:
      return assertNever(options);
  }
}

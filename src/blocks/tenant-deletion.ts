import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { JsonReader } from './json-reader.ts';

/** Cortex' mark of a tenant whose data are to be deleted, and were when `finishedMs` is set. */
export interface TenantDeletion {
  /** ms, whole seconds. */
  readonly requestedMs: number;
  readonly finishedMs: number | undefined;
}

const SIZE_BYTES_MAX = 64 * 1024;

function markKey(tenant: string): string {
  return `__markers__/${tenant}/tenant-deletion-mark.json`;
}

/** The deletion mark of a tenant; undefined when there is none. Throws `corrupt`. */
export async function readTenantDeletion(
  ctx: BucketContext,
  bucket: Bucket,
  tenant: string,
): Promise<TenantDeletion | undefined> {
  const key = markKey(tenant);
  let data: Uint8Array;
  try {
    data = await bucket.get(ctx, key, SIZE_BYTES_MAX);
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'not_found') return undefined;
    throw error;
  }
  const reader = new JsonReader(key);
  const root = reader.object(reader.parse(data), 'document');
  const finished = root.finished_time === undefined ? 0 : reader.integer(root.finished_time, 'finished_time');
  return {
    requestedMs: reader.integer(root.deletion_time, 'deletion_time') * 1000,
    finishedMs: finished > 0 ? finished * 1000 : undefined,
  };
}

export async function writeTenantDeletion(
  ctx: BucketContext,
  bucket: Bucket,
  tenant: string,
  { requestedMs, finishedMs }: TenantDeletion,
): Promise<void> {
  const seconds = (ms: number) => Math.floor(ms / 1000);
  const fields = {
    deletion_time: seconds(requestedMs),
    ...(finishedMs !== undefined && { finished_time: seconds(finishedMs) }),
  };
  await bucket.upload(ctx, markKey(tenant), new TextEncoder().encode(JSON.stringify(fields)));
}

/** Tenants that have a mark. */
export async function deletedTenants(ctx: BucketContext, bucket: Bucket): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const { key, kind } of bucket.list(ctx, '__markers__/'))
    if (kind === 'folder') names.add(key.slice('__markers__/'.length, -1));
  return names;
}

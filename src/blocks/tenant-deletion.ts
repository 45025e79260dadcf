import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { JsonReader } from './json-reader.ts';
import { MARKERS_FOLDER } from './layout.ts';

/** Cortex' mark of a tenant whose data are to be deleted. */
export interface TenantDeletion {
  /** ms, whole seconds. */
  readonly requestedMs: number;
  /** When its last block was removed, ms; undefined until then. */
  readonly finishedMs: number | undefined;
}

const SIZE_BYTES_MAX = 64 * 1024;
/** Name of the mark in either folder. */
export const TENANT_DELETION_FILE = 'tenant-deletion-mark.json';
/** Cortex' folder with marks of tenants; no tenant has this name. */
const GLOBAL_FOLDER = '__markers__';

/** Where the mark is written, as Cortex does since 1.17. */
function globalKey(tenant: string): string {
  return `${GLOBAL_FOLDER}/${tenant}/${TENANT_DELETION_FILE}`;
}

/** Where older Cortex and Mimir have it; it holds as well. */
export function localDeletionMarkKey(tenant: string): string {
  return `${tenant}/${MARKERS_FOLDER}/${TENANT_DELETION_FILE}`;
}

/** The deletion mark of a tenant, wherever it lies; undefined when there is none. Throws `corrupt`. */
export async function readTenantDeletion(
  ctx: BucketContext,
  bucket: Bucket,
  tenant: string,
): Promise<TenantDeletion | undefined> {
  const keys = [globalKey(tenant), localDeletionMarkKey(tenant)];
  for (const key of keys) {
    const data = await read(ctx, bucket, key);
    if (data) return parse(data, key);
  }
  return undefined;
}

/** Writes the mark, or writes it anew. */
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
  await bucket.upload(ctx, globalKey(tenant), new TextEncoder().encode(JSON.stringify(fields)));
}

/** Takes the mark away, wherever it lies: the tenant may begin anew. */
export async function removeTenantDeletion(
  ctx: BucketContext,
  bucket: Bucket,
  tenant: string,
): Promise<void> {
  await bucket.delete(ctx, localDeletionMarkKey(tenant));
  await bucket.delete(ctx, globalKey(tenant));
}

/** Tenants whose mark lies where marks of all tenants do. One in a tenant's own folder is seen when that is listed. */
export async function deletedTenants(ctx: BucketContext, bucket: Bucket): Promise<ReadonlySet<string>> {
  const names = new Set<string>();
  for await (const { key } of bucket.list(ctx, `${GLOBAL_FOLDER}/`, { recursive: true }))
    if (key.endsWith(`/${TENANT_DELETION_FILE}`))
      names.add(key.slice(GLOBAL_FOLDER.length + 1, -TENANT_DELETION_FILE.length - 1));
  return names;
}

async function read(ctx: BucketContext, bucket: Bucket, key: string): Promise<Uint8Array | undefined> {
  try {
    return await bucket.get(ctx, key, SIZE_BYTES_MAX);
  } catch (error) {
    if (error instanceof VeronaError && error.code === 'not_found') return undefined;
    throw error;
  }
}

function parse(data: Uint8Array, key: string): TenantDeletion {
  const reader = new JsonReader(key);
  const root = reader.object(reader.parse(data), 'document');
  const finished = root.finished_time === undefined ? 0 : reader.integer(root.finished_time, 'finished_time');
  return {
    requestedMs: reader.integer(root.deletion_time, 'deletion_time') * 1000,
    finishedMs: finished > 0 ? finished * 1000 : undefined,
  };
}

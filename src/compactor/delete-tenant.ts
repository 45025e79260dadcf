import type { TenantBlocks } from '../blocks/block-catalog.ts';
import type { BlockMarker } from '../blocks/block-marker.ts';
import { bucketIndexKey } from '../blocks/bucket-index.ts';
import {
  localDeletionMarkKey,
  removeTenantDeletion,
  type TenantDeletion,
  writeTenantDeletion,
} from '../blocks/tenant-deletion.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';

export interface TenantDeletionStep {
  /** Blocks that were removed now. */
  readonly blocks: number;
  /** Nothing is left, the mark included: the tenant may begin anew. */
  readonly isOver: boolean;
}

/**
 * Removes what a deleted tenant has in the bucket, as Cortex does: its bucket index, so that nobody looks for blocks; every
 * block, in the order that readers stand; what else lies in its folder. The mark gets the time of the last removal, stays
 * for `cleanupDelayMs` after it, so that every process has learnt of it and uploads under way have come, and goes last. May
 * break off anywhere and be called again.
 */
export async function deleteTenantData(
  ctx: BucketContext,
  bucket: Bucket,
  marker: BlockMarker,
  tenant: string,
  view: TenantBlocks,
  mark: TenantDeletion,
  { nowMs, cleanupDelayMs }: { readonly nowMs: number; readonly cleanupDelayMs: number },
): Promise<TenantDeletionStep> {
  await bucket.delete(ctx, bucketIndexKey(tenant));
  const refs = [...view.whole, ...view.unfinished].map(({ ref }) => ref);
  for (const ref of refs) await marker.delete(ctx, ref);
  await deleteRest(ctx, bucket, tenant);
  if (refs.length > 0 || mark.finishedMs === undefined)
    await writeTenantDeletion(ctx, bucket, tenant, { ...mark, finishedMs: nowMs });
  else if (nowMs - mark.finishedMs >= cleanupDelayMs) {
    await removeTenantDeletion(ctx, bucket, tenant);
    return { blocks: 0, isOver: true };
  }
  return { blocks: refs.length, isOver: false };
}

/** Everything in the tenant's folder but its mark. */
async function deleteRest(ctx: BucketContext, bucket: Bucket, tenant: string): Promise<void> {
  const rest: string[] = [];
  for await (const entry of bucket.list(ctx, `${tenant}/`, { recursive: true }))
    if (entry.kind === 'object' && entry.key !== localDeletionMarkKey(tenant)) rest.push(entry.key);
  for (const key of rest) await bucket.delete(ctx, key);
}

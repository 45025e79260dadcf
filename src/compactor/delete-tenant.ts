import type { TenantBlocks } from '../blocks/block-catalog.ts';
import type { BlockMarker } from '../blocks/block-marker.ts';
import { bucketIndexKey } from '../blocks/bucket-index.ts';
import { type TenantDeletion, writeTenantDeletion } from '../blocks/tenant-deletion.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';

/**
 * Removes what a deleted tenant has in the bucket: every block, in the order that readers stand, then everything else below
 * its folder. Notes the end in the tenant's mark once nothing was left to remove. Returns how many blocks went.
 */
export async function deleteTenantData(
  ctx: BucketContext,
  bucket: Bucket,
  marker: BlockMarker,
  tenant: string,
  view: TenantBlocks,
  mark: TenantDeletion,
  nowMs: number,
): Promise<number> {
  const refs = [...view.whole, ...view.unfinished].map(({ ref }) => ref);
  for (const ref of refs) await marker.delete(ctx, ref);
  const rest: string[] = [];
  for await (const entry of bucket.list(ctx, `${tenant}/`, { recursive: true }))
    if (entry.kind === 'object') rest.push(entry.key);
  for (const key of rest) await bucket.delete(ctx, key);
  // Whoever lists the tenant may write its index again meanwhile; it tells of nothing.
  const isEmpty = refs.length === 0 && rest.every((key) => key === bucketIndexKey(tenant));
  if (isEmpty && mark.finishedMs === undefined)
    await writeTenantDeletion(ctx, bucket, tenant, { ...mark, finishedMs: nowMs });
  return refs.length;
}

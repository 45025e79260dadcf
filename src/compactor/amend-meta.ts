import { type BlockRef, INDEX_FILE, META_FILE } from '../blocks/layout.ts';
import { META_SIZE_BYTES_MAX } from '../blocks/meta.ts';
import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';

/**
 * Stores a `meta.json` in the place of the one that is in the bucket now, made of it by `amend`; undefined leaves it. Readers see the
 * one or the other. Only what other programs have no use for may change (what is noted of deletions, counts, the list of files):
 * Thanos and Cortex keep a `meta.json` by the name of its block for as long as the block is there. Of two processes that amend the
 * same block within the time of a request one may undo what the other noted; a note is a saving of work, and the next round makes it
 * again. Throws `not_found` when the block was deleted meanwhile.
 */
export async function amendMeta(
  ctx: BucketContext,
  bucket: Bucket,
  { folder, ulid }: BlockRef,
  amend: (meta: Uint8Array, where: string) => Uint8Array | undefined,
): Promise<void> {
  const [key, index] = [`${folder}/${META_FILE}`, `${folder}/${INDEX_FILE}`];
  const isThere = () => bucket.exists(ctx, index);
  if (!(await isThere())) throw gone(ulid);
  const after = amend(await bucket.get(ctx, key, META_SIZE_BYTES_MAX), key);
  if (!after) return;
  await bucket.upload(ctx, key, after);
  if (await isThere()) return;
  // Stored while the block was deleted, it would make a block of what is left.
  await bucket.delete(ctx, key);
  throw gone(ulid);
}

function gone(ulid: string): VeronaError {
  return new VeronaError('not_found', `block ${ulid} was deleted meanwhile`);
}

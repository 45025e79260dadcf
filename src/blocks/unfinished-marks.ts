import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from '../objstore/bucket.ts';
import { type BlockRef, globalMarkKey } from './layout.ts';
import { MARK_FILES, MARK_SIZE_BYTES_MAX, type MarkKind, parseMark } from './marks.ts';

/** What a mark says that was set because the block was not whole, nor had been for long. */
export const UNFINISHED = 'an upload that broke off long ago';

/**
 * Takes away the marks that a clean-up set on a block while its upload was broken off: it is whole now, and would be hidden or
 * deleted for them. Marks that others set for other reasons stay.
 */
export async function clearUnfinishedMarks(ctx: BucketContext, bucket: Bucket, ref: BlockRef): Promise<void> {
  for (const kind of ['deletion', 'quarantine'] as const)
    for (const key of [globalMarkKey(ref, MARK_FILES[kind]), `${ref.folder}/${MARK_FILES[kind]}`])
      if (key !== undefined && (await isUnfinished(ctx, bucket, key, kind, ref.ulid)))
        await bucket.delete(ctx, key);
}

async function isUnfinished(
  ctx: BucketContext,
  bucket: Bucket,
  key: string,
  kind: MarkKind,
  ulid: string,
): Promise<boolean> {
  try {
    return parseMark(await bucket.get(ctx, key, MARK_SIZE_BYTES_MAX), key, kind, ulid).details.startsWith(
      UNFINISHED,
    );
  } catch (error) {
    // One that does not decode counts for nothing, or is for a person to look at.
    if (error instanceof VeronaError && ['not_found', 'corrupt', 'too_large'].includes(error.code))
      return false;
    throw error;
  }
}

import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from './bucket.ts';

/**
 * Whether a creation that failed with `conflict` after more than one try met what its own first try had stored, whose
 * answer was lost: the object has the very bytes. Two creators with equal bytes both win; who must know puts a name in.
 */
export async function isOwnCreation(
  bucket: Pick<Bucket, 'get'>,
  ctx: BucketContext,
  key: string,
  body: Uint8Array,
  error: unknown,
  tries: number,
): Promise<boolean> {
  if (tries < 2 || !(error instanceof VeronaError && error.code === 'conflict')) return false;
  const stored = await bucket.get(ctx, key).catch(() => undefined);
  return stored !== undefined && Buffer.compare(stored, body) === 0;
}

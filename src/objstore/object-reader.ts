import { VeronaError } from '../model/errors.ts';
import type { Bucket, BucketContext } from './bucket.ts';

const PIECE_BYTES = 8 * 1024 * 1024;

/** A whole object of any size in order, in pieces of at most `pieceBytes`; each piece is retried by the bucket on its own. */
export async function* readObject(
  bucket: Bucket,
  ctx: BucketContext,
  key: string,
  pieceBytes = PIECE_BYTES,
): AsyncGenerator<Uint8Array> {
  const { sizeBytes } = await bucket.attributes(ctx, key);
  for (let offset = 0; offset < sizeBytes; ) {
    const wanted = Math.min(pieceBytes, sizeBytes - offset);
    const piece = await bucket.getRange(ctx, key, offset, wanted);
    if (piece.length < wanted)
      throw new VeronaError(
        'unavailable',
        `read ${key}: ends at ${offset + piece.length}, ${sizeBytes} bytes were announced`,
      );
    offset += piece.length;
    yield piece;
  }
}

import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import type { Interval } from '../block/tombstones.ts';
import { cutAggregates } from '../downsample/cut-aggregates.ts';
import { clipChunk } from '../head/clip-chunk.ts';
import type { ReplicaChunk } from './merge-overlaps.ts';

/** The chunk without the samples in `deleted`, as chunks of its replica; none when nothing is left. Throws `corrupt`. */
export function cutChunk(chunk: ReplicaChunk, deleted: readonly Interval[]): ReplicaChunk[] {
  if (deleted.length === 0) return [chunk];
  const { replica, mint, maxt, encoding, data } = chunk;
  if (encoding === ChunkEncoding.aggregate) {
    const cut = cutAggregates(chunk, deleted);
    return cut ? [{ ...cut, replica }] : [];
  }
  return clipChunk({ mint, maxt, encoding, bytes: data }, mint, maxt, deleted).map((piece) => ({
    replica,
    mint: piece.mint,
    maxt: piece.maxt,
    encoding: piece.encoding,
    data: piece.bytes,
  }));
}

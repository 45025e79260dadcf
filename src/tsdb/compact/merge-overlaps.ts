import { ChunkEncoding } from '../../chunkenc/encoding.ts';
import { decodeXor, type FloatColumns, XorAppender } from '../../chunkenc/xor.ts';
import type { BlockChunk } from '../block/block-writer.ts';
import { mergeChunks } from '../head/clip-chunk.ts';
import type { ReplicaDedup } from './merge-blocks.ts';
import { mergeByTime } from './merge-by-time.ts';
import { penaltyMerge } from './penalty.ts';

/** A chunk with the number of the replica it is from. */
export interface ReplicaChunk extends BlockChunk {
  readonly replica: number;
}

/** Prometheus' size of a chunk of floats. */
const CHUNK_SAMPLES = 120;

/**
 * Chunks of one series that overlap, ordered by time, as chunks that do not. The same chunk twice is one. Throws
 * `corrupt` for a chunk that does not decode.
 */
export function mergeOverlaps(chunks: readonly ReplicaChunk[], dedup: ReplicaDedup): readonly BlockChunk[] {
  const distinct = withoutTwins(chunks);
  if (!overlap(distinct)) return distinct;
  if (distinct.every(({ encoding }) => encoding === ChunkEncoding.xor))
    return encodeFloats(mergeFloats(distinct, dedup));
  const pieces = distinct.map(({ mint, maxt, encoding, data }) => ({ mint, maxt, encoding, bytes: data }));
  return mergeChunks(pieces).map(({ mint, maxt, encoding, bytes }) => ({
    mint,
    maxt,
    encoding,
    data: bytes,
  }));
}

function mergeFloats(chunks: readonly ReplicaChunk[], dedup: ReplicaDedup): FloatColumns {
  const lanes = [...Map.groupBy(chunks, ({ replica }) => (dedup === 'penalty' ? replica : 0))]
    .sort(([a], [b]) => a - b)
    .map(([, lane]) => mergeByTime(lane.map(({ data }) => decodeXor(data, 0, data.length))));
  return lanes.reduce(penaltyMerge);
}

function withoutTwins(chunks: readonly ReplicaChunk[]): ReplicaChunk[] {
  return chunks.filter((chunk, i) => {
    for (let k = i - 1; k >= 0 && chunks[k].mint === chunk.mint; k--)
      if (isTwin(chunks[k], chunk)) return false;
    return true;
  });
}

function isTwin(a: ReplicaChunk, b: ReplicaChunk): boolean {
  return a.maxt === b.maxt && a.encoding === b.encoding && Buffer.compare(a.data, b.data) === 0;
}

function overlap(chunks: readonly ReplicaChunk[]): boolean {
  return chunks.some((chunk, i) => i > 0 && chunk.mint <= chunks[i - 1].maxt);
}

function encodeFloats({ timestamps, values }: FloatColumns): BlockChunk[] {
  const chunks: BlockChunk[] = [];
  for (let from = 0; from < timestamps.length; from += CHUNK_SAMPLES) {
    const to = Math.min(from + CHUNK_SAMPLES, timestamps.length);
    const appender = new XorAppender();
    for (let i = from; i < to; i++) appender.append(timestamps[i], values[i]);
    chunks.push({
      mint: timestamps[from],
      maxt: timestamps[to - 1],
      encoding: ChunkEncoding.xor,
      data: appender.bytes().slice(),
    });
  }
  return chunks;
}

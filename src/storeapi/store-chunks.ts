import { classicChunk } from '../chunkenc/classic-chunk.ts';
import { ChunkEncoding } from '../chunkenc/encoding.ts';
import { putUvarint, readUvarint, uvarintSize } from '../encoding/varint.ts';
import { VeronaError } from '../model/errors.ts';
import { AGGREGATES, type StoreAggrChunk, type StoreChunk } from '../proto/store-series.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';

const NO_AGGREGATES: readonly undefined[] = [];

/**
 * Chunk `c` of a batch as the StoreAPI sends it: data as they are, or in an encoding that every peer knows, without start
 * timestamps; of a downsampled one the aggregates with these numbers of `thanos.Aggr` (none: all). Throws `corrupt`.
 */
export function storeChunk(batch: SeriesBatch, c: number, wanted: readonly number[] = []): StoreAggrChunk {
  const encoding = batch.chunkEncoding[c];
  const offset = batch.chunkDataOffset[c];
  const data = batch.chunkData.subarray(offset, offset + batch.chunkDataLength[c]);
  const times = { mint: batch.chunkMint[c], maxt: batch.chunkMaxt[c] };
  if (encoding === ChunkEncoding.aggregate)
    return { ...times, raw: undefined, aggregates: chosen(readAggregates(data), wanted) };
  const sent = classicChunk({ encoding, data });
  if (sent.encoding < ChunkEncoding.xor || sent.encoding > ChunkEncoding.floatHistogram)
    throw new VeronaError('corrupt', `chunk encoding ${encoding} is not known`);
  return { ...times, raw: { type: sent.encoding - 1, data: sent.data }, aggregates: NO_AGGREGATES };
}

/** `AGGREGATES` come in the order of their numbers, which begin with 1. */
function chosen(
  parts: readonly (StoreChunk | undefined)[],
  wanted: readonly number[],
): readonly (StoreChunk | undefined)[] {
  const numbers = wanted.filter((number) => number > 0);
  return numbers.length === 0 ? parts : parts.map((part, i) => (numbers.includes(i + 1) ? part : undefined));
}

/**
 * The parts of a downsampled chunk, in the order of `AGGREGATES`; each is absent or
 *
 *   ┌─────────────────────────────┬─────────────┬──────┐
 *   │ uvarint size (0: absent)    │ encoding 1B │ data │   the size counts the data only
 *   └─────────────────────────────┴─────────────┴──────┘
 */
function readAggregates(payload: Uint8Array): (StoreChunk | undefined)[] {
  const cursor = { bytes: payload, at: 0, end: payload.length };
  return AGGREGATES.map((name) => {
    const size = readUvarint(cursor);
    if (size === 0) return undefined;
    const start = cursor.at + 1;
    if (start + size > payload.length)
      throw new VeronaError('corrupt', `downsampled chunk: its ${name} is cut off at ${cursor.at}`);
    cursor.at = start + size;
    return { type: payload[start - 1] - 1, data: payload.subarray(start, start + size) };
  });
}

/** The payload of a downsampled chunk made of the parts that a peer sent; absent ones stay absent. */
export function aggregatePayload(parts: readonly (StoreChunk | undefined)[]): Uint8Array {
  const sizes = AGGREGATES.map((_, i) => parts[i]?.data.length ?? 0);
  const size = sizes.reduce((sum, own) => sum + uvarintSize(own) + (own > 0 ? 1 + own : 0), 0);
  const payload = new Uint8Array(size);
  let at = 0;
  for (const [i, own] of sizes.entries()) {
    at = putUvarint(payload, at, own);
    if (own === 0) continue;
    const { type, data } = parts[i] as StoreChunk;
    payload[at++] = type + 1;
    payload.set(data, at);
    at += own;
  }
  return payload;
}

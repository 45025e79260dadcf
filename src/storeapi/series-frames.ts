import { ChunkEncoding } from '../chunkenc/encoding.ts';
import { SeriesFrameWriter, type StoreAggrChunk } from '../proto/store-series.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { ShardTest } from './shard.ts';
import { storeChunk } from './store-chunks.ts';
import type { SeriesRequest } from './store-server.ts';

/** A frame is sent from this size on, and a longer series is spread over several frames. What is larger leaves the processor's caches before it is sent. */
const FRAME_BYTES = 256 * 1024;

/** Sorted batches as the frames of a Series answer: the shard and limit of the request kept, chunk data as they are. */
export async function* seriesFrames(
  batches: AsyncIterable<SeriesBatch>,
  request: Pick<SeriesRequest, 'aggregates' | 'batchSize' | 'limit' | 'shard' | 'skipChunks'>,
): AsyncGenerator<Uint8Array> {
  const writer = new SeriesFrameWriter();
  const shard = request.shard && new ShardTest(request.shard);
  let left = request.limit === 0 ? Number.POSITIVE_INFINITY : request.limit;
  for await (const batch of batches) {
    for (let i = 0; i < batch.seriesCount; i++) {
      const labels = batch.labelBytes.subarray(batch.labelOffsets[i], batch.labelOffsets[i + 1]);
      if (shard && !shard.has(labels)) continue;
      for (const [from, to] of request.skipChunks ? [NOTHING] : chunkRuns(batch, i)) {
        if (areClassic(batch, from, to)) writer.addRaw(labels, batch, from, to);
        else writer.add(labels, chunksOf(batch, from, to, request.aggregates));
        if (writer.seriesCount >= request.batchSize || writer.byteLength >= FRAME_BYTES) yield writer.take();
      }
      if (--left > 0) continue;
      if (writer.seriesCount > 0) yield writer.take();
      return;
    }
  }
  if (writer.seriesCount > 0) yield writer.take();
}

type ChunkRun = readonly [from: number, to: number];

const NOTHING: ChunkRun = [0, 0];

/** The chunks of a series, in runs of about a frame; one run at least. */
function* chunkRuns(batch: SeriesBatch, i: number): Generator<ChunkRun> {
  let from = batch.chunkStarts[i];
  const end = batch.chunkStarts[i + 1];
  let bytes = 0;
  for (let c = from; c < end; c++) {
    if (bytes >= FRAME_BYTES) {
      yield [from, c];
      from = c;
      bytes = 0;
    }
    bytes += batch.chunkDataLength[c];
  }
  yield [from, end];
}

/** Whether every peer knows the encodings as they are. */
function areClassic({ chunkEncoding }: SeriesBatch, from: number, to: number): boolean {
  for (let c = from; c < to; c++)
    if (chunkEncoding[c] < ChunkEncoding.xor || chunkEncoding[c] > ChunkEncoding.floatHistogram) return false;
  return true;
}

function chunksOf(
  batch: SeriesBatch,
  from: number,
  to: number,
  aggregates: readonly number[],
): StoreAggrChunk[] {
  return Array.from({ length: to - from }, (_, i) => storeChunk(batch, from + i, aggregates));
}

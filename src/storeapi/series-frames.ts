import { SeriesFrameWriter, type StoreAggrChunk } from '../proto/store-series.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { ShardTest } from './shard.ts';
import { storeChunk } from './store-chunks.ts';
import type { SeriesRequest } from './store-server.ts';

/** A frame is sent from this size on, and a longer series is spread over several frames. */
const FRAME_BYTES = 1024 * 1024;

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
      for (const chunks of request.skipChunks ? [[]] : chunkRuns(batch, i, request.aggregates)) {
        writer.add(labels, chunks);
        if (writer.seriesCount >= request.batchSize || writer.byteLength >= FRAME_BYTES) yield writer.take();
      }
      if (--left > 0) continue;
      if (writer.seriesCount > 0) yield writer.take();
      return;
    }
  }
  if (writer.seriesCount > 0) yield writer.take();
}

/** The chunks of a series, in runs of about a frame; one run at least. */
function* chunkRuns(
  batch: SeriesBatch,
  i: number,
  aggregates: readonly number[],
): Generator<StoreAggrChunk[]> {
  let run: StoreAggrChunk[] = [];
  let bytes = 0;
  for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++) {
    if (bytes >= FRAME_BYTES) {
      yield run;
      run = [];
      bytes = 0;
    }
    run.push(storeChunk(batch, c, aggregates));
    bytes += batch.chunkDataLength[c];
  }
  yield run;
}

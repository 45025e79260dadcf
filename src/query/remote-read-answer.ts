import type { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { classicChunk } from '../chunkenc/classic-chunk.ts';
import { decodeLabels } from '../encoding/label-bytes.ts';
import { snappyCompress, snappyDecompress } from '../encoding/snappy.ts';
import { VeronaError } from '../model/errors.ts';
import {
  type ChunkedSeries,
  encodeFrame,
  encodeReadResponse,
  type ReadQuery,
  readReadRequest,
} from '../proto/remote-read.ts';
import type { TimeSeries } from '../proto/time-series.ts';
import type { Queryable } from '../storage/querier.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import type { ThreadAnswer } from './thread-protocol.ts';

const REQUEST_BYTES_MAX = 32 * 1024 * 1024;
/** Prometheus' defaults: `--storage.remote.read-sample-limit`, `--storage.remote.read-max-bytes-in-frame`. */
const SAMPLES_MAX = 50_000_000;
const FRAME_BYTES = 1024 * 1024;

/** Remote read: streamed chunks when the client takes them, samples otherwise. */
export async function answerRemoteRead(
  body: Uint8Array,
  queryable: Queryable,
  decoder: BatchDecoder,
  signal: AbortSignal,
): Promise<ThreadAnswer> {
  const request = readReadRequest(snappyDecompress(body, REQUEST_BYTES_MAX));
  if (request.acceptedResponses[0] === 'streamed_chunks')
    return streamedChunks(request.queries, queryable, signal);
  return samples(request.queries, queryable, decoder, signal);
}

function streamedChunks(
  queries: readonly ReadQuery[],
  queryable: Queryable,
  signal: AbortSignal,
): ThreadAnswer {
  const type = 'application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse';
  return {
    status: 200,
    headers: { 'content-type': type },
    parts: [],
    stream: readFrames(queries, queryable, signal),
  };
}

/** Frames of about `FRAME_BYTES`, query after query. */
async function* readFrames(
  queries: readonly ReadQuery[],
  queryable: Queryable,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const [queryIndex, query] of queries.entries()) {
    let waiting: ChunkedSeries[] = [];
    let waitingBytes = 0;
    for await (const batch of selectBatches(query, queryable, signal))
      for (let i = 0; i < batch.seriesCount; i++) {
        const series = chunkedSeries(batch, i);
        waiting.push(series);
        waitingBytes += series.chunks.reduce((sum, chunk) => sum + chunk.data.length, 0);
        if (waitingBytes < FRAME_BYTES) continue;
        yield encodeFrame({ series: waiting, queryIndex });
        waiting = [];
        waitingBytes = 0;
      }
    if (waiting.length > 0) yield encodeFrame({ series: waiting, queryIndex });
  }
}

function chunkedSeries(batch: SeriesBatch, i: number): ChunkedSeries {
  const { flat } = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
  const chunks = [];
  for (let c = batch.chunkStarts[i]; c < batch.chunkStarts[i + 1]; c++)
    chunks.push({
      mint: batch.chunkMint[c],
      maxt: batch.chunkMaxt[c],
      // A client of before start timestamps could not read the others.
      ...classicChunk({
        encoding: batch.chunkEncoding[c],
        data: batch.chunkData.subarray(
          batch.chunkDataOffset[c],
          batch.chunkDataOffset[c] + batch.chunkDataLength[c],
        ),
      }),
    });
  return { labels: flat, chunks };
}

async function samples(
  queries: readonly ReadQuery[],
  queryable: Queryable,
  decoder: BatchDecoder,
  signal: AbortSignal,
): Promise<ThreadAnswer> {
  const results: TimeSeries[][] = [];
  let count = 0;
  for (const query of queries) {
    const series: TimeSeries[] = [];
    results.push(series);
    for await (const batch of selectBatches(query, queryable, signal)) {
      decoder.open(batch);
      for (let i = 0; i < batch.seriesCount; i++) {
        const one = sampledSeries(batch, i, query, decoder);
        count += one.samples.length + one.histograms.length;
        if (count > SAMPLES_MAX) throw new VeronaError('bad_data', `exceeded sample limit (${SAMPLES_MAX})`);
        if (one.samples.length + one.histograms.length > 0) series.push(one);
      }
    }
  }
  const body = snappyCompress(encodeReadResponse(results));
  return {
    status: 200,
    headers: { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' },
    parts: [body.slice()],
  };
}

function sampledSeries(batch: SeriesBatch, i: number, query: ReadQuery, decoder: BatchDecoder): TimeSeries {
  const { flat } = decodeLabels(batch.labelBytes, batch.labelOffsets[i], batch.labelOffsets[i + 1]);
  const kind = decoder.kind(i);
  const hasHistograms = kind === 'histograms' || kind === 'mixed';
  const histograms = hasHistograms ? decoder.histograms(i, query.mint, query.maxt) : undefined;
  const floats = kind === 'histograms' ? undefined : decoder.floats(i, query.mint, query.maxt, true);
  return {
    labels: flat,
    samples: Array.from({ length: floats?.count ?? 0 }, (_, k) => ({
      t: floats!.timestamps[k],
      v: floats!.values[k],
      startT: 0,
    })),
    histograms: (histograms?.histograms ?? []).map((histogram, k) => ({
      t: histograms!.timestamps[k],
      histogram,
      startT: 0,
    })),
    exemplars: [],
  };
}

async function* selectBatches(
  query: ReadQuery,
  queryable: Queryable,
  signal: AbortSignal,
): AsyncGenerator<SeriesBatch> {
  const querier = await queryable.querier(query.mint, query.maxt);
  try {
    const { matchers, mint, maxt } = query;
    yield* querier.select({ signal }, { matchers, mint, maxt, sorted: true });
  } finally {
    await querier.close();
  }
}

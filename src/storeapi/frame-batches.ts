import { decodeChunk } from '../chunkenc/chunk.ts';
import { ChunkEncoding } from '../chunkenc/encoding.ts';
import { decodeLabels, encodeLabels, visitLabels } from '../encoding/label-bytes.ts';
import { WireReader } from '../encoding/protobuf.ts';
import { VeronaError, wrapError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import { readSeriesFrame, type StoreAggrChunk, type StoreSeries } from '../proto/store-series.ts';
import { BatchBuilder } from '../storage/batch-builder.ts';
import { compareLabelBytes } from '../storage/compare-label-bytes.ts';
import { equalBytes } from '../storage/regroup.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { canonicalLabels } from './received-labels.ts';
import { aggregatePayload } from './store-chunks.ts';

export interface FrameBatchOptions {
  /** Named in errors. */
  readonly endpoint: string;
  /** Told each warning of the peer. */
  readonly warn: (warning: string) => void;
  readonly seriesMax: number;
  readonly bytesMax: number;
  /** A label that every series must have. */
  readonly required?: { readonly name: string; readonly value: string };
  /** Every chunk is decoded here, and one that does not decode is `corrupt` with the endpoint's name. */
  readonly verifiesChunks?: boolean;
  /** Told of each frame that is not empty. */
  readonly progress?: () => void;
}

/**
 * The frames of a Series answer as batches. Frames of the same series become one series; its chunks are ordered here, and
 * equal ones dropped. Throws `corrupt` for frames that do not decode or come out of order, `limit` for too much of them.
 */
export async function* frameBatches(
  frames: AsyncIterable<Uint8Array>,
  options: FrameBatchOptions,
): AsyncGenerator<SeriesBatch> {
  const builder = new BatchBuilder();
  const { required } = options;
  const pair = required && encodeLabels(Labels.fromSorted([required.name, required.value]));
  let open: OpenSeries | undefined;
  let bytes = 0;
  let series = 0;
  for await (const frame of frames) {
    bytes += frame.length;
    if (frame.length > 0) options.progress?.();
    if (bytes > options.bytesMax)
      throw new VeronaError(
        'limit',
        `${options.endpoint}: an answer has more than ${options.bytesMax} bytes`,
      );
    for (const next of readFrame(frame, options)) {
      const labelBytes = checkedLabels(next, options);
      const order = open ? compareLabelBytes(open.labelBytes, labelBytes) : -1;
      if (order > 0)
        throw new VeronaError(
          'corrupt',
          `${options.endpoint}: series do not come in the order of their labels`,
        );
      if (order < 0) {
        if (pair && !hasPair(labelBytes, pair)) throw foreignSeries(options.endpoint, required!);
        if (open) finish(builder, open, options);
        if (builder.isFull) yield builder.take();
        if (++series > options.seriesMax)
          throw new VeronaError(
            'limit',
            `${options.endpoint}: an answer has more than ${options.seriesMax} series`,
          );
        open = { labelBytes, chunks: [] };
      }
      for (const chunk of next.chunks) open!.chunks.push(chunk);
    }
  }
  if (open) finish(builder, open, options);
  if (!builder.isEmpty) yield builder.take();
}

/** What a store has failed with that sends series that were not asked for, and are not to be shown. */
export function foreignSeries(
  endpoint: string,
  { name, value }: { readonly name: string; readonly value: string },
): VeronaError {
  const label = `${name}=${JSON.stringify(value)}`;
  return new VeronaError('corrupt', `${endpoint}: a series without ${label} came, which was asked for`);
}

/** Whether canonical label bytes hold a pair, given as the bytes of a label set of its own. */
function hasPair(labelBytes: Uint8Array, pair: Uint8Array): boolean {
  let found = false;
  let start = 0;
  visitLabels(labelBytes, 0, labelBytes.length, (_nameStart, _nameEnd, _valueStart, valueEnd) => {
    found ||= equalBytes(labelBytes.subarray(start, valueEnd), pair);
    start = valueEnd;
  });
  return found;
}

interface OpenSeries {
  readonly labelBytes: Uint8Array;
  readonly chunks: StoreAggrChunk[];
}

function readFrame(frame: Uint8Array, { endpoint, warn }: FrameBatchOptions): readonly StoreSeries[] {
  try {
    const read = readSeriesFrame(new WireReader(frame));
    if (read.kind === 'series') return read.series;
    if (read.kind === 'warning') warn(read.warning);
    return [];
  } catch (error) {
    throw wrapError(`${endpoint}: a frame does not decode`, error, 'corrupt');
  }
}

function checkedLabels({ labelBytes }: StoreSeries, { endpoint }: FrameBatchOptions): Uint8Array {
  let labels: Uint8Array;
  try {
    labels = canonicalLabels(labelBytes);
  } catch (error) {
    throw wrapError(`${endpoint}: labels of a series`, error, 'corrupt');
  }
  if (labels.length === 0) throw new VeronaError('corrupt', `${endpoint}: a series came without labels`);
  return labels;
}

function finish(
  builder: BatchBuilder,
  { labelBytes, chunks }: OpenSeries,
  { endpoint, verifiesChunks = false }: FrameBatchOptions,
): void {
  builder.addSeries(labelBytes);
  if (!isOrdered(chunks)) chunks.sort((a, b) => a.mint - b.mint || a.maxt - b.maxt);
  for (const [i, chunk] of chunks.entries())
    if (i === 0 || !isSame(chunk, chunks[i - 1]))
      try {
        addChunk(builder, chunk, verifiesChunks);
      } catch (error) {
        throw wrapError(`${endpoint}: a chunk of ${decodeLabels(labelBytes)}`, error, 'corrupt');
      }
}

function addChunk(
  builder: BatchBuilder,
  { mint, maxt, raw, aggregates }: StoreAggrChunk,
  verifies: boolean,
): void {
  if (verifies)
    for (const part of raw ? [raw] : aggregates)
      if (part) decodeChunk(part.type + 1, part.data, 0, part.data.length);
  if (!raw) {
    if (aggregates.some((part) => part !== undefined))
      builder.addChunk(mint, maxt, ChunkEncoding.aggregate, aggregatePayload(aggregates));
    return;
  }
  const encoding = raw.type + 1;
  if (encoding > ChunkEncoding.floatHistogram)
    throw new VeronaError('corrupt', `chunk encoding ${raw.type} is not one of the StoreAPI`);
  builder.addChunk(mint, maxt, encoding, raw.data);
}

function isOrdered(chunks: readonly StoreAggrChunk[]): boolean {
  for (let i = 1; i < chunks.length; i++)
    if (chunks[i - 1].mint > chunks[i].mint || chunks[i - 1].mint === chunks[i].mint) return false;
  return true;
}

function isSame(a: StoreAggrChunk, b: StoreAggrChunk): boolean {
  if (a.mint !== b.mint || a.maxt !== b.maxt || a.raw?.type !== b.raw?.type || !a.raw || !b.raw) return false;
  return a.raw.data.length === b.raw.data.length && a.raw.data.every((byte, i) => byte === b.raw!.data[i]);
}

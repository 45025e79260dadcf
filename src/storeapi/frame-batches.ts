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
import { PlainFrames } from './plain-frames.ts';
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
  const answer = new SeriesAnswer(options);
  const plain = options.verifiesChunks ? undefined : new PlainFrames();
  for await (const frame of frames) {
    answer.count(frame);
    const batch = plain?.read(frame);
    if (batch && answer.isBehind(batch)) yield* answer.addPlain(batch);
    else yield* answer.add(readFrame(frame, options));
  }
  yield* answer.end();
}

/** Puts an answer together: either a plain frame waits for what comes next, or a series does behind others in a builder. */
class SeriesAnswer {
  readonly #options: FrameBatchOptions;
  readonly #builder = new BatchBuilder();
  readonly #pair: Uint8Array | undefined;
  #plain: SeriesBatch | undefined;
  #open: OpenSeries | undefined;
  #bytes = 0;
  #series = 0;

  constructor(options: FrameBatchOptions) {
    const { required } = options;
    this.#options = options;
    this.#pair = required && encodeLabels(Labels.fromSorted([required.name, required.value]));
  }

  count(frame: Uint8Array): void {
    const { endpoint, bytesMax, progress } = this.#options;
    this.#bytes += frame.length;
    if (frame.length > 0) progress?.();
    if (this.#bytes > bytesMax)
      throw new VeronaError('limit', `${endpoint}: an answer has more than ${bytesMax} bytes`);
  }

  /** Whether a batch begins with another series than the last one so far. Throws `corrupt` when that one belongs behind it. */
  isBehind(batch: SeriesBatch): boolean {
    return this.#orderOf(labelsAt(batch, 0)) < 0;
  }

  *addPlain(batch: SeriesBatch): Generator<SeriesBatch> {
    for (let i = 0; i < batch.seriesCount; i++) this.#check(labelsAt(batch, i));
    yield* this.end();
    this.#plain = batch;
  }

  *add(series: readonly StoreSeries[]): Generator<SeriesBatch> {
    for (const next of series) {
      const labelBytes = checkedLabels(next, this.#options);
      if (this.#orderOf(labelBytes) < 0) {
        this.#check(labelBytes);
        if (this.#plain) yield* this.end();
        this.#finish();
        if (this.#builder.isFull) yield this.#builder.take();
        this.#open = { labelBytes, chunks: [] };
      } else if (this.#plain) yield* this.#reopen(this.#plain);
      for (const chunk of next.chunks) this.#open!.chunks.push(chunk);
    }
  }

  /** Everything so far. */
  *end(): Generator<SeriesBatch> {
    this.#finish();
    if (!this.#builder.isEmpty) yield this.#builder.take();
    if (this.#plain) yield this.#plain;
    this.#plain = undefined;
  }

  /** The last series of a plain frame goes on: it waits in memory of its own, the others are complete. */
  *#reopen(plain: SeriesBatch): Generator<SeriesBatch> {
    this.#open = lastSeries(plain);
    this.#plain = undefined;
    if (plain.seriesCount > 1) yield withoutLast(plain);
  }

  #finish(): void {
    if (this.#open) finish(this.#builder, this.#open, this.#options);
    this.#open = undefined;
  }

  /** How the last series so far lies beside another one: < 0 before it, 0 the same. Throws `corrupt` when it belongs behind it. */
  #orderOf(labelBytes: Uint8Array): number {
    const plain = this.#plain;
    const last = plain ? labelsAt(plain, plain.seriesCount - 1) : this.#open?.labelBytes;
    const order = last ? compareLabelBytes(last, labelBytes) : -1;
    if (order <= 0) return order;
    const { endpoint } = this.#options;
    throw new VeronaError('corrupt', `${endpoint}: series do not come in the order of their labels`);
  }

  /** Counts a series that was not there before, and looks whether it may be. */
  #check(labelBytes: Uint8Array): void {
    const { endpoint, required, seriesMax } = this.#options;
    if (this.#pair && !hasPair(labelBytes, this.#pair)) throw foreignSeries(endpoint, required!);
    if (++this.#series > seriesMax)
      throw new VeronaError('limit', `${endpoint}: an answer has more than ${seriesMax} series`);
  }
}

function labelsAt({ labelBytes, labelOffsets }: SeriesBatch, i: number): Uint8Array {
  return labelBytes.subarray(labelOffsets[i], labelOffsets[i + 1]);
}

function lastSeries(batch: SeriesBatch): OpenSeries {
  const { seriesCount, chunkStarts, chunkMint, chunkMaxt, chunkEncoding } = batch;
  const chunks: StoreAggrChunk[] = [];
  for (let c = chunkStarts[seriesCount - 1]; c < chunkStarts[seriesCount]; c++) {
    const start = batch.chunkDataOffset[c];
    const data = new Uint8Array(batch.chunkData.subarray(start, start + batch.chunkDataLength[c]));
    const raw = { type: chunkEncoding[c] - 1, data };
    chunks.push({ mint: chunkMint[c], maxt: chunkMaxt[c], raw, aggregates: [] });
  }
  return { labelBytes: labelsAt(batch, seriesCount - 1).slice(), chunks };
}

function withoutLast(batch: SeriesBatch): SeriesBatch {
  const seriesCount = batch.seriesCount - 1;
  const chunks = batch.chunkStarts[seriesCount];
  return {
    ...batch,
    seriesCount,
    labelBytes: batch.labelBytes.slice(0, batch.labelOffsets[seriesCount]),
    labelOffsets: batch.labelOffsets.slice(0, seriesCount + 1),
    chunkStarts: batch.chunkStarts.slice(0, seriesCount + 1),
    chunkMint: batch.chunkMint.slice(0, chunks),
    chunkMaxt: batch.chunkMaxt.slice(0, chunks),
    chunkEncoding: batch.chunkEncoding.slice(0, chunks),
    chunkDataOffset: batch.chunkDataOffset.slice(0, chunks),
    chunkDataLength: batch.chunkDataLength.slice(0, chunks),
  };
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

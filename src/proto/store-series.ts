import { WireError, type WireReader, WireType } from '../encoding/protobuf.ts';
import { putBigUvarint, putUvarint, uvarintSize } from '../encoding/varint.ts';

/**
 * The hot half of Thanos' StoreAPI (`thanos/store.proto`): series on their way, written and read over buffers.
 *
 *   SeriesResponse  1 series | 2 warning string | 3 hints Any | 4 batch
 *   SeriesBatch     1 series…
 *   Series          1 labels… (Label: 1 name, 2 value), 2 chunks…
 *   AggrChunk       1 min_time, 2 max_time, ms inclusive; 3 raw | 4 count, 5 sum, 6 min, 7 max, 8 counter
 *   Chunk           1 type enum (Prometheus' encoding byte less one), 2 data, 3 hash
 *
 * The labels of a Series are the canonical label bytes of `encoding/label-bytes.ts` as they stand.
 */
export const AGGREGATES = ['count', 'sum', 'min', 'max', 'counter'] as const;

/** A chunk's payload and its encoding as StoreAPI numbers it (XOR 0, histogram 1, float histogram 2). */
export interface StoreChunk {
  readonly type: number;
  readonly data: Uint8Array;
}

/** A chunk with raw samples, or with the aggregates that the server was asked for, in the order of `AGGREGATES`. */
export interface StoreAggrChunk {
  /** ms, both inclusive. */
  readonly mint: number;
  readonly maxt: number;
  readonly raw: StoreChunk | undefined;
  readonly aggregates: readonly (StoreChunk | undefined)[];
}

/** What one frame of a stream holds. All bytes are views into the frame. */
export type StoreFrame =
  | { readonly kind: 'series'; readonly series: readonly StoreSeries[] }
  | { readonly kind: 'warning'; readonly warning: string }
  | { readonly kind: 'other' };

export interface StoreSeries {
  /** The repeated field 1 as sent, tags included: canonical label bytes when the sender keeps the rules. */
  readonly labelBytes: Uint8Array;
  readonly chunks: readonly StoreAggrChunk[];
}

const SERIES = 1;
const WARNING = 2;
const BATCH = 4;
const FIRST_AGGREGATE = 4;

/** Reads one SeriesResponse. Throws `WireError`. */
export function readSeriesFrame(reader: WireReader): StoreFrame {
  const series: StoreSeries[] = [];
  let frame: StoreFrame = { kind: 'other' };
  while (reader.next()) {
    if (reader.field === SERIES) series.push(readSeries(reader.message()));
    else if (reader.field === WARNING) frame = { kind: 'warning', warning: reader.string() };
    else if (reader.field === BATCH) {
      const batch = reader.message();
      while (batch.next()) if (batch.field === SERIES) series.push(readSeries(batch.message()));
    }
  }
  return series.length > 0 ? { kind: 'series', series } : frame;
}

function readSeries(reader: WireReader): StoreSeries {
  const labels = new LabelRuns(reader.bytes);
  const chunks: StoreAggrChunk[] = [];
  while (reader.next()) {
    if (reader.field === 1) {
      reader.expect(WireType.bytes);
      labels.add(reader.tagStart, reader.valueEnd);
    } else if (reader.field === 2) chunks.push(readAggrChunk(reader.message()));
  }
  return { labelBytes: labels.bytes(), chunks };
}

/** Fields that follow each other are one view; others are copied together. */
class LabelRuns {
  readonly #bytes: Uint8Array;
  readonly #runs: [number, number][] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  add(start: number, end: number): void {
    const last = this.#runs.at(-1);
    if (last?.[1] === start) last[1] = end;
    else this.#runs.push([start, end]);
  }

  bytes(): Uint8Array {
    const views = this.#runs.map(([start, end]) => this.#bytes.subarray(start, end));
    if (views.length === 1) return views[0];
    const joined = new Uint8Array(views.reduce((sum, view) => sum + view.length, 0));
    let at = 0;
    for (const view of views) {
      joined.set(view, at);
      at += view.length;
    }
    return joined;
  }
}

function readAggrChunk(reader: WireReader): StoreAggrChunk {
  let mint = 0;
  let maxt = 0;
  let raw: StoreChunk | undefined;
  const aggregates: (StoreChunk | undefined)[] = new Array(AGGREGATES.length).fill(undefined);
  while (reader.next()) {
    if (reader.field === 1) mint = reader.int();
    else if (reader.field === 2) maxt = reader.int();
    else if (reader.field === 3) raw = readChunk(reader.message());
    else if (reader.field >= FIRST_AGGREGATE && reader.field < FIRST_AGGREGATE + AGGREGATES.length)
      aggregates[reader.field - FIRST_AGGREGATE] = readChunk(reader.message());
  }
  if (mint > maxt) throw new WireError('chunk that ends before it begins', reader.tagStart);
  return { mint, maxt, raw, aggregates };
}

function readChunk(reader: WireReader): StoreChunk {
  let type = 0;
  let data = reader.bytes.subarray(reader.end, reader.end);
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint();
    else if (reader.field === 2) data = reader.view();
  }
  return { type, data };
}

const GROWTH = 64 * 1024;

/** Collects series into the next frame. Sizes are known before anything is written, so every byte is copied once. */
export class SeriesFrameWriter {
  #bytes = new Uint8Array(GROWTH);
  #at = 0;
  #series = 0;

  get seriesCount(): number {
    return this.#series;
  }

  /** Bytes of the series collected, without the frame around them. */
  get byteLength(): number {
    return this.#at;
  }

  /** Adds one Series. `labelBytes` are canonical. */
  add(labelBytes: Uint8Array, chunks: readonly StoreAggrChunk[]): void {
    const sizes = chunks.map(aggrChunkSize);
    const size = sizes.reduce((sum, inner) => sum + fieldSize(inner), labelBytes.length);
    this.#reserve(fieldSize(size));
    this.#head(SERIES, size);
    this.#put(labelBytes);
    for (const [i, chunk] of chunks.entries()) {
      this.#head(2, sizes[i]);
      this.#aggrChunk(chunk);
    }
    this.#series++;
  }

  /**
   * The frame so far, a fresh array: a SeriesResponse with a `series` when there is one, else with a `batch`. The writer
   * is empty afterwards.
   */
  take(): Uint8Array {
    const body = this.#bytes.subarray(0, this.#at);
    const frame = this.#series === 1 ? body.slice() : asBatch(body);
    this.#at = 0;
    this.#series = 0;
    return frame;
  }

  #aggrChunk({ mint, maxt, raw, aggregates }: StoreAggrChunk): void {
    this.#int(1, mint);
    this.#int(2, maxt);
    if (raw) this.#chunk(3, raw);
    for (const [i, chunk] of aggregates.entries()) if (chunk) this.#chunk(FIRST_AGGREGATE + i, chunk);
  }

  #chunk(field: number, chunk: StoreChunk): void {
    this.#head(field, chunkSize(chunk));
    if (chunk.type !== 0) this.#int(1, chunk.type);
    this.#head(2, chunk.data.length);
    this.#put(chunk.data);
  }

  #head(field: number, size: number): void {
    this.#bytes[this.#at++] = field * 8 + WireType.bytes;
    this.#at = putUvarint(this.#bytes, this.#at, size);
  }

  #int(field: number, value: number): void {
    this.#bytes[this.#at++] = field * 8 + WireType.varint;
    this.#at =
      value >= 0
        ? putUvarint(this.#bytes, this.#at, value)
        : putBigUvarint(this.#bytes, this.#at, BigInt.asUintN(64, BigInt(value)));
  }

  #put(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  #reserve(size: number): void {
    if (this.#at + size <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.#bytes.length, this.#at + size + GROWTH));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** A SeriesResponse with a warning. A fresh array. */
export function warningFrame(warning: string): Uint8Array {
  const text = new TextEncoder().encode(warning);
  const frame = new Uint8Array(fieldSize(text.length));
  frame[0] = WARNING * 8 + WireType.bytes;
  frame.set(text, putUvarint(frame, 1, text.length));
  return frame;
}

function asBatch(series: Uint8Array): Uint8Array {
  const frame = new Uint8Array(fieldSize(series.length));
  frame[0] = BATCH * 8 + WireType.bytes;
  frame.set(series, putUvarint(frame, 1, series.length));
  return frame;
}

/** A length-delimited field with a number below 16. */
function fieldSize(size: number): number {
  return 1 + uvarintSize(size) + size;
}

function aggrChunkSize({ mint, maxt, raw, aggregates }: StoreAggrChunk): number {
  let size = 2 + intSize(mint) + intSize(maxt);
  if (raw) size += fieldSize(chunkSize(raw));
  for (const chunk of aggregates) if (chunk) size += fieldSize(chunkSize(chunk));
  return size;
}

function chunkSize({ type, data }: StoreChunk): number {
  return (type === 0 ? 0 : 1 + uvarintSize(type)) + fieldSize(data.length);
}

function intSize(value: number): number {
  return value >= 0 ? uvarintSize(value) : 10;
}

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
const NO_AGGREGATES: readonly undefined[] = AGGREGATES.map(() => undefined);

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
    } else if (reader.field === 2) {
      reader.expect(WireType.bytes);
      const plain = readPlainChunk(reader.bytes, reader.valueStart, reader.valueEnd);
      chunks.push(plain ?? readAggrChunk(reader.message()));
    }
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

/** Sizes below 2²¹ and times of at most seven bytes: nearly all chunks. */
const SIZE_BYTES = 3;
const TIME_BYTES = 7;

/**
 * The chunk in bytes[start … end) when it is as everybody writes it: both times, then a raw chunk with data at its end;
 * undefined for whatever else, which the readers of fields then look at. Without it half of reading is objects for fields.
 *
 *   08 min_time 10 max_time 1a size { [08 type] 12 size data }
 */
function readPlainChunk(bytes: Uint8Array, start: number, end: number): StoreAggrChunk | undefined {
  const afterMint = varintEnd(bytes, start, 0x08, TIME_BYTES);
  const afterMaxt = varintEnd(bytes, afterMint, 0x10, TIME_BYTES);
  const afterRawSize = varintEnd(bytes, afterMaxt, 0x1a, SIZE_BYTES);
  if (afterRawSize < 0 || afterRawSize + varintAt(bytes, afterMaxt + 1, afterRawSize) !== end)
    return undefined;
  const afterType = bytes[afterRawSize] === 0x08 ? varintEnd(bytes, afterRawSize, 0x08, 1) : afterRawSize;
  const afterSize = varintEnd(bytes, afterType, 0x12, SIZE_BYTES);
  if (afterSize < 0 || afterSize + varintAt(bytes, afterType + 1, afterSize) !== end) return undefined;
  const mint = varintAt(bytes, start + 1, afterMint);
  const maxt = varintAt(bytes, afterMint + 1, afterMaxt);
  if (mint > maxt) return undefined;
  const type = afterType === afterRawSize ? 0 : bytes[afterRawSize + 1];
  return { mint, maxt, raw: { type, data: bytes.subarray(afterSize, end) }, aggregates: NO_AGGREGATES };
}

/** Where the varint of at most `sizeMax` bytes behind this tag ends; -1 when there is none at `at`, or `at` is -1. */
function varintEnd(bytes: Uint8Array, at: number, tag: number, sizeMax: number): number {
  if (at < 0 || bytes[at] !== tag) return -1;
  for (let i = at + 1; i <= at + sizeMax; i++) if (bytes[i] < 128) return i + 1;
  return -1;
}

function varintAt(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = end - 1; i >= start; i--) value = value * 128 + (bytes[i] & 127);
  return value;
}

function readAggrChunk(reader: WireReader): StoreAggrChunk {
  let mint = 0;
  let maxt = 0;
  let raw: StoreChunk | undefined;
  let aggregates: (StoreChunk | undefined)[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) mint = reader.int();
    else if (reader.field === 2) maxt = reader.int();
    else if (reader.field === 3) raw = readChunk(reader.message());
    else if (reader.field >= FIRST_AGGREGATE && reader.field < FIRST_AGGREGATE + AGGREGATES.length)
      (aggregates ??= [...NO_AGGREGATES])[reader.field - FIRST_AGGREGATE] = readChunk(reader.message());
  }
  if (mint > maxt) throw new WireError('chunk that ends before it begins', reader.tagStart);
  return { mint, maxt, raw, aggregates: aggregates ?? NO_AGGREGATES };
}

function readChunk(reader: WireReader): StoreChunk {
  let type = 0;
  let data: Uint8Array | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint();
    else if (reader.field === 2) data = reader.view();
  }
  return { type, data: data ?? reader.bytes.subarray(reader.end, reader.end) };
}

/** Chunks of series as columns, as `storage/series-batch.ts` has them: Prometheus' encoding bytes, data in one array. */
export interface ChunkColumns {
  readonly chunkMint: Float64Array;
  readonly chunkMaxt: Float64Array;
  readonly chunkEncoding: Uint8Array;
  readonly chunkDataOffset: Uint32Array;
  readonly chunkDataLength: Uint32Array;
  readonly chunkData: Uint8Array;
}

const GROWTH = 64 * 1024;

/** Left free before the series for the head of a batch: a tag and a size below 2³⁵. */
const HEAD_ROOM = 6;

/** Collects series into the next frame. Sizes are known before anything is written, so every byte is copied once. */
export class SeriesFrameWriter {
  #bytes = unfilled(GROWTH);
  #at = HEAD_ROOM;
  #series = 0;

  get seriesCount(): number {
    return this.#series;
  }

  /** Bytes of the series collected, without the frame around them. */
  get byteLength(): number {
    return this.#at - HEAD_ROOM;
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

  /** Adds one Series with the raw chunks `from … to` of some columns; their encodings are among those of the StoreAPI. */
  addRaw(labelBytes: Uint8Array, columns: ChunkColumns, from: number, to: number): void {
    const { chunkMint, chunkMaxt, chunkEncoding, chunkData, chunkDataOffset, chunkDataLength } = columns;
    let size = labelBytes.length;
    for (let c = from; c < to; c++) size += fieldSize(rawSize(columns, c));
    this.#reserve(fieldSize(size));
    this.#head(SERIES, size);
    this.#put(labelBytes);
    for (let c = from; c < to; c++) {
      const type = chunkEncoding[c] - 1;
      const length = chunkDataLength[c];
      this.#head(2, rawSize(columns, c));
      this.#int(1, chunkMint[c]);
      this.#int(2, chunkMaxt[c]);
      this.#head(3, rawChunkSize(type, length));
      if (type !== 0) this.#int(1, type);
      this.#head(2, length);
      this.#put(chunkData.subarray(chunkDataOffset[c], chunkDataOffset[c] + length));
    }
    this.#series++;
  }

  /**
   * The frame so far in memory of its own (a part of its buffer): a SeriesResponse with a `series` when there is one, else
   * with a `batch`. The writer is empty afterwards.
   */
  take(): Uint8Array {
    const size = this.byteLength;
    const start = this.#series === 1 ? HEAD_ROOM : this.#batchHead(size);
    const frame = this.#bytes.subarray(start, this.#at);
    this.#bytes = unfilled(HEAD_ROOM + size + GROWTH);
    this.#at = HEAD_ROOM;
    this.#series = 0;
    return frame;
  }

  /** Writes the head that makes a batch of the series before them; where it begins. */
  #batchHead(size: number): number {
    const start = HEAD_ROOM - 1 - uvarintSize(size);
    this.#bytes[start] = BATCH * 8 + WireType.bytes;
    putUvarint(this.#bytes, start + 1, size);
    return start;
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
    const larger = unfilled(Math.max(2 * this.#bytes.length, this.#at + size + GROWTH));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

/** Memory of its own that is not made zero first: every byte of it is written before it is read. */
function unfilled(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer as ArrayBuffer);
}

/** A SeriesResponse with a warning. A fresh array. */
export function warningFrame(warning: string): Uint8Array {
  const text = new TextEncoder().encode(warning);
  const frame = new Uint8Array(fieldSize(text.length));
  frame[0] = WARNING * 8 + WireType.bytes;
  frame.set(text, putUvarint(frame, 1, text.length));
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
  return rawChunkSize(type, data.length);
}

function rawChunkSize(type: number, length: number): number {
  return (type === 0 ? 0 : 1 + uvarintSize(type)) + fieldSize(length);
}

/** Of an AggrChunk with a raw chunk. */
function rawSize({ chunkMint, chunkMaxt, chunkEncoding, chunkDataLength }: ChunkColumns, c: number): number {
  const chunk = rawChunkSize(chunkEncoding[c] - 1, chunkDataLength[c]);
  return 2 + intSize(chunkMint[c]) + intSize(chunkMaxt[c]) + fieldSize(chunk);
}

function intSize(value: number): number {
  return value >= 0 ? uvarintSize(value) : 10;
}

import { compareLabelBytes } from '../storage/compare-label-bytes.ts';
import type { SeriesBatch } from '../storage/series-batch.ts';
import { canonicalLabels } from './received-labels.ts';

/**
 * Frames as nearly everybody sends them are batches already, but for the columns that say what lies where: chunk data stay
 * where they came. Plain is a frame that is one series or one batch of series and nothing else, each with canonical labels
 * in the order of labels, then raw chunks one after the other in time:
 *
 *   frame   0a size series | 22 size { 0a size series }…
 *   series  { 0a size label }… { 12 size chunk }…
 *   chunk   08 min_time 10 max_time 1a size { [08 type] 12 size data }
 *
 * Everything else is for the reader of fields (`proto/store-series.ts`), which costs an object or three for each chunk.
 */

/** Smaller frames are not worth a batch of their own. */
const FRAME_MIN = 32 * 1024;
/** Sizes below 2²⁸ and times of at most seven bytes. */
const SIZE_BYTES = 4;
const TIME_BYTES = 7;
/** XOR, histogram, float histogram. */
const TYPE_MAX = 2;

/** Reads plain frames. One serves one stream: its columns are used again for the next frame. */
export class PlainFrames {
  readonly #series = new Columns(1);
  readonly #chunks = new Columns(5);
  readonly #sizeMin: number;
  #at = 0;
  #isPlain = true;

  constructor(sizeMin = FRAME_MIN) {
    this.#sizeMin = sizeMin;
  }

  /** A batch whose chunk data are the frame itself, which is not read by anybody else then; undefined when it is not plain. */
  read(frame: Uint8Array): SeriesBatch | undefined {
    if (frame.length < this.#sizeMin) return undefined;
    this.#series.clear();
    this.#chunks.clear();
    this.#at = 0;
    this.#isPlain = true;
    const labels: Uint8Array[] = [];
    const isBatch = frame[0] === 0x22;
    if (isBatch && this.#size(frame, 0x22, frame.length) !== frame.length) return undefined;
    do {
      const end = this.#size(frame, 0x0a, frame.length);
      const labelBytes = this.#isPlain ? this.#readSeries(frame, end) : undefined;
      if (labelBytes === undefined) return undefined;
      const last = labels.at(-1);
      if (last !== undefined && compareLabelBytes(last, labelBytes) >= 0) return undefined;
      labels.push(labelBytes);
    } while (isBatch && this.#at < frame.length);
    return this.#at === frame.length ? this.#batch(frame, labels) : undefined;
  }

  /** Labels of the series that ends at `end`; its chunks go to the columns. */
  #readSeries(frame: Uint8Array, end: number): Uint8Array | undefined {
    const start = this.#at;
    while (this.#at < end && frame[this.#at] === 0x0a) {
      this.#at = this.#size(frame, 0x0a, end);
      if (!this.#isPlain) return undefined;
    }
    const sent = frame.subarray(start, this.#at);
    if (sent.length === 0 || !isCanonical(sent)) return undefined;
    this.#series.push(this.#chunks.count);
    let lastMint = Number.NEGATIVE_INFINITY;
    while (this.#at < end) {
      const mint = this.#readChunk(frame, this.#size(frame, 0x12, end));
      if (!this.#isPlain || mint <= lastMint) return undefined;
      lastMint = mint;
    }
    return sent;
  }

  /** First time of the chunk that ends at `end`. */
  #readChunk(frame: Uint8Array, end: number): number {
    const mint = this.#varint(frame, 0x08, TIME_BYTES, end);
    const maxt = this.#varint(frame, 0x10, TIME_BYTES, end);
    if (this.#size(frame, 0x1a, end) !== end) this.#isPlain = false;
    const type = frame[this.#at] === 0x08 ? this.#varint(frame, 0x08, 1, end) : 0;
    if (this.#size(frame, 0x12, end) !== end || mint > maxt || type > TYPE_MAX) this.#isPlain = false;
    this.#chunks.push(mint, maxt, type + 1, this.#at, end - this.#at);
    this.#at = end;
    return mint;
  }

  /** Where the field with this tag and a length ends, within `end`; `at` stands behind the length. */
  #size(frame: Uint8Array, tag: number, end: number): number {
    const size = this.#varint(frame, tag, SIZE_BYTES, end);
    if (size > end - this.#at) this.#isPlain = false;
    return this.#at + size;
  }

  /** The varint behind this tag, of `sizeMax` bytes at most. */
  #varint(frame: Uint8Array, tag: number, sizeMax: number, end: number): number {
    if (frame[this.#at] !== tag) this.#isPlain = false;
    let at = this.#at + 1;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < sizeMax && at < end; i++) {
      const byte = frame[at++];
      value += (byte & 127) * scale;
      if (byte < 128) {
        this.#at = at;
        return value;
      }
      scale *= 128;
    }
    this.#isPlain = false;
    return 0;
  }

  #batch(frame: Uint8Array, labels: readonly Uint8Array[]): SeriesBatch {
    const labelOffsets = new Uint32Array(labels.length + 1);
    for (const [i, one] of labels.entries()) labelOffsets[i + 1] = labelOffsets[i] + one.length;
    const labelBytes = new Uint8Array(labelOffsets[labels.length]);
    for (const [i, one] of labels.entries()) labelBytes.set(one, labelOffsets[i]);
    const chunks = this.#chunks;
    this.#series.push(chunks.count);
    return {
      seriesCount: labels.length,
      labelBytes,
      labelOffsets,
      chunkStarts: Uint32Array.from(this.#series.column(0)),
      chunkMint: chunks.column(0).slice(),
      chunkMaxt: chunks.column(1).slice(),
      chunkEncoding: Uint8Array.from(chunks.column(2)),
      chunkDataOffset: Uint32Array.from(chunks.column(3)),
      chunkDataLength: Uint32Array.from(chunks.column(4)),
      chunkData: new Uint8Array(frame.buffer, frame.byteOffset, frame.length),
    };
  }
}

/** Rows of numbers that grow, each column one after the other in memory. */
class Columns {
  readonly #width: number;
  #capacity = 1024;
  #values: Float64Array;
  count = 0;

  constructor(width: number) {
    this.#width = width;
    this.#values = new Float64Array(width * this.#capacity);
  }

  clear(): void {
    this.count = 0;
  }

  push(a: number, b = 0, c = 0, d = 0, e = 0): void {
    if (this.count === this.#capacity) this.#grow();
    const values = this.#values;
    const capacity = this.#capacity;
    let at = this.count++;
    values[at] = a;
    if (this.#width === 1) return;
    values[(at += capacity)] = b;
    values[(at += capacity)] = c;
    values[(at += capacity)] = d;
    values[at + capacity] = e;
  }

  /** A view, valid until the next row. */
  column(i: number): Float64Array {
    return this.#values.subarray(i * this.#capacity, i * this.#capacity + this.count);
  }

  #grow(): void {
    const larger = new Float64Array(2 * this.#values.length);
    for (let i = 0; i < this.#width; i++) larger.set(this.column(i), 2 * i * this.#capacity);
    this.#values = larger;
    this.#capacity *= 2;
  }
}

function isCanonical(labelBytes: Uint8Array): boolean {
  try {
    return canonicalLabels(labelBytes) === labelBytes;
  } catch {
    return false;
  }
}

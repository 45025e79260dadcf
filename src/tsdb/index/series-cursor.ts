import { VeronaError, wrapError } from '../../model/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';
import { type IndexToc, readChecked, SERIES_ALIGN } from './index-format.ts';
import { compareRanks } from './index-writer.ts';
import type { IndexBytes } from './sampled-section.ts';

/** A series entry is normally shorter. */
const LENGTH_BYTES_MAX = 10;

/** Stands on one series after the other. Columns are valid until the next call of `next`. */
export interface SeriesWalk {
  /** The series' number in postings and tombstones: offset / 16. */
  readonly ref: number;
  readonly labelCount: number;
  /** Name, value, name, value … */
  readonly labels: Uint32Array;
  readonly chunkCount: number;
  /** ms, inclusive. */
  readonly mint: Float64Array;
  readonly maxt: Float64Array;
  readonly chunkRef: Float64Array;
  /** Bytes of the section passed so far, and in all. */
  readonly progress: readonly [done: number, all: number];
  /** To the next series; false at the end. */
  next(): boolean;
}

/**
 * Walks over the series section of an index from front to back, without postings. Labels are given as ranks of merged
 * symbols, so that comparing label sets of several indexes compares numbers. Chunks are given as they are written: they
 * may overlap or be out of order. Throws `corrupt` for checksums, unknown symbols, and series or labels out of order, twice
 * the same included; with `anyOrder` the order is not looked at.
 */
export class SeriesCursor implements SeriesWalk {
  ref = 0;
  labelCount = 0;
  labels = new Uint32Array(64);
  chunkCount = 0;
  mint = new Float64Array(64);
  maxt = new Float64Array(64);
  chunkRef = new Float64Array(64);
  readonly #file: IndexBytes;
  readonly #ranks: Uint32Array;
  readonly #end: number;
  #at: number;
  #before = new Uint32Array(64);
  #beforeLength = 0;

  readonly #anyOrder: boolean;

  /** `ranks`: rank by symbol ref of this index. */
  constructor(file: IndexBytes, toc: IndexToc, ranks: Uint32Array, { anyOrder = false } = {}) {
    this.#file = file;
    this.#ranks = ranks;
    this.#anyOrder = anyOrder;
    this.#at = toc.series;
    this.#end = endOfSeries(toc);
  }

  get progress(): readonly [done: number, all: number] {
    return [this.#at, this.#end];
  }

  /** Stands on the series `ref`, which `next` has passed before. Only with `anyOrder`. */
  seek(ref: number): void {
    this.#at = ref * SERIES_ALIGN;
    this.next();
  }

  next(): boolean {
    const at = Math.ceil(this.#at / SERIES_ALIGN) * SERIES_ALIGN;
    if (at >= this.#end) return false;
    const head = new ByteReader(this.#file.read(at, Math.min(LENGTH_BYTES_MAX, this.#end - at)));
    const length = head.uvarint();
    // Zeros that pad the section to the next one.
    if (length === 0) return this.#endAt(at);
    if (at + head.at + length + 4 > this.#end)
      throw new VeronaError('corrupt', `${this.#file.path}: series at ${at} leaves its section`);
    this.ref = at / SERIES_ALIGN;
    try {
      this.#decode(readChecked(this.#file, at + head.at, length, 'series'));
    } catch (error) {
      throw wrapError(`${this.#file.path}: series at ${at}`, error);
    }
    this.#at = at + head.at + length + 4;
    return true;
  }

  #endAt(at: number): boolean {
    const rest = this.#file.read(at, this.#end - at);
    if (this.#end - at > SERIES_ALIGN || rest.some((byte) => byte !== 0))
      throw new VeronaError('corrupt', `${this.#file.path}: no series at ${at}`);
    this.#at = this.#end;
    return false;
  }

  #decode(content: Uint8Array): void {
    const reader = new ByteReader(content);
    this.#keepLabels();
    this.#decodeLabels(reader);
    this.#decodeChunks(reader);
    if (this.#anyOrder || this.#beforeLength === 0) return;
    const order = compareRanks(this.#before, this.#beforeLength, this.labels, 2 * this.labelCount);
    if (order >= 0)
      throw new VeronaError(
        'corrupt',
        order === 0
          ? 'the same labels as the series before'
          : 'labels sort before those of the series before',
      );
  }

  #keepLabels(): void {
    [this.#before, this.labels] = [this.labels, this.#before];
    this.#beforeLength = 2 * this.labelCount;
  }

  #decodeLabels(reader: ByteReader): void {
    this.labelCount = reader.length();
    if (this.labelCount === 0) throw new VeronaError('corrupt', 'no labels');
    if (2 * this.labelCount > this.labels.length) this.labels = new Uint32Array(4 * this.labelCount);
    for (let i = 0; i < 2 * this.labelCount; i++) {
      const symbol = reader.uvarint();
      if (symbol >= this.#ranks.length) throw new VeronaError('corrupt', `unknown symbol ${symbol}`);
      this.labels[i] = this.#ranks[symbol];
      if (!this.#anyOrder && i >= 2 && i % 2 === 0 && this.labels[i] <= this.labels[i - 2])
        throw new VeronaError('corrupt', 'label names are out of order');
    }
  }

  #decodeChunks(reader: ByteReader): void {
    const count = reader.length();
    if (count > this.mint.length) {
      this.mint = new Float64Array(2 * count);
      this.maxt = new Float64Array(2 * count);
      this.chunkRef = new Float64Array(2 * count);
    }
    this.chunkCount = count;
    let lastMaxt = 0;
    let lastRef = 0;
    for (let i = 0; i < count; i++) {
      const mint = i === 0 ? reader.varint() : lastMaxt + reader.wrappedUvarint();
      lastMaxt = mint + reader.wrappedUvarint();
      lastRef += i === 0 ? reader.uvarint() : reader.varint();
      if (lastRef < 0) throw new VeronaError('corrupt', `negative chunk ref at ${reader.at}`);
      if (lastMaxt < mint) throw new VeronaError('corrupt', `chunk from ${mint} to ${lastMaxt}`);
      this.mint[i] = mint;
      this.maxt[i] = lastMaxt;
      this.chunkRef[i] = lastRef;
    }
  }
}

/** The section that begins next after the series. */
function endOfSeries({ series, ...others }: IndexToc): number {
  return Math.min(...Object.values(others).filter((start) => start > series));
}

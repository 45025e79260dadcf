import { crc32c } from '../../encoding/crc32c.ts';
import { VeronaError } from '../../model/errors.ts';
import { ByteReader } from '../format/byte-reader.ts';
import type { RankedSymbols } from './index-writer.ts';
import type { IndexBytes } from './sampled-section.ts';

/**
 * The symbols of several indexes as one ordered list. Merged from front to back, so that of each source only a piece is in
 * memory; what stays is the bytes of the merged symbols and 4 bytes per symbol of each source.
 */
export class MergedSymbols implements RankedSymbols {
  readonly #arena = new SymbolArena();
  /** By source: symbol ref of the source → rank. */
  readonly ranks: readonly Uint32Array[];

  /** Reads the symbol sections at `offsets` of `files`. Throws `corrupt` for a section that is damaged or out of order. */
  constructor(files: readonly IndexBytes[], offsets: readonly number[]) {
    const cursors = files.map((file, i) => new SymbolCursor(file, offsets[i]));
    this.ranks = cursors.map(({ count }) => new Uint32Array(count));
    const least: number[] = [];
    for (;;) {
      findLeast(cursors, least);
      if (least.length === 0) break;
      const { bytes, start, end } = cursors[least[0]];
      const rank = this.#arena.push(bytes, start, end);
      for (const i of least) {
        this.ranks[i][cursors[i].ref] = rank;
        cursors[i].next();
      }
    }
  }

  get count(): number {
    return this.#arena.count;
  }

  bytesOf(rank: number): Uint8Array {
    return this.#arena.bytesOf(rank);
  }
}

/** The numbers of those that stand on the least symbol go into `out`. */
function findLeast(cursors: readonly SymbolCursor[], out: number[]): void {
  out.length = 0;
  for (let i = 0; i < cursors.length; i++) {
    if (cursors[i].isDone) continue;
    const order = out.length === 0 ? 0 : compareSymbols(cursors[i], cursors[out[0]]);
    if (order < 0) out.length = 0;
    if (order <= 0) out.push(i);
  }
}

/** bytes[start … end), which is short. */
interface SymbolBytes {
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
}

function compareSymbols(a: SymbolBytes, b: SymbolBytes): number {
  const length = Math.min(a.end - a.start, b.end - b.start);
  for (let i = 0; i < length; i++) {
    const order = a.bytes[a.start + i] - b.bytes[b.start + i];
    if (order !== 0) return order;
  }
  return a.end - a.start - (b.end - b.start);
}

const PIECE_BYTES = 64 * 1024;
const VARINT_SCALE_MAX = 2 ** 35;

/**
 * Stands on one symbol of a section after the other: length 4B, count 4B, ( length uvarint, bytes )…, CRC32C. The symbol is
 * bytes[start … end) until the next call of `next`.
 */
class SymbolCursor implements SymbolBytes {
  readonly count: number;
  /** Number of the current symbol. */
  ref = -1;
  bytes = new Uint8Array(PIECE_BYTES);
  start = 0;
  end = 0;
  readonly #file: IndexBytes;
  readonly #sectionEnd: number;
  /** Where the piece in `bytes` begins in the file, how long it is, and where in it the next symbol begins. */
  #at: number;
  #length = 0;
  #next = 0;
  #sum: number;

  constructor(file: IndexBytes, offset: number) {
    this.#file = file;
    const head = new ByteReader(file.read(offset, 8).slice());
    if (head.left < 8) throw new VeronaError('corrupt', `${file.path}: symbols cut off at ${offset}`);
    this.#sectionEnd = offset + 4 + head.be32();
    this.count = head.be32();
    if (this.#sectionEnd + 4 > file.sizeBytes || this.count > this.#sectionEnd - offset)
      throw new VeronaError('corrupt', `${file.path}: symbols at ${offset} leave the file`);
    this.#sum = crc32c(head.bytes, 4, 8);
    this.#at = offset + 8;
    this.next();
  }

  get isDone(): boolean {
    return this.ref >= this.count;
  }

  next(): void {
    if (++this.ref >= this.count) {
      this.#finish();
      return;
    }
    let before: SymbolBytes | undefined;
    let [start, end] = [this.start, this.end];
    while (!this.#read()) {
      before ??= { bytes: this.bytes.slice(start, end), start: 0, end: end - start };
      this.#move();
    }
    if (this.ref === 0) return;
    if (before) [start, end] = [before.start, before.end];
    if (compareSymbols({ bytes: before?.bytes ?? this.bytes, start, end }, this) >= 0)
      throw new VeronaError('corrupt', `${this.#file.path}: symbol ${this.ref} is out of order`);
  }

  /** False when the piece ends before the symbol does. */
  #read(): boolean {
    let at = this.#next;
    let length = 0;
    for (let scale = 1; ; scale *= 128) {
      if (at >= this.#length) return false;
      if (scale > VARINT_SCALE_MAX) throw this.#wrong('length is too long');
      const byte = this.bytes[at++];
      length += (byte & 127) * scale;
      if (byte < 128) break;
    }
    if (at + length > this.#length) return false;
    this.start = at;
    this.end = at + length;
    this.#next = this.end;
    return true;
  }

  /** To the piece that begins with the next symbol, or to a larger one where that is not enough. */
  #move(): void {
    if (this.#at + this.#length >= this.#sectionEnd) throw this.#wrong('cut off');
    if (this.#next === 0 && this.#length === this.bytes.length)
      this.bytes = new Uint8Array(2 * this.bytes.length);
    this.#sum = crc32c(this.bytes, 0, this.#next, this.#sum);
    this.#at += this.#next;
    this.#next = 0;
    const piece = this.#file.read(this.#at, Math.min(this.bytes.length, this.#sectionEnd - this.#at));
    this.bytes.set(piece);
    this.#length = piece.length;
    if (piece.length === 0) throw this.#wrong('cut off');
  }

  #finish(): void {
    const sum = crc32c(this.bytes, 0, this.#next, this.#sum);
    if (this.#at + this.#next !== this.#sectionEnd) throw this.#wrong(`more than ${this.count} entries`);
    if (new ByteReader(this.#file.read(this.#sectionEnd, 4)).be32() !== sum)
      throw this.#wrong('bad checksum');
  }

  #wrong(what: string): VeronaError {
    return new VeronaError('corrupt', `${this.#file.path}: symbol ${this.ref}: ${what}`);
  }
}

/** Copied byte by byte, which is faster than a view and a call. */
const SHORT_BYTES = 64;

/** Byte strings one behind the other, in pieces that are never moved. */
class SymbolArena {
  readonly #pieces: Uint8Array[] = [];
  #used = 0;
  /** Of symbol i: piece · 2³² + offset. */
  #places = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  count = 0;

  push(bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    let piece = this.#pieces[this.#pieces.length - 1];
    if (!piece || this.#used + length > piece.length) {
      piece = new Uint8Array(Math.max(length, PIECE_BYTES * 4));
      this.#pieces.push(piece);
      this.#used = 0;
    }
    if (this.count === this.#lengths.length) this.#grow();
    if (length < SHORT_BYTES) for (let i = 0; i < length; i++) piece[this.#used + i] = bytes[start + i];
    else piece.set(bytes.subarray(start, end), this.#used);
    this.#places[this.count] = (this.#pieces.length - 1) * 2 ** 32 + this.#used;
    this.#lengths[this.count] = length;
    this.#used += length;
    return this.count++;
  }

  bytesOf(id: number): Uint8Array {
    const place = this.#places[id];
    const piece = Math.floor(place / 2 ** 32);
    const start = place - piece * 2 ** 32;
    return this.#pieces[piece].subarray(start, start + this.#lengths[id]);
  }

  #grow(): void {
    const places = new Float64Array(2 * this.count);
    const lengths = new Uint32Array(2 * this.count);
    places.set(this.#places);
    lengths.set(this.#lengths);
    this.#places = places;
    this.#lengths = lengths;
  }
}
